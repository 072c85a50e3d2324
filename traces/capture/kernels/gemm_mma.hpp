// Tiled GEMM for sm_80 and later: C[m, n] = A[m, k] x B[n, k]^T, bf16 with fp32 sums, blocks of 128 x 128 in grouped raster order.
//
// Traffic of a block: (rows of A + rows of B that exist) x k x 2 B read, its part of C written once.
#pragma once

#include "traces/capture/kernels/gemm_tile.hpp"

namespace rooftrace::capture {

inline constexpr unsigned kGemmTiles = 4;  ///< 16-row tiles per warp: 128 rows per block.
inline constexpr unsigned kGemmM = tile_rows(kGemmTiles);

/// Linear block -> tile: `group` rows of tiles go together, column by column; group 1 is row-major.
RT_HOST_DEVICE void raster(unsigned block, unsigned tiles_m, unsigned tiles_n, unsigned group, unsigned* tile_m, unsigned* tile_n) {
  const unsigned first = block / (group * tiles_n) * group;
  const unsigned height = tiles_m - first < group ? tiles_m - first : group;
  const unsigned inside = block % (group * tiles_n);
  *tile_m = first + inside % height;
  *tile_n = inside / height;
}

/// grid: ceil(m / 128) x ceil(n / 128) blocks in x; k a multiple of 64, n of 8.
RT_TRACED RT_KERNEL void RT_BOUNDS(kTileThreads)
    gemm_mma(const Bf16* a, const Bf16* b, Bf16* c, unsigned m, unsigned n, unsigned k, unsigned group RT_TRACE_ARGUMENT) {
  unsigned tile_m = 0;
  unsigned tile_n = 0;
  raster(block_x(), (m + kGemmM - 1) / kGemmM, (n + kTileN - 1) / kTileN, group, &tile_m, &tile_n);
  const unsigned first = tile_m * kGemmM;
  const TileRows rows{a, c, nullptr, first, m - first < kGemmM ? m - first : kGemmM};
  gemm_tile<kGemmTiles>(rows, b, std::uint64_t{tile_n} * kTileN, n, k RT_TRACE_PASS);
  RT_TRACE(trace.finish();)
}

}  // namespace rooftrace::capture
