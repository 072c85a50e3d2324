// Captured warp records (.rtcap, see traces/capture/capture_format.hpp) -> a trace.
//
// Checked before anything is made: magic, version, byte order, sizes, checksum, and that slabs and records belong to their kernels.
// Allocations give addresses (each gets its own 2 MiB pages) and, by their names, roles; markers give barriers and work; the captured SM
// picks the L1 and is kept with the block. Of a record: ranges and lines as sectors, the rows of a tensor box as one access. Op::load goes
// through the L1 filter, asynchronous, tensor and bulk copies do not. Left out, and said so: prefetches, records that the capture dropped.
// Not modeled: clocks (never replayed).
#pragma once

#include <memory>

#include "traces/file/trace_sink.hpp"
#include "traces/import/import_options.hpp"
#include "traces/import/import_summary.hpp"
#include "traces/import/seekable.hpp"

namespace rooftrace {

/// Calls everything of `sink` but finish().
[[nodiscard]] ImportSummary import_capture(std::unique_ptr<Seekable> file, const ImportOptions& options, TraceSink& sink);

}  // namespace rooftrace
