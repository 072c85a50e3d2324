// SwiGLU: out[r, c] = silu(gate[r, c]) * up[r, c], with silu(x) = x / (1 + exp(-x)). gate and up are the halves of gate_up[rows, 2 x cols].
//
// Fused: one kernel reads both halves and writes the product (rows x cols x 2 B x 3). Unfused, as two framework operations: silu writes
// silu(gate), multiply reads it back with up and writes the product (rows x cols x 2 B x 5). All bf16.
#pragma once

#include "traces/capture/trace.hpp"

namespace rooftrace::capture {

inline constexpr unsigned kGluThreads = 256;

RT_DEVICE float silu_of(float x) {
  return x / (1.0F + exponential(-x));
}

/// Blocks of 256 threads, 8 elements each; cols: a multiple of 8.
RT_TRACED RT_KERNEL void RT_BOUNDS(kGluThreads)
    swiglu(const Bf16* gate_up, Bf16* out, std::uint64_t rows, unsigned cols RT_TRACE_ARGUMENT) {
  const std::uint64_t element = (std::uint64_t{block_x()} * kGluThreads + thread_index()) * 8;
  const bool active = element < rows * cols;
  const Bf16* const gate = gate_up + element / cols * (2 * std::uint64_t{cols}) + element % cols;
  RT_TRACE(trace.load(gate, 16, active);)
  RT_TRACE(trace.load(gate + cols, 16, active);)
  if (active) {
    const auto g = load_as<Bytes16>(gate);
    const auto u = load_as<Bytes16>(gate + cols);
    Bytes16 o;
    RT_UNROLL
    for (unsigned i = 0; i < 4; ++i) {
      o.word[i] = pack_bf16(silu_of(low_bf16(g.word[i])) * low_bf16(u.word[i]), silu_of(high_bf16(g.word[i])) * high_bf16(u.word[i]));
    }
    store_as(out + element, o);
  }
  RT_TRACE(trace.store(out + element, 16, active);)
  RT_TRACE(trace.finish();)
}

RT_TRACED RT_KERNEL void RT_BOUNDS(kGluThreads) silu(const Bf16* gate_up, Bf16* out, std::uint64_t rows, unsigned cols RT_TRACE_ARGUMENT) {
  const std::uint64_t element = (std::uint64_t{block_x()} * kGluThreads + thread_index()) * 8;
  const bool active = element < rows * cols;
  const Bf16* const gate = gate_up + element / cols * (2 * std::uint64_t{cols}) + element % cols;
  RT_TRACE(trace.load(gate, 16, active);)
  if (active) {
    const auto g = load_as<Bytes16>(gate);
    Bytes16 o;
    RT_UNROLL
    for (unsigned i = 0; i < 4; ++i) o.word[i] = pack_bf16(silu_of(low_bf16(g.word[i])), silu_of(high_bf16(g.word[i])));
    store_as(out + element, o);
  }
  RT_TRACE(trace.store(out + element, 16, active);)
  RT_TRACE(trace.finish();)
}

RT_TRACED RT_KERNEL void RT_BOUNDS(kGluThreads)
    multiply(const Bf16* gate_up, const Bf16* activated, Bf16* out, std::uint64_t rows, unsigned cols RT_TRACE_ARGUMENT) {
  const std::uint64_t element = (std::uint64_t{block_x()} * kGluThreads + thread_index()) * 8;
  const bool active = element < rows * cols;
  const Bf16* const up = gate_up + element / cols * (2 * std::uint64_t{cols}) + cols + element % cols;
  RT_TRACE(trace.load(activated + element, 16, active);)
  RT_TRACE(trace.load(up, 16, active);)
  if (active) {
    const auto a = load_as<Bytes16>(activated + element);
    const auto u = load_as<Bytes16>(up);
    Bytes16 o;
    RT_UNROLL
    for (unsigned i = 0; i < 4; ++i) {
      o.word[i] = pack_bf16(low_bf16(a.word[i]) * low_bf16(u.word[i]), high_bf16(a.word[i]) * high_bf16(u.word[i]));
    }
    store_as(out + element, o);
  }
  RT_TRACE(trace.store(out + element, 16, active);)
  RT_TRACE(trace.finish();)
}

}  // namespace rooftrace::capture
