// RoPE and the write into the KV cache, fused: what stands between the QKV projection and attention.
//
// One block per token. It reads the token's row of the fused projection (Q, K, V side by side), the row of cosines and sines of its
// position and its entry of the block table, rotates Q and K, stores Q in place and K and V into the cache (rounded to the cache's type).
// A bias of the projection and the gains of norms of Q and K, if the model has them, are read by every block, their distinct bytes counted
// once. Without a table (learned positions, ALiBi) nothing is rotated and only the cache is written.
// Work on the CUDA cores: 3 FLOP per rotated element of Q and K (a pair costs 4 multiplications and 2 additions), 1 per element for the
// bias, 4 per element of Q and K for their norm, which also takes one reciprocal square root per head.
// Not modeled: RoPE scaling variants (they change the table's content only), the slopes of ALiBi (4 B per head).
#pragma once

#include <cstdint>

#include "sim/core/device_shape.hpp"
#include "sim/core/kernel.hpp"
#include "traces/kv_cache.hpp"
#include "traces/tensor.hpp"

namespace rooftrace {

struct RopeProblem {
  std::uint32_t batch = 1;
  std::uint64_t q_len = 1;           ///< Tokens of each sequence in this call.
  std::uint64_t first_position = 0;  ///< Position of the first of them; the same for all sequences.
  std::uint32_t q_heads = 1;
  std::uint32_t kv_heads = 1;
  std::uint32_t head_dim = 128;
  Matrix qkv;      ///< batch * q_len rows of (q_heads + 2 * kv_heads) * head_dim columns; Q is stored back.
  Matrix cos_sin;  ///< One row per position, of as many columns as features of a head are rotated; rows = 0: none.
  Matrix bias;     ///< rows = 0: none; else one row like those of qkv.
  Matrix qk_gain;  ///< rows = 0: no norm of Q and K; else 2 rows of head_dim.
  KvCache kv;
};

/// label and kernel_class are set; stage, layer, stream and waits_for are left to the caller.
[[nodiscard]] Kernel make_rope_kv_write(const DeviceShape& gpu, const RopeProblem& problem);

}  // namespace rooftrace
