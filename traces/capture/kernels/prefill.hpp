// FlashAttention-style prefill: online softmax over tiles of 64 keys, one block of four warps per 64 queries of one head.
//
// q and out are bf16 [batch, q_heads, tokens, 128], keys and values bf16 [batch, kv_heads, tokens, 128]; causal; query head h reads KV head
// h / (q_heads / kv_heads). Keys and values come by cp.async, two tiles deep; both products run on mma.sync, warp w owns queries 16 w ..
// +15. Traffic of the block of query tile i: 16 KiB of q (the rows that exist), (i + 1) tiles of keys and of values of 16 KiB each, out
// once.
#pragma once

#include "traces/capture/matrix.hpp"
#include "traces/capture/trace.hpp"

namespace rooftrace::capture {

inline constexpr unsigned kPrefillThreads = 128;
inline constexpr unsigned kPrefillTile = 64;  ///< Queries and keys.
inline constexpr unsigned kPrefillHead = 128;
inline constexpr unsigned kPrefillPieces = kPrefillHead / 8;
inline constexpr unsigned kPrefillTileBytes = kPrefillTile * kPrefillHead * 2;
inline constexpr unsigned kPrefillShared = 5 * kPrefillTileBytes;  ///< q, two of keys, two of values.

/// Starts the copy of rows [first, first + 64) of a [tokens, 128] matrix into a tile; rows past `tokens` become zero.
RT_TRACED RT_DEVICE void load_rows(std::uint32_t to, const Bf16* matrix, unsigned first, unsigned tokens RT_TRACE_REFERENCE) {
  RT_UNROLL
  for (unsigned i = 0; i < kPrefillTile * kPrefillPieces / kPrefillThreads; ++i) {
    const unsigned number = i * kPrefillThreads + thread_index();
    const unsigned row = number / kPrefillPieces;
    const bool active = first + row < tokens;
    const Bf16* const from = matrix + (active ? std::uint64_t{first + row} * kPrefillHead : 0) + number % kPrefillPieces * 8;
    RT_TRACE(trace.async_load(from, 16, active);)
    cp_async16(to + tile_offset(row, number % kPrefillPieces, kPrefillPieces), from, active ? 16 : 0);
  }
}

/// grid (query tiles, q_heads, batch), the longest rows of the triangle first; softmax_scale already times log2(e).
RT_TRACED RT_KERNEL void RT_BOUNDS(kPrefillThreads) prefill(const Bf16* q, const Bf16* keys, const Bf16* values, Bf16* out, unsigned tokens,
                                                            unsigned q_heads, unsigned kv_heads, float softmax_scale RT_TRACE_ARGUMENT) {
  RT_SHARED(shared);
  const std::uint32_t q_at = shared_offset(shared);
  const unsigned lane = thread_index() % kLanes;
  const unsigned warp = thread_index() / kLanes;
  const unsigned tiles = (tokens + kPrefillTile - 1) / kPrefillTile;
  const unsigned q_tile = tiles - 1 - block_x();
  const std::uint64_t head = block_z() * std::uint64_t{q_heads} + block_y();
  const std::uint64_t kv = block_z() * std::uint64_t{kv_heads} + block_y() / (q_heads / kv_heads);
  const std::uint64_t matrix = std::uint64_t{tokens} * kPrefillHead;
  const Bf16* const key = keys + kv * matrix;
  const Bf16* const value = values + kv * matrix;
  const auto stage_at = [q_at](unsigned tile) { return q_at + (1 + tile % 2 * 2) * kPrefillTileBytes; };

  load_rows(q_at, q + head * matrix, q_tile * kPrefillTile, tokens RT_TRACE_PASS);
  load_rows(stage_at(0), key, 0, tokens RT_TRACE_PASS);
  load_rows(stage_at(0) + kPrefillTileBytes, value, 0, tokens RT_TRACE_PASS);
  cp_async_commit();

  float sum[kPrefillHead / 8][4] = {};
  float most[2] = {-1e30F, -1e30F};  // Of rows lane / 4 and lane / 4 + 8.
  float weight[2] = {0, 0};
  for (unsigned tile = 0; tile <= q_tile; ++tile) {
    if (tile < q_tile) {
      load_rows(stage_at(tile + 1), key, (tile + 1) * kPrefillTile, tokens RT_TRACE_PASS);
      load_rows(stage_at(tile + 1) + kPrefillTileBytes, value, (tile + 1) * kPrefillTile, tokens RT_TRACE_PASS);
    }
    cp_async_commit();
    cp_async_wait<1>();
    block_barrier();
    RT_TRACE(trace.barrier();)
    const std::uint32_t key_at = stage_at(tile);
    const std::uint32_t value_at = key_at + kPrefillTileBytes;

    float score[kPrefillTile / 8][4] = {};
    RT_UNROLL
    for (unsigned part = 0; part < kPrefillHead / 16; ++part) {
      std::uint32_t a[4];
      ldmatrix_x4(a, q_at + tile_offset(warp * 16 + lane % 16, part * 2 + lane / 16, kPrefillPieces));
      RT_UNROLL
      for (unsigned j = 0; j < kPrefillTile / 16; ++j) {
        std::uint32_t b[4];
        ldmatrix_x4(b, key_at + tile_offset(j * 16 + lane / 16 * 8 + lane % 8, part * 2 + lane / 8 % 2, kPrefillPieces));
        mma_bf16(score[j * 2], a, b[0], b[1]);
        mma_bf16(score[j * 2 + 1], a, b[2], b[3]);
      }
    }
    RT_UNROLL
    for (unsigned half = 0; half < 2; ++half) {
      const unsigned row = q_tile * kPrefillTile + warp * 16 + half * 8 + lane / 4;
      float top = most[half];
      RT_UNROLL
      for (unsigned j = 0; j < kPrefillTile / 8; ++j) {
        RT_UNROLL
        for (unsigned i = 0; i < 2; ++i) {
          float& s = score[j][half * 2 + i];
          s = tile * kPrefillTile + j * 8 + lane % 4 * 2 + i <= row ? s * softmax_scale : -1e30F;
          top = larger(top, s);
        }
      }
      top = larger(top, shuffle_xor(top, 1));
      top = larger(top, shuffle_xor(top, 2));
      const float shrink = exponential2(most[half] - top);
      most[half] = top;
      weight[half] *= shrink;
      RT_UNROLL
      for (unsigned j = 0; j < kPrefillTile / 8; ++j) {
        RT_UNROLL
        for (unsigned i = 0; i < 2; ++i) {
          float& s = score[j][half * 2 + i];
          s = exponential2(s - top);
          weight[half] += s;
        }
      }
      RT_UNROLL
      for (unsigned j = 0; j < kPrefillHead / 8; ++j) {
        sum[j][half * 2] *= shrink;
        sum[j][half * 2 + 1] *= shrink;
      }
    }
    RT_UNROLL
    for (unsigned part = 0; part < kPrefillTile / 16; ++part) {  // The weights' C fragments are the A fragments of the second product.
      const std::uint32_t a[4] = {pack_bf16(score[part * 2][0], score[part * 2][1]), pack_bf16(score[part * 2][2], score[part * 2][3]),
                                  pack_bf16(score[part * 2 + 1][0], score[part * 2 + 1][1]),
                                  pack_bf16(score[part * 2 + 1][2], score[part * 2 + 1][3])};
      RT_UNROLL
      for (unsigned j = 0; j < kPrefillHead / 16; ++j) {  // Transposed: (k 0-7, d 0-7), (k 8-15, d 0-7), (k 0-7, d 8-15), (k 8-15, d 8-15).
        std::uint32_t b[4];
        ldmatrix_x4_transposed(b, value_at + tile_offset(part * 16 + lane % 16, j * 2 + lane / 16, kPrefillPieces));
        mma_bf16(sum[j * 2], a, b[0], b[1]);
        mma_bf16(sum[j * 2 + 1], a, b[2], b[3]);
      }
    }
    RT_TRACE(trace.work(Pipe::tensor, std::uint64_t{4} * 16 * kPrefillTile * kPrefillHead);)
    block_barrier();  // All are done with this stage before it is filled again.
    RT_TRACE(trace.barrier();)
  }

  // Through the query tile in shared memory: nobody reads it any more.
  RT_UNROLL
  for (unsigned half = 0; half < 2; ++half) {
    weight[half] += shuffle_xor(weight[half], 1);
    weight[half] += shuffle_xor(weight[half], 2);
    RT_UNROLL
    for (unsigned j = 0; j < kPrefillHead / 8; ++j) {
      const unsigned row = warp * 16 + half * 8 + lane / 4;
      store_as(shared + tile_offset(row, j, kPrefillPieces) + lane % 4 * 4,
               pack_bf16(sum[j][half * 2] / weight[half], sum[j][half * 2 + 1] / weight[half]));
    }
  }
  block_barrier();
  RT_TRACE(trace.barrier();)
  RT_UNROLL
  for (unsigned i = 0; i < kPrefillTile * kPrefillPieces / kPrefillThreads; ++i) {
    const unsigned number = i * kPrefillThreads + thread_index();
    const unsigned row = q_tile * kPrefillTile + number / kPrefillPieces;
    const bool active = row < tokens;
    Bf16* const to = out + head * matrix + std::uint64_t{row} * kPrefillHead + number % kPrefillPieces * 8;
    if (active) store_as(to, load_as<Bytes16>(shared + tile_offset(number / kPrefillPieces, number % kPrefillPieces, kPrefillPieces)));
    RT_TRACE(trace.store(to, 16, active);)
  }
  RT_TRACE(trace.finish();)
}

}  // namespace rooftrace::capture
