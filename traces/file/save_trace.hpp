// A Trace into a sink: what `rooftrace trace generate` does with what the generator made.
//
// Promise: lossless. Layers that are shifts of each other are stored once, but only after every access of every step was compared; `exact`
// turns that off and stores all of them. Memory: two steps.
#pragma once

#include <cstdint>

#include "sim/core/kernel.hpp"
#include "traces/file/trace_sink.hpp"

namespace rooftrace {

enum class StoredLayers : std::uint8_t { automatic, exact };

/// begin_stage to end_stage. `info`'s layer fields are taken from the trace.
void save_trace(const Trace& trace, TraceStageInfo info, TraceSink& sink, StoredLayers layers = StoredLayers::automatic);

/// Whether `kernel` does what `base` does, with every address inside [begin, end) `shift` bytes further up, and everything else equal. For
/// kernels of the same grid.
[[nodiscard]] bool same_up_to_shift(const Kernel& base, const Kernel& kernel, std::uint64_t begin, std::uint64_t end, std::int64_t shift);

}  // namespace rooftrace
