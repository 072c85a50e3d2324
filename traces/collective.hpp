// All-reduce among the GPUs of a tensor-parallel group, as one of them sees it.
//
// Ranks are symmetric: this GPU stores to its neighbour over the link what another neighbour stores to it, so what it sends stands for
// what it receives, and a message has arrived here when the own one has arrived there (Step::after). Peer memory is an address range of
// its own with Home::peer. n ranks, a tensor of S bytes; bytes over the link, each way:
//   ring      2 (n - 1) / n S    NCCL: every channel (block) passes chunks on, adds while reducing, keeps them while gathering
//   tree      2 S                NCCL: inside a node a chain; a GPU in its middle sends S up and S down
//   nvls      (1 + 1/n) S, and 1/4 S of requests    NCCL: the switch adds the ranks' shards and multicasts the sum
//   one_shot  (n - 1) S          engines' own kernels: every rank loads all tensors and adds them; two hops (flags before and after)
//   two_shot  2 (n - 1) / n S    engines' own kernels: every rank adds its shard and loads the sums of the others; three hops
// NCCL's protocols are bytes on the link: LL sends 16 B for 8 B of data, LL128 128 B for 120 B, simple the data alone; each message of a
// ring or tree waits for its predecessor's arrival and costs a pause (NCCL's latency per hop beyond that of LL). All channels of a ring or
// tree send at the same time and share the link packet by packet: by LL and LL128, whose warps load, store and load again, a block's time
// is that of its loads and, after them, of its share of the link. What a neighbour stores here goes through L2; the block that stores to
// the other neighbour does it in its place. Not modeled: the same of one_shot, two_shot and nvls, the room in NCCL's buffers (every
// message has its own slot), skew between ranks, registered buffers. Its two halves by the ring are in collective_ring_half.hpp; other
// collectives are not modeled.
#pragma once

#include <cstdint>
#include <string_view>

#include "sim/core/device_shape.hpp"
#include "sim/core/kernel.hpp"
#include "traces/nccl_tuning.hpp"
#include "traces/tensor.hpp"

namespace rooftrace {

/// automatic: the engines' own kernels for small tensors where they work (NVLink between all, or two GPUs), else nccl; nccl: what NCCL
/// predicts to be the fastest of ring, tree and nvls.
enum class AllReduce : std::uint8_t { automatic, nccl, ring, tree, nvls, one_shot, two_shot };
enum class AllReduceProtocol : std::uint8_t { automatic, ll, ll128, simple };  ///< automatic: as NCCL predicts.
[[nodiscard]] std::string_view name(AllReduce algorithm);
[[nodiscard]] std::string_view name(AllReduceProtocol protocol);

/// What a user asks for.
struct AllReduceRule {
  AllReduce algorithm = AllReduce::automatic;
  AllReduceProtocol protocol = AllReduceProtocol::automatic;
  std::uint64_t one_shot_below = 512 * 1024;  ///< Bytes up to which `automatic` takes one_shot (vLLM: 512 KiB, with 8 GPUs 256 KiB).
  std::uint64_t two_shot_below = 8ULL << 20;  ///< And two_shot (vLLM's custom all-reduce takes no more than 8 MiB).
};

/// What is done: never automatic or nccl. The protocol means nothing to one_shot and two_shot.
struct AllReduceChoice {
  AllReduce algorithm = AllReduce::ring;
  NcclProtocol protocol = NcclProtocol::simple;
};
/// std::invalid_argument where the group cannot do what the rule asks (nvls without a switch that reduces, ll128 without NVLink ...).
[[nodiscard]] AllReduceChoice choose_all_reduce(const DeviceShape& gpu, std::uint32_t ranks, std::uint64_t bytes,
                                                const AllReduceRule& rule);

struct AllReduceProblem {
  std::uint32_t ranks = 2;
  std::uint64_t elements = 0;
  DataType type = DataType::bf16;
  std::uint64_t input = 0;    ///< Local, contiguous.
  std::uint64_t output = 0;   ///< Local, contiguous; may be the input for all but one_shot and two_shot.
  std::uint64_t receive = 0;  ///< Local, all_reduce_room bytes: where the neighbours' messages, shards or sums are.
  std::uint64_t peer = 0;     ///< Home::peer, all_reduce_room bytes.
};

/// Bytes behind `receive` and `peer`, on any machine: for a choice, and for whatever a rule may choose.
struct AllReduceRoom {
  std::uint64_t receive = 0, peer = 0;
};
[[nodiscard]] AllReduceRoom all_reduce_room(std::uint32_t ranks, std::uint64_t elements, DataType type, const AllReduceChoice& choice);
[[nodiscard]] AllReduceRoom all_reduce_room(std::uint32_t ranks, std::uint64_t elements, DataType type, const AllReduceRule& rule);

/// label and kernel_class are set; stage, layer, stream and waits_for are left to the caller. std::invalid_argument: fewer than two ranks,
/// no elements, elements of less than a byte.
[[nodiscard]] Kernel make_all_reduce(const DeviceShape& gpu, const AllReduceProblem& problem, const AllReduceChoice& choice);

}  // namespace rooftrace
