// RMSNorm: y[r, c] = x[r, c] / sqrt(mean over c of x[r, c]^2 + epsilon) * weight[c]. One block per row; x, weight and y are bf16 [rows,
// cols].
//
// Traffic of a block: cols x 2 B of x, as much of the weight, as much of y; x is kept in registers between the two passes.
#pragma once

#include "traces/capture/trace.hpp"

namespace rooftrace::capture {

inline constexpr unsigned kNormThreads = 256;
inline constexpr unsigned kNormPieces = 4;  ///< 16-byte pieces a thread keeps: at most 256 x 4 x 8 = 8,192 columns.
inline constexpr unsigned kNormShared = kNormThreads / kLanes * sizeof(float);

/// cols: a multiple of 8, at most 8,192.
RT_TRACED RT_KERNEL void RT_BOUNDS(kNormThreads)
    rms_norm(const Bf16* x, const Bf16* weight, Bf16* y, unsigned cols, float epsilon RT_TRACE_ARGUMENT) {
  RT_SHARED(shared);
  auto* const sums = reinterpret_cast<float*>(shared);
  const unsigned thread = thread_index();
  const std::uint64_t row = std::uint64_t{block_x()} * cols;
  Bytes16 kept[kNormPieces];
  float sum = 0;
  RT_UNROLL
  for (unsigned i = 0; i < kNormPieces; ++i) {
    const unsigned column = (i * kNormThreads + thread) * 8;
    const bool active = column < cols;
    RT_TRACE(trace.load(x + row + column, 16, active);)
    kept[i] = active ? load_as<Bytes16>(x + row + column) : Bytes16{};
    RT_UNROLL
    for (const std::uint32_t word : kept[i].word) sum += low_bf16(word) * low_bf16(word) + high_bf16(word) * high_bf16(word);
  }
  RT_UNROLL
  for (unsigned mask = 16; mask > 0; mask /= 2) sum += shuffle_xor(sum, mask);
  if (thread % kLanes == 0) sums[thread / kLanes] = sum;
  block_barrier();
  RT_TRACE(trace.barrier();)
  sum = 0;
  RT_UNROLL
  for (unsigned warp = 0; warp < kNormThreads / kLanes; ++warp) sum += sums[warp];
  const float scale = inverse_root(sum / static_cast<float>(cols) + epsilon);
  RT_UNROLL
  for (unsigned i = 0; i < kNormPieces; ++i) {
    const unsigned column = (i * kNormThreads + thread) * 8;
    const bool active = column < cols;
    RT_TRACE(trace.load(weight + column, 16, active);)
    const Bytes16 gain = active ? load_as<Bytes16>(weight + column) : Bytes16{};
    Bytes16 out;
    RT_UNROLL
    for (unsigned j = 0; j < 4; ++j) {
      out.word[j] = pack_bf16(low_bf16(kept[i].word[j]) * scale * low_bf16(gain.word[j]),
                              high_bf16(kept[i].word[j]) * scale * high_bf16(gain.word[j]));
    }
    if (active) store_as(y + row + column, out);
    RT_TRACE(trace.store(y + row + column, 16, active);)
  }
  RT_TRACE(trace.work(Pipe::cuda_core, std::uint64_t{cols} * 4 / (kNormThreads / kLanes));)
  RT_TRACE(trace.finish();)
}

}  // namespace rooftrace::capture
