// The kernels behind make_all_reduce, one file each, and what they share.
#pragma once

#include <cstdint>

#include "traces/collective.hpp"

namespace rooftrace {

[[nodiscard]] Kernel make_ring_all_reduce(const DeviceShape& gpu, const AllReduceProblem& problem, NcclProtocol protocol);
[[nodiscard]] Kernel make_tree_all_reduce(const DeviceShape& gpu, const AllReduceProblem& problem, NcclProtocol protocol);
[[nodiscard]] Kernel make_nvls_all_reduce(const DeviceShape& gpu, const AllReduceProblem& problem);
[[nodiscard]] Kernel make_one_shot_all_reduce(const DeviceShape& gpu, const AllReduceProblem& problem);
[[nodiscard]] Kernel make_two_shot_all_reduce(const DeviceShape& gpu, const AllReduceProblem& problem);

/// Local and peer bytes that each of them addresses, at most, whatever the machine.
[[nodiscard]] AllReduceRoom ring_room(std::uint32_t ranks, std::uint64_t elements, DataType type, NcclProtocol protocol);
[[nodiscard]] AllReduceRoom tree_room(std::uint64_t elements, DataType type, NcclProtocol protocol);
[[nodiscard]] AllReduceRoom nvls_room(std::uint32_t ranks, std::uint64_t elements, DataType type);
[[nodiscard]] AllReduceRoom one_shot_room(std::uint32_t ranks, std::uint64_t elements, DataType type);
[[nodiscard]] AllReduceRoom two_shot_room(std::uint32_t ranks, std::uint64_t elements, DataType type);

namespace collective {

[[nodiscard]] constexpr std::uint64_t ceil_div(std::uint64_t a, std::uint64_t b) {
  return (a + b - 1) / b;
}
[[nodiscard]] inline std::uint64_t width(DataType type) {
  return static_cast<std::uint64_t>(bytes_per_element(type));
}

/// [begin, end) of share `i` of `n` equal shares of [low, high).
struct Share {
  std::uint64_t begin, end;
  Share(std::uint64_t low, std::uint64_t high, std::uint64_t i, std::uint64_t n)
      : begin(low + (high - low) * i / n), end(low + (high - low) * (i + 1) / n) {}
  Share(const Share& of, std::uint64_t i, std::uint64_t n) : Share(of.begin, of.end, i, n) {}
  [[nodiscard]] std::uint64_t size() const { return end - begin; }
};

/// One contiguous access; nothing is pushed when it is empty.
inline void push(std::vector<Access>& out, std::uint64_t address, std::uint64_t bytes, AccessOp op, Home home) {
  if (bytes == 0) return;
  Access& access = out.emplace_back();
  access.address = address;
  access.row_bytes = static_cast<std::uint32_t>(bytes);
  access.op = op;
  access.home = home;
}

/// What a protocol of NCCL makes of the data. The tensor is cut into grains, which travel whole.
struct Protocol {
  std::uint64_t grain;   ///< Elements of a grain.
  std::uint64_t wire;    ///< Bytes of it on the link and in the receive buffer, flags included.
  std::uint64_t chunk;   ///< Bytes of data of a message at most.
  std::uint64_t pass;    ///< Bytes of data that a block handles at once.
  std::uint32_t slices;  ///< Parts of a message that are handed over one by one.
  double pause;          ///< s per slice (simple) or message (LL128) beside the link's latency.
  double start;          ///< s from the kernel's start to the first load.
  bool flags;            ///< Every line of 8 or 128 B says itself that it is there; else a flag per slice, beside the data.
  std::uint32_t looks;   ///< Times that a received line is loaded.
};
[[nodiscard]] Protocol protocol_of(NcclProtocol protocol, DataType type);

/// Messages of one all-reduce: channels share the tensor, each goes over its part in loops, a chunk per message.
struct Layout {
  std::uint64_t grains = 0;    ///< Of the whole tensor.
  std::uint64_t messages = 1;  ///< Chunks of a loop (ring: the ranks).
  std::uint32_t channels = 1;
  std::uint32_t loops = 1;
  std::uint32_t passes = 1;  ///< Of a slice, at most.

  [[nodiscard]] Share loop(std::uint64_t channel, std::uint64_t i) const { return {Share(0, grains, channel, channels), i, loops}; }
  [[nodiscard]] Share chunk(std::uint64_t channel, std::uint64_t i, std::uint64_t message) const {
    return {loop(channel, i), message, messages};
  }
  /// Where the chunk of a channel and loop begins among the grains of one hop; no two overlap, and all end before hop_grains().
  [[nodiscard]] std::uint64_t place(std::uint64_t channel, std::uint64_t i) const {
    return loop(channel, i).begin / messages + channel * loops + i;
  }
  [[nodiscard]] std::uint64_t hop_grains() const { return grains / messages + std::uint64_t{channels} * loops + 1; }
};
[[nodiscard]] Layout layout_of(const Protocol& protocol, std::uint64_t elements, DataType type, std::uint64_t messages,
                               std::uint32_t channels);
/// Slice `slice` of a chunk: NCCL halves it, but makes no slice smaller than 32 KiB, so that later ones may be empty.
[[nodiscard]] Share slice_of(const Protocol& protocol, DataType type, const Share& chunk, std::uint32_t slice);

inline constexpr std::uint32_t kOutstanding = 2;  ///< Passes of a block under way (assumed).
/// When a step of a ring may begin: the pause of its message, and which of the block's stores must have arrived. `per_operation`: steps of
/// one message.
void pace_ring(const Protocol& protocol, std::uint32_t step, std::uint32_t pass, std::uint32_t per_operation, Step& out);

/// How fast the stores of a channel leave.
struct Pace {
  double rate = 0;   ///< B/s of data that NCCL gives a block at most; 0: not limited.
  double share = 0;  ///< B/s of the link: all channels send at once and the link serves them in turn, packet by packet; 0: not known.
};
[[nodiscard]] Pace pace_of(const DeviceShape& gpu, NcclProtocol protocol, std::uint32_t channels);
/// `bytes` of data, `wire` bytes on the link. The warps of simple run at their own pace between the barriers of a slice: some store while
/// others load. By LL and LL128 every warp loads, stores and loads again, and loads do not overtake stores: one after the other.
void pace_stores(const Protocol& protocol, const Pace& pace, std::uint64_t bytes, std::uint64_t wire, Step& out);
/// What arrived: `wire` bytes at `address` of the receive buffer.
void push_received(const Protocol& protocol, std::uint64_t address, std::uint64_t wire, Step& out);
/// What leaves for the neighbour's receive buffer, and by symmetry arrives in the own one: through L2, and to HBM when it does not stay.
void push_sent(std::uint64_t peer, std::uint64_t receive, std::uint64_t wire, Step& out);

inline constexpr std::uint32_t kMostChannels = 32;  ///< More than NCCL opens inside a node.

}  // namespace collective
}  // namespace rooftrace
