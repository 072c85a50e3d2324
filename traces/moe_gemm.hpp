// The GEMM of all experts in one grid, as vLLM's fused-MoE kernel does it.
//
// A row tile is up to block_m slots of one expert's list (expert_routing.hpp); it is multiplied with block_n outputs of that expert. Row
// tiles of all experts are numbered expert by expert, those without tokens have none; blocks walk them group_m at a time in Triton's
// grouped order. A block loads its entries of the sorted list, then per k-step its gathered rows of A (neighbours in one access) and its
// tile of B, and stores its rows of C where their slots are. Work: only rows that exist, as elsewhere (the padding of a tile costs the
// tensor pipe something that is not modeled). No split-K, no clusters, no persistent blocks.
#pragma once

#include <cstdint>
#include <memory>

#include "sim/core/device_shape.hpp"
#include "sim/core/kernel.hpp"
#include "traces/expert_routing.hpp"
#include "traces/gemm.hpp"
#include "traces/tensor.hpp"

namespace rooftrace {

struct MoeGemmProblem {
  Matrix a;  ///< Rows of k: one per slot, or one per token.
  bool row_per_token = false;
  Matrix b;                ///< (experts * n) x k, expert by expert.
  Matrix b_scales;         ///< (experts * n) x 1 (rows = 0: none).
  Matrix c;                ///< slots x n.
  std::uint64_t list = 0;  ///< Address of the sorted list, 4 B per slot.
  std::shared_ptr<const ExpertRouting> routing;
  DataType tensor_type = DataType::bf16;
  /// A kernel made for A100: instructions of one warp, of which a later GPU runs fewer than its tensor rate says (warp_mma_share); Hopper
  /// has none for fp8, which is widened and multiplied in fp16.
  bool for_a100 = false;
};

/// The rule: as many rows as an expert has on average, a power of two from 16 to 128; 128 outputs (64 below 64 rows); k-tiles of 64 bytes
/// times two; up to 4 stages; as many blocks per SM as shared memory and half of the registers (fp32 sums) hold, at most 4; groups of 8 row
/// tiles where an expert has several.
[[nodiscard]] GemmTiling choose_moe_tiling(const DeviceShape& gpu, const ExpertRouting& routing, DataType weights, DataType activations);

/// label and kernel_class are left to the caller, as for make_gemm. std::invalid_argument for a tiling this GPU cannot run.
[[nodiscard]] Kernel make_moe_gemm(const DeviceShape& gpu, const MoeGemmProblem& problem, const GemmTiling& tiling);

/// Softmax and choice of experts: reads tokens x experts scores, writes `routes`, 8 B (expert, weight) per slot. Per score: maximum,
/// subtract, sum, compare per choice; one exp.
[[nodiscard]] Kernel make_top_k(const DeviceShape& gpu, const Matrix& scores, const Matrix& routes, std::uint32_t per_token);

/// Sorts the slots by expert: one block reads `routes` and writes the list.
[[nodiscard]] Kernel make_sort_by_expert(const Matrix& routes, const Matrix& list);

/// out[token] = sum over its slots of weight * in[slot]; in is slots x hidden, routes gives the weights.
[[nodiscard]] Kernel make_moe_combine(const DeviceShape& gpu, const Matrix& in, const Matrix& routes, const Matrix& out);

}  // namespace rooftrace
