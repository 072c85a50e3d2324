// All-gather and reduce-scatter by NCCL's ring: the two halves of a ring all-reduce, as one of the GPUs sees them.
//
// Ranks are symmetric, as in collective.hpp: what this GPU sends stands for what it receives. n ranks, a shard of S bytes on each (the
// input of the one, the output of the other); both send (n - 1) S over the link each way:
//   all_gather      reads its own shard and n - 1 received ones, writes n shards (n - 1 when the own one is in its place already)
//   reduce_scatter  reads n shards and n - 1 received sums, adds n - 1 times S, writes one shard
// Every channel (block) goes over its part of a shard in loops; per loop n operations, one per shard: send; n - 2 times receive, keep (or
// add) and send; receive and keep. Bytes of the protocols on the link, chunks, slices, pauses and the number of channels are those of the
// all-reduce; NCCL counts the bytes of all shards when it chooses the channels (from memory of enqueue.cc). Not modeled: what
// collective.hpp does not, and the collnet, NVLS and PAT forms of both.
#pragma once

#include "traces/collective.hpp"

namespace rooftrace {

enum class RingHalf : std::uint8_t { all_gather, reduce_scatter };

struct RingHalfProblem {
  RingHalf half = RingHalf::all_gather;
  std::uint32_t ranks = 2;
  std::uint64_t elements = 0;  ///< Of one shard.
  DataType type = DataType::bf16;
  std::uint64_t input = 0;    ///< Local, contiguous: one shard, or `ranks` of them for reduce_scatter.
  std::uint64_t output = 0;   ///< Local, contiguous: `ranks` shards, or one for reduce_scatter. The all-gather's may be the input.
  std::uint64_t receive = 0;  ///< Local, ring_half_room bytes.
  std::uint64_t peer = 0;     ///< Home::peer, ring_half_room bytes.
};

/// Bytes behind `receive`, and behind `peer`.
[[nodiscard]] std::uint64_t ring_half_room(const RingHalfProblem& problem, NcclProtocol protocol);

/// As make_all_reduce; kernel_class all_reduce, which stands for all collectives. std::invalid_argument likewise.
[[nodiscard]] Kernel make_ring_half(const DeviceShape& gpu, const RingHalfProblem& problem, NcclProtocol protocol);

}  // namespace rooftrace
