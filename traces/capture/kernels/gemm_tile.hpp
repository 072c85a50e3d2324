// One tile of C = A x B^T on tensor cores with cp.async, ldmatrix and mma.sync: what the GEMM and the MoE kernel share.
//
// A is bf16 [rows, k], B is bf16 [n, k] (a linear layer's weight), both K-major. A block of 256 threads makes a tile of (32 x WarpTiles)
// x 128 of C in steps of 64 along k, three steps deep in flight: warp (i, j) of 2 x 4 holds 16 x WarpTiles rows and 32 columns.
// Shared memory: 3 x (32 x WarpTiles + 128) x 128 B. Rows of A and B that do not exist are zeros and are not read.
#pragma once

#include "traces/capture/matrix.hpp"
#include "traces/capture/trace.hpp"

namespace rooftrace::capture {

inline constexpr unsigned kTileThreads = 256;
inline constexpr unsigned kTileN = 128;
inline constexpr unsigned kTileK = 64;  ///< 128 B per row: a whole line.
inline constexpr unsigned kTileStages = 3;
inline constexpr unsigned kTilePieces = kTileK / 8;  ///< 16-byte pieces per row of a step.

RT_HOST_DEVICE constexpr unsigned tile_rows(unsigned warp_tiles) {
  return 32 * warp_tiles;
}
/// The loop's stages; the epilogue's tile of C (256 B per row) fits into them.
RT_HOST_DEVICE constexpr unsigned tile_shared_bytes(unsigned warp_tiles) {
  return kTileStages * (tile_rows(warp_tiles) + kTileN) * kTileK * 2;
}

/// Where the rows of A and of C are: row i of the tile. A row that does not exist has no piece in the GEMM.
struct TileRows {
  const Bf16* a;            ///< [*, k].
  Bf16* c;                  ///< [*, n].
  const unsigned* gather;   ///< Row of `a` for row i of the tile; nullptr: first_row + i.
  std::uint64_t first_row;  ///< Of the tile in c.
  unsigned rows;            ///< That exist, from the tile's start.
};

/// The rows that this thread copies in every step, as places in their matrix; kNoRow where there is none.
inline constexpr std::uint64_t kNoRow = ~std::uint64_t{0};
template <unsigned Count RT_TRACED_PARAMETER>
RT_DEVICE void find_rows(std::uint64_t (&place)[Count], const unsigned* gather, std::uint64_t first, unsigned exist,
                         unsigned pitch RT_TRACE_REFERENCE) {
  RT_UNROLL
  for (unsigned i = 0; i < Count; ++i) {
    const unsigned row = (i * kTileThreads + thread_index()) / kTilePieces;
    const bool active = row < exist;
    if (gather != nullptr) {
      RT_TRACE(trace.load(gather + row, 4, active);)
    }
    place[i] = !active ? kNoRow : (gather != nullptr ? gather[row] : first + row) * pitch;
  }
}

/// Starts the copies of one step (32 x Count rows of 128 B) into shared memory at `to`.
template <unsigned Count RT_TRACED_PARAMETER>
RT_DEVICE void load_step(std::uint32_t to, const Bf16* matrix, const std::uint64_t (&place)[Count], unsigned column RT_TRACE_REFERENCE) {
  RT_UNROLL
  for (unsigned i = 0; i < Count; ++i) {
    const unsigned number = i * kTileThreads + thread_index();
    const unsigned piece = number % kTilePieces;
    const bool active = place[i] != kNoRow;
    const Bf16* const from = matrix + (active ? place[i] : 0) + column + piece * 8;
    RT_TRACE(trace.async_load(from, 16, active);)
    cp_async16(to + tile_offset(number / kTilePieces, piece, kTilePieces), from, active ? 16 : 0);
  }
}

/// `b` is [n, k]; the tile's columns begin at first_column; k a multiple of 64, n of 8.
template <unsigned WarpTiles RT_TRACED_PARAMETER>
RT_DEVICE void gemm_tile(const TileRows& tile, const Bf16* b, std::uint64_t first_column, unsigned n, unsigned k RT_TRACE_REFERENCE) {
  RT_SHARED(shared);
  constexpr unsigned rows = tile_rows(WarpTiles);
  constexpr std::uint32_t stage_bytes = (rows + kTileN) * kTileK * 2;
  const std::uint32_t base = shared_offset(shared);
  const unsigned lane = thread_index() % kLanes;
  const unsigned warp = thread_index() / kLanes;
  const unsigned warp_row = warp / 4 * 16 * WarpTiles;
  const unsigned warp_column = warp % 4 * 32;
  const unsigned columns = n - first_column < kTileN ? static_cast<unsigned>(n - first_column) : kTileN;
  const unsigned steps = k / kTileK;
  float sum[WarpTiles][4][4] = {};
  std::uint64_t place_a[rows / 32];
  std::uint64_t place_b[kTileN / 32];
  find_rows(place_a, tile.gather, tile.first_row, tile.rows, k RT_TRACE_PASS);
  find_rows(place_b, nullptr, first_column, columns, k RT_TRACE_PASS);

  RT_UNROLL
  for (unsigned step = 0; step + 1 < kTileStages; ++step) {
    if (step < steps) {
      const std::uint32_t to = base + step * stage_bytes;
      load_step(to, tile.a, place_a, step * kTileK RT_TRACE_PASS);
      load_step(to + rows * kTileK * 2, b, place_b, step * kTileK RT_TRACE_PASS);
    }
    cp_async_commit();
  }
  for (unsigned step = 0; step < steps; ++step) {
    cp_async_wait<kTileStages - 2>();
    block_barrier();  // This step has arrived for all, and all are done with the stage that is filled next.
    RT_TRACE(trace.barrier();)
    const unsigned next = step + kTileStages - 1;
    if (next < steps) {
      const std::uint32_t to = base + next % kTileStages * stage_bytes;
      load_step(to, tile.a, place_a, next * kTileK RT_TRACE_PASS);
      load_step(to + rows * kTileK * 2, b, place_b, next * kTileK RT_TRACE_PASS);
    }
    cp_async_commit();
    const std::uint32_t a_at = base + step % kTileStages * stage_bytes;
    const std::uint32_t b_at = a_at + rows * kTileK * 2;
    RT_UNROLL
    for (unsigned part = 0; part < kTileK / 16; ++part) {
      std::uint32_t fragment_a[WarpTiles][4];
      std::uint32_t fragment_b[2][4];
      RT_UNROLL
      for (unsigned i = 0; i < WarpTiles; ++i) {
        ldmatrix_x4(fragment_a[i], a_at + tile_offset(warp_row + i * 16 + lane % 16, part * 2 + lane / 16, kTilePieces));
      }
      RT_UNROLL
      for (unsigned j = 0; j < 2; ++j) {  // 16 columns: matrices (n 0-7, k 0-7), (n 0-7, k 8-15), (n 8-15, k 0-7), (n 8-15, k 8-15).
        const unsigned row = warp_column + j * 16 + lane / 16 * 8 + lane % 8;
        ldmatrix_x4(fragment_b[j], b_at + tile_offset(row, part * 2 + lane / 8 % 2, kTilePieces));
      }
      RT_UNROLL
      for (unsigned i = 0; i < WarpTiles; ++i) {
        RT_UNROLL
        for (unsigned j = 0; j < 4; ++j) mma_bf16(sum[i][j], fragment_a[i], fragment_b[j / 2][j % 2 * 2], fragment_b[j / 2][j % 2 * 2 + 1]);
      }
    }
    RT_TRACE(trace.work(Pipe::tensor, std::uint64_t{2} * WarpTiles * 16 * 32 * kTileK);)
  }
  cp_async_wait<0>();
  block_barrier();
  RT_TRACE(trace.barrier();)

  // Through shared memory, so that a warp stores whole rows: 256 B per row, 16 lanes each.
  RT_UNROLL
  for (unsigned i = 0; i < WarpTiles; ++i) {
    RT_UNROLL
    for (unsigned j = 0; j < 4; ++j) {
      RT_UNROLL
      for (unsigned half = 0; half < 2; ++half) {
        const unsigned row = warp_row + i * 16 + half * 8 + lane / 4;
        const unsigned column = warp_column + j * 8 + lane % 4 * 2;
        store_as(shared + tile_offset(row, column / 8, kTileN / 8) + column % 8 * 2,
                 pack_bf16(sum[i][j][half * 2], sum[i][j][half * 2 + 1]));
      }
    }
  }
  block_barrier();
  RT_TRACE(trace.barrier();)
  RT_UNROLL
  for (unsigned i = 0; i < rows * kTileN / 8 / kTileThreads; ++i) {
    const unsigned number = i * kTileThreads + thread_index();
    const unsigned row = number / (kTileN / 8);
    const unsigned piece = number % (kTileN / 8);
    const bool active = row < tile.rows && piece * 8 < columns;
    Bf16* const to = tile.c + (tile.first_row + row) * n + first_column + piece * 8;
    if (active) store_as(to, load_as<Bytes16>(shared + tile_offset(row, piece, kTileN / 8)));
    RT_TRACE(trace.store(to, 16, active);)
  }
}

}  // namespace rooftrace::capture
