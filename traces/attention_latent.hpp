// Decode of latent attention (MLA): all query heads of a sequence read one latent vector per token, once for K and for V.
//
// The form with the matrices absorbed: queries were brought into the latent space (head_dim = rank + rope features), and what leaves is
// v_dim() = rank features per head, still in it. A block serves q_rows heads and one part of the work; a part is a run of tiles of 64
// tokens, which may begin in the middle of one sequence and end in the middle of another. Its first step for each sequence loads queries
// and block table, every further one a tile of the latent; it is multiplied twice on the tensor pipe, by all its features for the scores
// and by the first rank of them for the sum, 2 * heads * (head_dim + rank) FLOP per token, and costs heads exp per token. A sequence in
// one part: O is stored; in several: each stores fp32 partial sums, and a second kernel joins them.
// After FlashMLA (public repository deepseek-ai/FlashMLA: tiles, queries per block, and the scheduler of
// csrc/cuda_kernels/smxx/decode/get_decoding_sched_meta). Not modeled: the kernel that makes its schedule (once per step, a warp), pairs
// of blocks that share a tile.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "sim/core/device_shape.hpp"
#include "sim/core/kernel.hpp"
#include "traces/attention.hpp"

namespace rooftrace {

/// Tiles [begin, end) of a sequence.
struct LatentPiece {
  std::uint32_t sequence = 0;
  std::uint64_t begin = 0, end = 0;
  std::uint32_t slot = 0;  ///< Place of its partial sums, counted over all sequences in several parts; unused in one part.
};

/// Who does which pieces; made once, shared by the kernels of all layers.
struct LatentSchedule {
  std::vector<LatentPiece> pieces;
  std::vector<std::uint32_t> part_begin;  ///< parts + 1 places in `pieces`.
  std::vector<std::uint32_t> splits;      ///< Of each sequence.
  std::uint32_t slots = 0;                ///< Partial sums of all sequences in several parts.

  [[nodiscard]] std::uint32_t parts() const { return static_cast<std::uint32_t>(part_begin.size() - 1); }
};

struct LatentTiling {
  std::uint32_t q_rows = 64;
  std::uint32_t tile_tokens = 64;
  std::uint32_t blocks_per_sm = 1;
  std::uint32_t depth = 2;
  double tensor_share = 1;  ///< As in Kernel.
  double exposed = 0;       ///< As in Kernel.
  std::shared_ptr<const LatentSchedule> schedule;

  [[nodiscard]] std::uint32_t parts() const { return schedule->parts(); }
  [[nodiscard]] std::uint32_t slots() const { return schedule->slots; }
};

/// The rule. Heads and tokens of a tile: the first of 64 x 64, 64 x 32, 16 x 64, 16 x 32, 16 x 16 whose queries and two stages of the
/// latent fit a block's shared memory. Parts: as many as SMs hold blocks, divided by the tiles of heads; every part takes ceil((tiles + 5
/// per sequence) / parts) + 5, where a sequence it touches costs 5 beside its tiles. `splits` > 0: every sequence in so many even parts
/// instead (as many as there are tiles to give).
[[nodiscard]] LatentTiling choose_latent_tiling(const DeviceShape& gpu, const AttentionProblem& problem, std::uint32_t splits = 0);

/// fp32 partial O and one fp32 per slot and head; 0 where every sequence is in one part.
[[nodiscard]] std::uint64_t latent_workspace_bytes(const AttentionProblem& problem, const LatentTiling& tiling);

/// kv is latent, kv_heads 1, one query per sequence, no window. label and kernel_class are set, stage is decode; layer, stream and
/// waits_for are left to the caller. The second one is needed where tiling.slots() > 0.
[[nodiscard]] Kernel make_latent_decode(const AttentionProblem& problem, const LatentTiling& tiling, std::uint64_t workspace);
[[nodiscard]] Kernel make_latent_combine(const AttentionProblem& problem, const LatentTiling& tiling, std::uint64_t workspace);

}  // namespace rooftrace
