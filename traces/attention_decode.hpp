// Split-KV decode attention: one query per sequence, the KV cache streamed once.
//
// GQA is packed: a block serves all query heads of one KV head of one sequence, over one split of the tokens (fewer heads where an engine
// packs fewer; the blocks of a KV head then read the same tokens one beside the other). Its first step loads the
// queries and the block-table entries of its split; every further step loads the K and V of a tile of 64 tokens
// (32 KiB at head_dim 128 in 16 bit) and works on them; where blocks have one buffer of K and one of V (`alternate`, FlashAttention-2) K
// and V are steps of their own, and a load goes out when the one before has landed. One split: the block stores O. More: it stores an fp32
// partial O and the logarithm of its sum to `workspace`, and a second kernel (make_attention_combine) joins the splits. With a window only
// its tokens are loaded. Work: tensor 4 * q heads * tokens * head_dim FLOP, q heads * tokens exp. The tensor tile has 64 rows
// (FlashAttention-2 and -3); rows without a query cost time, on the tensor pipe and by their exp, of which the tensor work hides no more
// than in prefill. K and V are asked for when the first step has landed. FlashAttention-2 joins its splits one after the other: a block of
// few rows waits for the partial of one before it asks for the next. Not modeled: CUDA-core work of the softmax (less than exp takes), the
// block table beyond the first step.
#pragma once

#include <cstdint>

#include "sim/core/device_shape.hpp"
#include "sim/core/kernel.hpp"
#include "traces/attention.hpp"
#include "traces/attention_splits.hpp"

namespace rooftrace {

struct DecodeTiling {
  std::uint32_t tile_tokens = 64;
  std::uint32_t blocks_per_sm = 1;
  std::uint32_t splits = 1;  ///< Non-empty splits of each sequence.
  bool alternate = false;    ///< K and V are steps of their own.
  std::uint32_t heads = 0;   ///< Query heads of a block, a divisor of those of a KV head; 0: all of them.
  double tensor_share = 1;   ///< As in Kernel.
  double exposed = 0;        ///< As in Kernel.
  double exp_flop = 0;       ///< What the tensor pipe could do in the time of one exp, FLOP; 0: rows without a query have no softmax.
  /// Rows (sequence, head) of a block that joins the splits one after the other; 0: a block per row that loads all splits at once.
  std::uint32_t combine_rows = 0;
};

/// First token that a decode step reads of a sequence of kv_len tokens.
[[nodiscard]] std::uint64_t decode_first_token(const AttentionProblem& problem);

/// The rule. Tile: 64 tokens with clusters; else 128, K and V alternating, up to head_dim 128. Blocks per SM: as many pipelines (two tiles;
/// alternating, one) as shared memory holds, at most 4 (registers). Splits: tiles are dealt out evenly; with at least 0.8 blocks per slot
/// there is one split, as in flash-decoding, and with clusters up to 512 tokens, too, as in FlashAttention-3; else, among the splits of at
/// least 128 tokens the smallest number whose wave efficiency (blocks / slots, over the next whole number of waves) reaches 0.85 of the
/// best, as flash-decoding does. Shared memory feeds the tensor pipe as the tile of 64 rows makes it: each of four warps reads all of K and
/// V (mma.sync, as long as the tensor work takes), or a warp group reads them once, beside Q (three quarters of it). Engines whose decode
/// kernels are not FlashAttention's have neither that nor the softmax of empty rows. `engine`: its rule instead (attention_splits.hpp),
/// rounded up to whole tiles; flash_attention_3 has tiles of 128 tokens (up to head_dim 128) and a block per SM, too. `splits` > 0 asks for
/// that number (as many as there are tiles to give).
[[nodiscard]] DecodeTiling choose_decode_tiling(const DeviceShape& gpu, const AttentionProblem& problem, std::uint32_t splits = 0,
                                                AttentionEngine engine = AttentionEngine::automatic);

/// fp32 partial O and one fp32 per (split, sequence, head): what `workspace` must hold; 0 for one split.
[[nodiscard]] std::uint64_t decode_workspace_bytes(const AttentionProblem& problem, const DecodeTiling& tiling);

/// label and kernel_class are set; stage is decode; layer, stream and waits_for are left to the caller.
[[nodiscard]] Kernel make_attention_decode(const AttentionProblem& problem, const DecodeTiling& tiling, std::uint64_t workspace);
[[nodiscard]] Kernel make_attention_combine(const AttentionProblem& problem, const DecodeTiling& tiling, std::uint64_t workspace);

}  // namespace rooftrace
