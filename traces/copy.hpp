// Kernels that only move bytes: stream reads and copies by the SMs, transfers by the copy engine, and the dependent pointer chase.
//
// They serve offloaded weights, the self-check of a machine and the validation against bandwidth and latency measurements. Not modeled:
// arithmetic of STREAM kernels (a few FLOP per element that no GPU notices).
#pragma once

#include <cstdint>
#include <vector>

#include "sim/core/device_shape.hpp"
#include "sim/core/kernel.hpp"
#include "traces/tensor.hpp"

namespace rooftrace {

/// A contiguous run of bytes in some memory.
struct ByteRange {
  std::uint64_t address = 0;
  std::uint64_t bytes = 0;
  TensorRole role = TensorRole::activations;
  Home home = Home::local;
  bool produced = false;  ///< As in Matrix.
  CacheHint hint = CacheHint::normal;
};

/// All SMs stream over the sources and the destinations: block b takes chunk b modulo the number of chunks, of every range. One source:
/// read; one source and one destination: copy; two and one: add, triad.
struct StreamProblem {
  std::vector<ByteRange> sources;
  std::vector<ByteRange> destinations;     ///< All ranges have the same length.
  std::uint64_t chunk_bytes = 512 * 1024;  ///< A block's share of a range; the last chunk may be shorter.
  std::uint64_t step_bytes = 16 * 1024;    ///< What a block loads of a range at once.
  std::uint64_t blocks = 0;                ///< 0: one per chunk, so that every byte moves once.
  std::uint32_t blocks_per_sm = 2;
  std::uint32_t depth = 2;  ///< Steps in flight per block.
};
[[nodiscard]] Kernel make_stream(const DeviceShape& gpu, const StreamProblem& problem);

/// Copies `from` to `to` by the copy engine, `chunk_bytes` per step: host to device, device to host, or between GPUs, as the homes say. Up
/// to `depth` chunks are under way, so that a link stays busy while chunks land.
[[nodiscard]] Kernel make_engine_copy(const ByteRange& from, const ByteRange& to, std::uint64_t chunk_bytes = 256 * 1024,
                                      std::uint32_t depth = 4);

/// The same from or to pageable host memory: the driver's thread copies chunk by chunk between it and pinned buffers, at `host_rate` B/s,
/// while the engine moves the chunk beside it; the first (or last) chunk is copied by the host alone. Not modeled: the bytes that the host
/// moves in its own memory.
[[nodiscard]] Kernel make_pageable_copy(const ByteRange& from, const ByteRange& to, double host_rate,
                                        std::uint64_t chunk_bytes = 256 * 1024);

/// `chains` independent pointer chases through one random cyclic order of the slots of `range`. Every load waits for the one before it in
/// its chain. Chains start evenly spaced in the order. `lanes` of them are lanes of one warp: they go on together, when the slowest has its
/// word. With more warps than the GPU holds blocks, a block runs several in step.
struct ChaseProblem {
  ByteRange range;
  std::uint32_t stride = 128;     ///< Bytes per slot.
  std::uint32_t load_bytes = 32;  ///< Bytes of each load: one sector.
  std::uint64_t loads = 1000;     ///< Per chain.
  std::uint64_t chains = 1;
  std::uint32_t lanes = 1;
  std::uint64_t seed = 1;
};
[[nodiscard]] Kernel make_chase(const DeviceShape& gpu, const ChaseProblem& problem);

}  // namespace rooftrace
