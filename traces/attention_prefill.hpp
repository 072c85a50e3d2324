// FlashAttention-2 style prefill attention: one block per (128 queries, sequence, query head), streaming K and V through shared memory.
//
// A block loads its Q tile, then walks its KV tiles from the last to the first, each as two steps: K tile (Q K^T and exp), V tile (P V);
// its last step scales and stores O. Only tiles that hold a visible key are visited; a visited tile is loaded and worked on whole (masked
// pairs included, as the tensor pipe does), clipped to the keys and queries that exist. Grid as FlashAttention-2: query tiles fastest, then
// sequences, then heads, so the heads that share K and V follow each other. Causal calls keep that order, so the longest tile of
// each head comes last: FlashAttention-2's grid, and what FlashAttention-3's scheduler of varlen batches did before it sorted tiles.
// Work: tensor 2 * rows * cols * (head_dim + v_dim) FLOP per tile pair, rows * cols exp on the special-function pipe, and on the CUDA
// cores, one instruction being 2 FLOP: maximum, scale and subtract, sum, half a conversion per pair (7 FLOP), and a multiplication of every
// element of O per tile. How much of exp and CUDA-core work the tensor work hides is the kernel's: FlashAttention-2 leaves it to two blocks
// that do not know of each other, FlashAttention-3 (machines with clusters) lets two warp groups of one block take turns. Not modeled:
// dropout, variable sequence lengths in one batch.
#pragma once

#include <cstdint>

#include "sim/core/device_shape.hpp"
#include "sim/core/kernel.hpp"
#include "traces/attention.hpp"

namespace rooftrace {

struct PrefillTiling {
  std::uint32_t q_rows = 128;
  std::uint32_t kv_rows = 64;
  std::uint32_t blocks_per_sm = 1;
  std::uint32_t depth = 1;  ///< K and V tiles in flight beside the one under work.
  double tensor_share = 1;  ///< As in Kernel.
  double exposed = 0;       ///< As in Kernel.
};

/// The rule: 128 queries; the most KV rows of {128, 64, 32} with which two blocks (Q + K + V tile, plus 1 KiB each) share an SM, so that
/// one computes exp while the other feeds the tensor cores; if not even 32 rows fit twice, the most that fit once. With clusters one block
/// of two warp groups has an SM for itself, Q and two stages of K and V.
/// Gives 128x64 on A100 and A30, 128x128 on H100, 128x32 where an SM has 100 KiB, for head_dim 128 in 16 bit.
[[nodiscard]] PrefillTiling choose_prefill_tiling(const DeviceShape& gpu, std::uint32_t head_dim, DataType q_type, DataType kv_type);

/// label and kernel_class are set; stage, layer, stream and waits_for are left to the caller.
[[nodiscard]] Kernel make_attention_prefill(const AttentionProblem& problem, const PrefillTiling& tiling);

}  // namespace rooftrace
