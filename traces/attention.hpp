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
  KvCache kv;                     ///< Paged or contiguous; at least kv_len tokens.
  std::uint64_t kv_produced = 0;  ///< The last so many tokens of K and V were written earlier in this stage.
  DataType tensor_type = DataType::bf16;  ///< What the tensor cores compute in.

  [[nodiscard]] std::uint32_t v_dim() const { return value_dim == 0 ? head_dim : value_dim; }
};

/// Footprint of reading tokens [first, last) of every sequence once: K, V and the block table. Pages staged from host memory and the last
/// kv_produced tokens were made earlier in the stage.
void append_kv_footprint(const AttentionProblem& problem, std::uint64_t first, std::uint64_t last, std::vector<Footprint>& out);

}  // namespace rooftrace
