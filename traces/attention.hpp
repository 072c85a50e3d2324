// One attention call, prefill or decode: who attends to what, and where Q, K, V and O lie.
//
// Query i of a sequence stands at position i + kv_len - q_len and sees the keys of positions [position - window_left, position +
// window_right]; causal means window_right = 0. The same convention as FlashAttention-2's window_size; a Mistral window of w tokens
// (itself and w - 1 before) is window_left = w - 1.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/core/kernel.hpp"
#include "traces/kv_cache.hpp"
#include "traces/tensor.hpp"

namespace rooftrace {

inline constexpr std::int64_t kNoWindow = -1;

// What the tensor work of a KV tile does not hide of its exp and CUDA-core work. Warp groups that take turns (FlashAttention-3): published
// at head_dim 128, not causal: 661 TFLOP/s, 570 without turns (Shah et al. 2024, arXiv 2407.08608), which with 1,024 clocks of exp beside
// 2,048 of tensor work per 128x128 tile is 0.5; calibrated with paged, causal calls: 0.7 (slope of the H100 rows of 8,192 and 16,384
// queries). Two blocks that know nothing of each other (FlashAttention-2): 225 TFLOP/s on A100 (Dao 2023, arXiv 2307.08691) is 0.6, not
// causal; calibrated with causal calls: 1.0, they fall in step (A100 rows of 16,384 queries).
inline constexpr double kExposedInTurns = 0.7;
inline constexpr double kExposedByChance = 1.0;

struct AttentionProblem {
  std::uint32_t batch = 1;
  std::uint32_t q_heads = 1;
  std::uint32_t kv_heads = 1;  ///< Divides q_heads.
  std::uint32_t head_dim = 128;
  std::uint32_t value_dim = 0;  ///< Features of a head of V and O where they differ (latent attention); 0: head_dim.
  std::uint64_t q_len = 1;      ///< Queries of each sequence.
  std::uint64_t kv_len = 1;     ///< Keys of each sequence, the queries' own tokens included.
  std::int64_t window_left = kNoWindow;
  std::int64_t window_right = kNoWindow;
  bool causal = true;
  Matrix q;                       ///< batch * q_len rows of q_heads * head_dim columns (the pitch may skip K and V of a fused projection).
  Matrix o;                       ///< batch * q_len rows of q_heads * v_dim() columns.
  Matrix sums;                    ///< Prefill: logarithm of each row's sum, fp32, [batch][q_heads][q_len]; no rows: not stored.
  KvCache kv;                     ///< Paged or contiguous; at least kv_len tokens.
  std::uint64_t kv_produced = 0;  ///< The last so many tokens of K and V were written earlier in this stage.
  DataType tensor_type = DataType::bf16;  ///< What the tensor cores compute in.

  [[nodiscard]] std::uint32_t v_dim() const { return value_dim == 0 ? head_dim : value_dim; }
};

/// Footprint of reading tokens [first, last) of every sequence once: K, V and the block table. Pages staged from host memory and the last
/// kv_produced tokens were made earlier in the stage.
void append_kv_footprint(const AttentionProblem& problem, std::uint64_t first, std::uint64_t last, std::vector<Footprint>& out);

}  // namespace rooftrace
