// A profile of the PyTorch profiler -> a trace: every kernel, copy and fill that ran, in order, with its measured duration beside it.
//
// A kernel whose operator is known (see kineto_lowering.hpp; the operator itself or the nearest one around it) is lowered to synthetic
// accesses. Where an operator ran several kernels, the longest stands for it. All others, and kernels that are not known, become kernels of
// one empty block: they keep their name, their place and their measured duration, and the summary names them; they cost no more than a
// launch. Kernels that our lowering needs beside (the sum of a split-K GEMM) follow without a measured duration. Of several GPUs the one
// with the most events is taken. Streams: a kernel waits for the last kernel of every other stream that had ended when it began.
#pragma once

#include "traces/file/trace_sink.hpp"
#include "traces/import/byte_source.hpp"
#include "traces/import/import_options.hpp"
#include "traces/import/import_summary.hpp"

namespace rooftrace {

inline constexpr std::uint64_t kMostSyntheticSteps = 4ULL << 20;  ///< Of one kernel; more is treated as unknown.
inline constexpr std::uint64_t kMostStepsOfProfile = 1ULL << 31;  ///< Of all; more is an error.

/// Calls everything of `sink` but finish().
[[nodiscard]] ImportSummary import_kineto(ByteSource& text, const ImportOptions& options, TraceSink& sink);

}  // namespace rooftrace
