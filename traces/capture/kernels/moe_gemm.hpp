// Grouped GEMM of a mixture of experts: every token's row times the weights of the expert it was sent to, blocks of 32 x 128.
//
// tokens is bf16 [*, k]; weights bf16 [experts, n, k]. Tokens are sorted by expert into slots, each expert's slots padded to a multiple of
// 32: slot_token[slot] is the token's row, or kEmptySlot; tile_expert[tile] the expert of 32 slots; tile_rows_used[tile] how many of them
// are filled (from the front). out is bf16 [slots, n]. Grouped raster as in Triton's: `group` tiles of slots share a column of weights.
// Traffic of a block: rows_used x k x 2 B of tokens + 128 x k x 2 B of weights, rows_used x 256 B written, and the lists: 8 B per warp,
// 4 B per slot used.
#pragma once

#include "traces/capture/kernels/gemm_mma.hpp"

namespace rooftrace::capture {

inline constexpr unsigned kMoeTiles = 1;
inline constexpr unsigned kMoeM = tile_rows(kMoeTiles);
inline constexpr unsigned kEmptySlot = 0xFFFFFFFF;

RT_TRACED RT_KERNEL void RT_BOUNDS(kTileThreads)
    moe_gemm(const Bf16* tokens, const Bf16* weights, Bf16* out, const unsigned* slot_token, const unsigned* tile_expert,
             const unsigned* tile_rows_used, unsigned tiles, unsigned n, unsigned k, unsigned group RT_TRACE_ARGUMENT) {
  unsigned tile_m = 0;
  unsigned tile_n = 0;
  raster(block_x(), tiles, (n + kTileN - 1) / kTileN, group, &tile_m, &tile_n);
  const bool first_lane = thread_index() % kLanes == 0;
  RT_TRACE(trace.load(tile_expert + tile_m, 4, first_lane);)
  RT_TRACE(trace.load(tile_rows_used + tile_m, 4, first_lane);)
  const std::uint64_t expert = tile_expert[tile_m];
  const TileRows rows{tokens, out, slot_token + std::uint64_t{tile_m} * kMoeM, std::uint64_t{tile_m} * kMoeM, tile_rows_used[tile_m]};
  gemm_tile<kMoeTiles>(rows, weights + expert * n * k, std::uint64_t{tile_n} * kTileN, n, k RT_TRACE_PASS);
  RT_TRACE(trace.finish();)
}

}  // namespace rooftrace::capture
