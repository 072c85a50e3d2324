// The same GEMM on several heads in one grid: head h takes A, B and C that lie h strides behind those of head 0.
//
// What cuBLAS calls a strided batch. The heads of latent attention need two in a decode step: queries into the latent space (W_UK), and
// what attention found there back out (W_UV). Blocks walk the tiles of one head before those of the next. No split-K, no clusters, no
// persistent blocks, no scales of quantised weights.
#pragma once

#include <cstdint>

#include "sim/core/device_shape.hpp"
#include "sim/core/kernel.hpp"
#include "traces/gemm.hpp"

namespace rooftrace {

struct BatchedGemmProblem {
  GemmProblem first;  ///< Of head 0. Rows of A and C may lie further apart than a head is wide.
  std::uint32_t count = 1;
  std::uint64_t a_stride = 0, b_stride = 0, c_stride = 0;  ///< Bytes from a head to the next; no two heads share a byte.
};

/// The tile that choose_gemm_tiling takes for one GEMM of count * n outputs, no wider than a head, one part, no cluster, not persistent.
[[nodiscard]] GemmTiling choose_batched_tiling(const DeviceShape& gpu, std::uint64_t m, std::uint64_t n, std::uint64_t k,
                                               std::uint32_t count, DataType weights, DataType activations);

/// label and kernel_class are left to the caller, as for make_gemm. std::invalid_argument for a tiling this GPU cannot run.
[[nodiscard]] Kernel make_batched_gemm(const DeviceShape& gpu, const BatchedGemmProblem& problem, const GemmTiling& tiling);

}  // namespace rooftrace
