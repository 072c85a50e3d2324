// Decode attention over a paged KV cache with grouped query heads: one query token per sequence, the context split among blocks.
//
// q and out are bf16 [sequences, kv_heads x Group, 128]; keys and values bf16 [pages, 16, kv_heads, 128]; block_table[sequence, page] is
// the physical page. A sequence of `length` tokens looks at its last `window` ones. Block (split, kv head, sequence), four warps: each
// warp takes every fourth token of the split and keeps the Group heads' sums in registers (online softmax); the warps are combined in
// shared memory, the splits by reduce_splits from fp32 partial sums [sequence, head, split, 128] and (maximum, sum) pairs.
// Traffic: 2 x 256 B per token and KV head, 4 B of block table per token (L1 serves repeats), 256 B of q per head and warp; partials
// written once and read once.
#pragma once

#include "traces/capture/trace.hpp"

namespace rooftrace::capture {

inline constexpr unsigned kDecodeThreads = 128;
inline constexpr unsigned kDecodeWarps = kDecodeThreads / kLanes;
inline constexpr unsigned kDecodeHead = 128;
inline constexpr unsigned kPageTokens = 16;

RT_HOST_DEVICE constexpr unsigned decode_shared_bytes(unsigned group) {
  return kDecodeWarps * group * (kDecodeHead + 2) * static_cast<unsigned>(sizeof(float));
}

struct PagedCache {
  const Bf16* keys;
  const Bf16* values;
  const unsigned* block_table;  ///< [sequences, table_pitch].
  const unsigned* lengths;      ///< [sequences], tokens.
  unsigned table_pitch;
  unsigned kv_heads;
};

struct SplitSums {
  float* sums;   ///< [sequences, heads, splits, 128]: softmax-weighted values, not divided.
  float* scale;  ///< [sequences, heads, splits, 2]: maximum (base 2), sum of weights.
};

/// Tokens [first, end) of one split: the window's tokens in `splits` runs of whole pages, the last ones shorter or empty.
RT_HOST_DEVICE void split_range(unsigned length, unsigned window, unsigned splits, unsigned split, unsigned* first, unsigned* end) {
  const unsigned start = length > window ? length - window : 0;
  const unsigned first_page = start / kPageTokens;
  const unsigned pages = (length + kPageTokens - 1) / kPageTokens - first_page;
  const unsigned each = (pages + splits - 1) / splits;
  const unsigned from = (first_page + split * each) * kPageTokens;
  const unsigned to = from + each * kPageTokens;
  *first = from > start ? from : start;
  *end = to < length ? to : length;
  if (*first > *end) *first = *end;
}

/// grid (splits, kv_heads, sequences); softmax_scale already times log2(e).
template <unsigned Group RT_TRACED_PARAMETER>
RT_KERNEL void RT_BOUNDS(kDecodeThreads)
    paged_decode(const Bf16* q, PagedCache cache, SplitSums out, unsigned window, unsigned splits, float softmax_scale RT_TRACE_ARGUMENT) {
  RT_SHARED(shared);
  auto* const partial = reinterpret_cast<float*>(shared);
  const unsigned lane = thread_index() % kLanes;
  const unsigned warp = thread_index() / kLanes;
  const unsigned split = block_x();
  const unsigned kv_head = block_y();
  const std::uint64_t sequence = block_z();
  const std::uint64_t first_head = (sequence * cache.kv_heads + kv_head) * Group;
  RT_TRACE(trace.load(cache.lengths + sequence, 4, lane == 0);)
  unsigned token = 0;
  unsigned end = 0;
  split_range(cache.lengths[sequence], window, splits, split, &token, &end);

  float query[Group][4];
  float sum[Group][4];
  float most[Group];
  float weight[Group];
  RT_UNROLL
  for (unsigned g = 0; g < Group; ++g) {
    const Bf16* const from = q + (first_head + g) * kDecodeHead + lane * 4;
    RT_TRACE(trace.load(from, 8);)
    const auto four = load_as<Bytes8>(from);
    query[g][0] = low_bf16(four.word[0]) * softmax_scale;
    query[g][1] = high_bf16(four.word[0]) * softmax_scale;
    query[g][2] = low_bf16(four.word[1]) * softmax_scale;
    query[g][3] = high_bf16(four.word[1]) * softmax_scale;
    RT_UNROLL
    for (float& each : sum[g]) each = 0;
    most[g] = -1e30F;
    weight[g] = 0;
  }

  for (token += warp; token < end; token += kDecodeWarps) {
    const unsigned* const page_at = cache.block_table + sequence * cache.table_pitch + token / kPageTokens;
    RT_TRACE(trace.load(page_at, 4, lane == 0);)
    const std::uint64_t row =
        ((std::uint64_t{*page_at} * kPageTokens + token % kPageTokens) * cache.kv_heads + kv_head) * kDecodeHead + lane * 4;
    RT_TRACE(trace.load(cache.keys + row, 8);)
    RT_TRACE(trace.load(cache.values + row, 8);)
    const auto key = load_as<Bytes8>(cache.keys + row);
    const auto value = load_as<Bytes8>(cache.values + row);
    const float v[4] = {low_bf16(value.word[0]), high_bf16(value.word[0]), low_bf16(value.word[1]), high_bf16(value.word[1])};
    RT_UNROLL
    for (unsigned g = 0; g < Group; ++g) {
      float score = query[g][0] * low_bf16(key.word[0]) + query[g][1] * high_bf16(key.word[0]) + query[g][2] * low_bf16(key.word[1]) +
                    query[g][3] * high_bf16(key.word[1]);
      RT_UNROLL
      for (unsigned mask = 16; mask > 0; mask /= 2) score += shuffle_xor(score, mask);
      const float top = larger(most[g], score);
      const float shrink = exponential2(most[g] - top);
      const float now = exponential2(score - top);
      most[g] = top;
      weight[g] = weight[g] * shrink + now;
      RT_UNROLL
      for (unsigned i = 0; i < 4; ++i) sum[g][i] = sum[g][i] * shrink + now * v[i];
    }
    RT_TRACE(trace.work(Pipe::cuda_core, std::uint64_t{4} * Group * kDecodeHead);)
  }

  // Warp after warp side by side: [warp][head](128 sums, maximum, weight).
  RT_UNROLL
  for (unsigned g = 0; g < Group; ++g) {
    float* const mine = partial + (warp * Group + g) * (kDecodeHead + 2);
    RT_UNROLL
    for (unsigned i = 0; i < 4; ++i) mine[lane * 4 + i] = sum[g][i];
    if (lane == 0) {
      mine[kDecodeHead] = most[g];
      mine[kDecodeHead + 1] = weight[g];
    }
  }
  block_barrier();
  RT_TRACE(trace.barrier();)
  for (unsigned g = warp; g < Group; g += kDecodeWarps) {
    float top = -1e30F;
    for (unsigned w = 0; w < kDecodeWarps; ++w) top = larger(top, partial[(w * Group + g) * (kDecodeHead + 2) + kDecodeHead]);
    float all[4] = {};
    float total = 0;
    for (unsigned w = 0; w < kDecodeWarps; ++w) {
      const float* const theirs = partial + (w * Group + g) * (kDecodeHead + 2);
      const float shrink = exponential2(theirs[kDecodeHead] - top);
      total += shrink * theirs[kDecodeHead + 1];
      RT_UNROLL
      for (unsigned i = 0; i < 4; ++i) all[i] += shrink * theirs[lane * 4 + i];
    }
    const std::uint64_t slot = (first_head + g) * splits + split;
    float* const to = out.sums + slot * kDecodeHead + lane * 4;
    RT_TRACE(trace.store(to, 16);)
    RT_UNROLL
    for (unsigned i = 0; i < 4; ++i) to[i] = all[i];
    RT_TRACE(trace.store(out.scale + slot * 2 + lane, 4, lane < 2);)
    if (lane < 2) out.scale[slot * 2 + lane] = lane == 0 ? top : total;
  }
  RT_TRACE(trace.finish();)
}

/// One warp per head: out[head, :] from the partial sums of all splits. grid ceil(heads / 4), `heads` counts all sequences' heads.
RT_TRACED RT_KERNEL void RT_BOUNDS(kDecodeThreads)
    reduce_splits(SplitSums in, Bf16* out, unsigned heads, unsigned splits RT_TRACE_ARGUMENT) {
  const unsigned lane = thread_index() % kLanes;
  const std::uint64_t head = block_x() * kDecodeWarps + thread_index() / kLanes;
  const bool active = head < heads;
  float top = -1e30F;
  float total = 0;
  float all[4] = {};
  for (unsigned split = 0; split < splits; ++split) {
    const std::uint64_t slot = head * splits + split;
    RT_TRACE(trace.load(in.scale + slot * 2, 8, active && lane == 0);)
    RT_TRACE(trace.load(in.sums + slot * kDecodeHead + lane * 4, 16, active);)
    if (active) {
      const auto pair = load_as<Bytes8>(in.scale + slot * 2);
      const auto four = load_as<Bytes16>(in.sums + slot * kDecodeHead + lane * 4);
      const float next = larger(top, bits_as_float(pair.word[0]));
      const float old_shrink = exponential2(top - next);
      const float new_shrink = exponential2(bits_as_float(pair.word[0]) - next);
      top = next;
      total = total * old_shrink + bits_as_float(pair.word[1]) * new_shrink;
      RT_UNROLL
      for (unsigned i = 0; i < 4; ++i) all[i] = all[i] * old_shrink + bits_as_float(four.word[i]) * new_shrink;
    }
  }
  Bf16* const to = out + head * kDecodeHead + lane * 4;
  if (active) store_as(to, Bytes8{{pack_bf16(all[0] / total, all[1] / total), pack_bf16(all[2] / total, all[3] / total)}});
  RT_TRACE(trace.store(to, 8, active);)
  RT_TRACE(trace.finish();)
}

}  // namespace rooftrace::capture
