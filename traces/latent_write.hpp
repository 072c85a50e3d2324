// RoPE and the write into the cache of latent attention (MLA).
//
// One block per token. It reads the token's latent (already normed) and the features of K that carry the position, those of Q of every
// head, the row of cosines and sines and its entry of the block table; rotates; stores the rotated features of Q where attention looks for
// them, and latent and position, rounded to the cache's type, into the cache. A prefill attends to K of every head instead: where `k` is
// given, the block also puts it together from the features without position (of the projection W_UK) and those with, the same for all
// heads. Work on the CUDA cores: 3 FLOP per rotated element.
#pragma once

#include <cstdint>

#include "sim/core/device_shape.hpp"
#include "sim/core/kernel.hpp"
#include "traces/kv_cache.hpp"
#include "traces/tensor.hpp"

namespace rooftrace {

struct LatentWriteProblem {
  std::uint32_t batch = 1;
  std::uint64_t q_len = 1;           ///< Tokens of each sequence in this call.
  std::uint64_t first_position = 0;  ///< Position of the first of them; the same for all sequences.
  std::uint32_t q_heads = 1;
  std::uint32_t rope_dim = 64;
  Matrix latent;                 ///< batch * q_len rows of kv.head_dim columns, the last rope_dim of them carry the position.
  Matrix q;                      ///< Of head 0, batch * q_len rows of the rope_dim features that carry the position.
  std::uint64_t q_stride = 0;    ///< Bytes from a head to the next.
  Matrix out;                    ///< Where they go; may be q.
  std::uint64_t out_stride = 0;  ///< Bytes from a head to the next.
  Matrix cos_sin;                ///< One row of rope_dim per position.
  Matrix k_up;                   ///< rows = 0: no K; else batch * q_len rows of all heads' features without position.
  Matrix k;                      ///< batch * q_len rows of all heads' features, without and with position.
  KvCache kv;                    ///< Latent.
};

/// label and kernel_class are set; stage, layer, stream and waits_for are left to the caller.
[[nodiscard]] Kernel make_latent_write(const DeviceShape& gpu, const LatentWriteProblem& problem);

}  // namespace rooftrace
