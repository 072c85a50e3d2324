// All-reduce among the GPUs of a tensor-parallel group, as one of them sees it.
//
// Ranks are symmetric: this GPU stores to its neighbour over the link what another neighbour stores to it, so what it sends stands for
// what it receives. Peer memory is an address range of its own with Home::peer.
// ring: 2 (n - 1) hops, each moving one of n chunks: n - 1 to reduce (load what arrived and the own chunk, add, store to the peer), n - 1
// to
//   gather (load what arrived, keep it, store it on); peer stores are 2 (n - 1) / n of the tensor, local loads the tensor plus everything
//   that arrived, local stores the tensor. A pass of NCCL's ring; every hop has its own receive slot, so no hop waits for a free one.
// one-shot: loads the tensor of every peer over the link, adds all n, stores the result; two hops of latency (the flag that all are ready,
// and
//   the one that all have read). (n - 1) times the tensor crosses the link, but nothing waits in line: for small tensors.
// Not modeled: in-switch reduction (NVLS), the HBM traffic that the neighbour's stores cause here, protocol flags beside the data.
#pragma once

#include <cstdint>

#include "sim/core/device_shape.hpp"
#include "sim/core/kernel.hpp"
#include "traces/tensor.hpp"

namespace rooftrace {

struct AllReduceProblem {
  std::uint32_t ranks = 2;
  std::uint64_t elements = 0;
  DataType type = DataType::bf16;
  std::uint64_t input = 0;    ///< Local, contiguous.
  std::uint64_t output = 0;   ///< Local, contiguous; may be the input for a ring.
  std::uint64_t receive = 0;  ///< Local; ring only: ring_receive_bytes.
  std::uint64_t peer = 0;     ///< Home::peer; ring: ring_receive_bytes of the neighbour; one-shot: ranks - 1 tensors, one behind the other.
};

/// Receive slots of a ring: one of the largest chunk's size per hop.
[[nodiscard]] std::uint64_t ring_receive_bytes(std::uint32_t ranks, std::uint64_t elements, DataType type);

/// label and kernel_class are set; stage, layer, stream and waits_for are left to the caller.
[[nodiscard]] Kernel make_ring_all_reduce(const DeviceShape& gpu, const AllReduceProblem& problem);
[[nodiscard]] Kernel make_one_shot_all_reduce(const DeviceShape& gpu, const AllReduceProblem& problem);

}  // namespace rooftrace
