// Accel-Sim traces (NVBit's tracer tool, versions 3 to 6) -> a trace: kernelslist.g, or one .traceg, .traceg.xz or .tracez file.
//
// Every kernel of the list becomes a kernel, MemcpyHtoD a copy by the copy engine. Global accesses are lowered (coalesced, filtered by L1,
// put into steps); generic ones are told apart by the bases of the kernel's head (windows of 16 MiB, as on Volta and later; assumed) or,
// without bases, taken for global; shared, local, constant and texture accesses are counted and left out. The L2 reads of a multicast copy
// are the issuing block's; its other receivers get nothing. Prefetches into L2 are left out: the later load brings the same bytes.
// Not modeled: spills (local memory) that leave L1, loads that wait for other blocks of the cluster, predicated-off lanes (no bit in the
// mask: no access).
#pragma once

#include <string>

#include "traces/file/trace_sink.hpp"
#include "traces/import/accelsim_blocks.hpp"
#include "traces/import/import_options.hpp"
#include "traces/import/import_summary.hpp"

namespace rooftrace {

/// `path`: kernelslist.g or a kernel's trace. Calls everything of `sink` but finish().
[[nodiscard]] ImportSummary import_accelsim(const std::string& path, const ImportOptions& options, TraceSink& sink);

/// One kernel's trace that is at hand: for tests and fuzzing. Inside a stage of `sink`.
void import_traceg(ByteSource& text, const ImportOptions& options, TraceSink& sink, ImportSummary& summary);
void import_tracez(std::unique_ptr<Seekable> file, const ImportOptions& options, TraceSink& sink, ImportSummary& summary);

}  // namespace rooftrace
