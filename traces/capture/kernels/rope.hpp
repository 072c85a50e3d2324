// Rotary position embedding, in place: the halves (a, b) of each head turn by position x theta^(-2i/head_dim), as Llama models pair them.
//
// q is bf16 [tokens, heads, head_dim], cosines and sines fp32 [positions, head_dim / 2]. One warp per (token, head); head_dim 128: a lane
// holds two elements of each half. Traffic of a warp: 256 B read, 256 B written, 2 x 256 B of the tables, 4 B of positions.
#pragma once

#include "traces/capture/trace.hpp"

namespace rooftrace::capture {

inline constexpr unsigned kRopeThreads = 128;
inline constexpr unsigned kRopeHead = 128;

RT_TRACED RT_KERNEL void RT_BOUNDS(kRopeThreads) rope(Bf16* q, const float* cosines, const float* sines, const unsigned* positions,
                                                      std::uint64_t tokens, unsigned heads RT_TRACE_ARGUMENT) {
  const unsigned lane = thread_index() % kLanes;
  const std::uint64_t row = std::uint64_t{block_x()} * (kRopeThreads / kLanes) + thread_index() / kLanes;
  const bool active = row < tokens * heads;  // The same for the whole warp.
  const unsigned* const position_at = positions + (active ? row / heads : 0);
  RT_TRACE(trace.load(position_at, 4, active);)
  const unsigned position = active ? *position_at : 0;
  const std::uint64_t angle = std::uint64_t{position} * (kRopeHead / 2) + lane * 2;
  Bf16* const low = q + row * kRopeHead + lane * 2;
  Bf16* const high = low + kRopeHead / 2;
  RT_TRACE(trace.load(cosines + angle, 8, active);)
  RT_TRACE(trace.load(sines + angle, 8, active);)
  RT_TRACE(trace.load(low, 4, active);)
  RT_TRACE(trace.load(high, 4, active);)
  if (active) {
    const auto c = load_as<Bytes8>(cosines + angle);
    const auto s = load_as<Bytes8>(sines + angle);
    const auto a = load_as<std::uint32_t>(low);
    const auto b = load_as<std::uint32_t>(high);
    const float c0 = bits_as_float(c.word[0]);
    const float c1 = bits_as_float(c.word[1]);
    const float s0 = bits_as_float(s.word[0]);
    const float s1 = bits_as_float(s.word[1]);
    store_as(low, pack_bf16(low_bf16(a) * c0 - low_bf16(b) * s0, high_bf16(a) * c1 - high_bf16(b) * s1));
    store_as(high, pack_bf16(low_bf16(b) * c0 + low_bf16(a) * s0, high_bf16(b) * c1 + high_bf16(a) * s1));
  }
  RT_TRACE(trace.store(low, 4, active);)
  RT_TRACE(trace.store(high, 4, active);)
  RT_TRACE(trace.finish();)
}

}  // namespace rooftrace::capture
