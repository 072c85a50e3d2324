// A table of accesses -> a trace: the simplest way in, for tools of the user's own.
//
//   block,step,op,address,bytes[,kernel][,role]
//   0,0,load,0x10000000,4096,my_kernel,weights
//
// The first line names the columns, in any order; kernel and role may be absent. op: load, store, reduce; address: decimal or 0x...; role:
// as in results (weights, kv, activations, scales, tables; default activations). A new kernel starts where the name changes; within a
// kernel blocks ascend, within a block steps ascend from 0 without gaps, and a step's loads come before its stores whatever the order of
// the rows. Blocks that are not named are empty ones. Fields may stand in double quotes; lines that start with '#' and blank lines are
// skipped. Addresses are kept if all of them lie below 2^42, else moved frame by frame (see address_rebase.hpp). Accesses are taken for
// what leaves the SM: neither coalesced nor filtered by L1. The text is read twice. Not modeled: work.
#pragma once

#include <functional>
#include <memory>

#include "traces/file/trace_sink.hpp"
#include "traces/import/byte_source.hpp"
#include "traces/import/import_options.hpp"
#include "traces/import/import_summary.hpp"

namespace rooftrace {

using OpenText = std::function<std::unique_ptr<ByteSource>()>;

/// Calls everything of `sink` but finish().
[[nodiscard]] ImportSummary import_csv(const OpenText& open, const ImportOptions& options, TraceSink& sink);

}  // namespace rooftrace
