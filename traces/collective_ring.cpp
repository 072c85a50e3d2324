// NCCL's ring, and how its protocols cut a tensor into messages.
//
// Every channel is a block. It goes over its part of the tensor in loops of n chunks; per loop 2 n - 1 operations: send a chunk; n - 2
// times receive, add and send; receive, add, keep and send; n - 2 times receive, keep and send; receive and keep. An operation waits for
// what the neighbour sent in the one before. The block does one thing at a time, so while it takes in the last chunk it sends nothing.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "traces/collective_kernels.hpp"

namespace rooftrace {
namespace collective {
namespace {

// tuning.cc: latency per hop over NVLink, 0.6 us by LL, 1.9 by LL128, 3.4 by simple. What LL128 and simple take beyond LL is the protocol's
// own: passes through shared memory; barriers, a system fence and a flag. A ring message of simple is handed over in two slices.
constexpr double kLl128Pause = 1.3e-6;
constexpr double kSimplePause = 2.8e-6;
// Base latency of a ring by LL 6.6 us, LL128 14.0 us, simple 8.4 us (tuning.cc), less a launch of 2.5 us (assumed), which
// launch.kernel_gap stands for.
constexpr double kStart = 4.1e-6;
constexpr double kLl128Start = kStart + 7.4e-6;
constexpr double kSimpleStart = kStart + 1.8e-6;

// device.h: buffers of 8 steps; simple 4 MiB per channel, a message of all-reduce is four steps; LL 512 threads x 8 lines of 16 B and LL128
// 640 threads x 120 words of 8 B per step. A thread of LL handles a line at once, one of LL128 eight words: a warp 16 lines of 128 B, 15 of
// data (prims_ll.h, prims_ll128.h); of the 512 threads of simple each 32 B.
constexpr std::uint64_t kSimpleChunk = 2ULL << 20;
constexpr std::uint64_t kSimpleSliceLeast = 32 * 1024;
constexpr std::uint64_t kSimplePass = 16 * 1024;
constexpr std::uint64_t kLlChunk = 512 * 8 * 8;
constexpr std::uint64_t kLlPass = 512 * 8;
constexpr std::uint64_t kLl128Chunk = 640 * 120 * 8 / 128 * 120;
constexpr std::uint64_t kLl128Pass = 640 * 8 * 8 / 128 * 120;

}  // namespace

Protocol protocol_of(NcclProtocol protocol, DataType type) {
  const std::uint64_t w = width(type);
  switch (protocol) {
    case NcclProtocol::ll:
      return {8 / w, 16, kLlChunk, kLlPass, 1, 0, kStart, true, 1};
    case NcclProtocol::ll128:  // A warp loads its lines until all flags are there, then once more for the data.
      return {120 / w, 128, kLl128Chunk, kLl128Pass, 1, kLl128Pause, kLl128Start, true, 2};
    case NcclProtocol::simple:
      break;
  }
  return {1, w, kSimpleChunk, kSimplePass, 2, kSimplePause, kSimpleStart, false, 1};
}

Layout layout_of(const Protocol& protocol, std::uint64_t elements, DataType type, std::uint64_t messages, std::uint32_t channels) {
  Layout l;
  l.grains = ceil_div(elements, protocol.grain);
  l.messages = messages;
  l.channels = channels;
  const std::uint64_t grain_bytes = protocol.grain * width(type);
  const std::uint64_t part = ceil_div(l.grains, channels);
  l.loops = static_cast<std::uint32_t>(std::max<std::uint64_t>(1, ceil_div(part * grain_bytes, protocol.chunk * messages)));
  // The longest chunk has this many grains at most.
  const Share longest(0, ceil_div(ceil_div(part, l.loops), messages), 0, 1);
  l.passes = static_cast<std::uint32_t>(
      std::max<std::uint64_t>(1, ceil_div(slice_of(protocol, type, longest, 0).size() * grain_bytes, protocol.pass)));
  return l;
}

Share slice_of(const Protocol& protocol, DataType type, const Share& chunk, std::uint32_t slice) {
  if (protocol.slices == 1) return chunk;
  const std::uint64_t least = kSimpleSliceLeast / width(type);
  const std::uint64_t size = std::max(ceil_div(chunk.size(), protocol.slices), least);
  const std::uint64_t begin = std::min(chunk.begin + slice * size, chunk.end);
  return {begin, std::min(begin + size, chunk.end), 0, 1};
}

void pace_ring(const Protocol& protocol, std::uint32_t step, std::uint32_t pass, std::uint32_t per_operation, Step& out) {
  double pause = step == 0 ? protocol.start : 0;
  if (pass == 0) pause += protocol.pause;
  out.pause = from_seconds(pause);
  // What a block stores leaves before it stores much more: links serve the channels in turn.
  out.after = std::min(step, kOutstanding);
  if (out.after != 0 && !protocol.flags && pass == 0) out.after = 1;  // The fence before the flag of the slice before.
  if (protocol.flags) out.after = std::min(out.after, per_operation);
}

Pace pace_of(const DeviceShape& gpu, NcclProtocol protocol, std::uint32_t channels) {
  return {nccl_block_rate(gpu, protocol), gpu.peers.bandwidth / channels};
}

void pace_stores(const Protocol& protocol, const Pace& pace, std::uint64_t bytes, std::uint64_t wire, Step& out) {
  const double limited = pace.rate > 0 ? static_cast<double>(bytes) / pace.rate : 0;
  if (!protocol.flags) {
    out.least = from_seconds(limited);
    return;
  }
  const double shared = pace.share > 0 ? static_cast<double>(wire) / pace.share : 0;
  out.drain = from_seconds(std::max(limited, shared));
}

void push_received(const Protocol& protocol, std::uint64_t address, std::uint64_t wire, Step& out) {
  for (std::uint32_t look = 0; look < protocol.looks; ++look) push(out.loads, address, wire, AccessOp::load, Home::local);
}

void push_sent(std::uint64_t peer, std::uint64_t receive, std::uint64_t wire, Step& out) {
  push(out.stores, receive, wire, AccessOp::store, Home::local);
  push(out.stores, peer, wire, AccessOp::store, Home::peer);
}

}  // namespace collective

namespace {

using namespace collective;

class RingProgram final : public BlockProgram {
 public:
  RingProgram(const AllReduceProblem& problem, const Protocol& protocol, const Layout& layout, const Pace& pace)
      : p_(problem), protocol_(protocol), l_(layout), width_(width(problem.type)), pace_(pace) {
    per_operation_ = protocol.slices * layout.passes;
    per_loop_ = (2 * p_.ranks - 1) * per_operation_;
  }

  [[nodiscard]] std::uint32_t steps(std::uint32_t) const override { return per_loop_ * l_.loops; }

  void fill(std::uint32_t block, std::uint32_t step, Step& out) const override {
    const std::uint32_t n = p_.ranks;
    const std::uint32_t loop = step / per_loop_;
    const std::uint32_t operation = step % per_loop_ / per_operation_;
    const std::uint32_t slice = step % per_operation_ / l_.passes;
    const std::uint32_t pass = step % l_.passes;
    // Rank 0: while reducing it passes on chunk -operation, while gathering chunk 1 - (operation - (n - 1)) = -operation again, modulo n.
    const Share chunk = l_.chunk(block, loop, (2 * n - operation) % n);
    const Share grains(slice_of(protocol_, p_.type, chunk, slice), pass, l_.passes);
    const std::uint64_t first = grains.begin * protocol_.grain;
    const std::uint64_t count = std::min(grains.end * protocol_.grain, p_.elements) - std::min(first, p_.elements);
    const std::uint64_t bytes = count * width_, wire = grains.size() * protocol_.wire;

    pace_ring(protocol_, step, pass, per_operation_, out);
    if (count == 0) return;

    const auto slot = [&](std::uint64_t hop) {
      return (hop * l_.hop_grains() + l_.place(block, loop) + grains.begin - chunk.begin) * protocol_.wire;
    };
    if (operation > 0) push_received(protocol_, p_.receive + slot(operation - 1), wire, out);
    if (operation < n) push(out.loads, p_.input + first * width_, bytes, AccessOp::load, Home::local);
    if (operation > 0 && operation < n) out.work[static_cast<std::size_t>(Pipe::cuda)] = static_cast<double>(count);
    if (operation + 1 >= n) push(out.stores, p_.output + first * width_, bytes, AccessOp::store, Home::local);
    if (operation == 2 * n - 2) return;
    pace_stores(protocol_, pace_, bytes, wire, out);
    push_sent(p_.peer + slot(operation), p_.receive + slot(operation), wire, out);
  }

 private:
  AllReduceProblem p_;
  Protocol protocol_;
  Layout l_;
  std::uint64_t width_ = 2;
  Pace pace_;
  std::uint32_t per_operation_ = 1, per_loop_ = 1;
};

}  // namespace

AllReduceRoom ring_room(std::uint32_t ranks, std::uint64_t elements, DataType type, NcclProtocol protocol) {
  const Protocol cut = protocol_of(protocol, type);
  const Layout l = layout_of(cut, elements, type, ranks, kMostChannels);
  // Fewer channels make longer parts; channels x loops then stays below this.
  const std::uint64_t places = std::uint64_t{kMostChannels} * (l.loops + 2);
  const std::uint64_t bytes = 2 * (ranks - 1ULL) * (l.grains / ranks + places + 1) * cut.wire;
  return {bytes, bytes};
}

Kernel make_ring_all_reduce(const DeviceShape& gpu, const AllReduceProblem& problem, NcclProtocol protocol) {
  const std::uint32_t n = problem.ranks;
  const std::uint64_t w = width(problem.type), bytes = problem.elements * w;
  const Protocol cut = protocol_of(protocol, problem.type);
  const std::uint32_t channels = nccl_channels(gpu, {NcclAlgorithm::ring, protocol, 0}, n, bytes);
  const Layout l = layout_of(cut, problem.elements, problem.type, n, channels);
  // Rank 0 passes on every chunk but chunk 1 while reducing and every chunk but chunk 2 (n = 2: 0) while gathering; it receives in
  // operation h what operation h then adds or keeps.
  std::uint64_t sent = 0, received = 0, reduced = 0;
  for (std::uint32_t channel = 0; channel < channels; ++channel) {
    for (std::uint32_t loop = 0; loop < l.loops; ++loop) {
      for (std::uint32_t operation = 0; operation + 1 < 2 * n; ++operation) {
        const Share chunk = l.chunk(channel, loop, (2 * n - operation) % n);
        if (operation + 2 < 2 * n) sent += chunk.size() * cut.wire;
        if (operation > 0) received += chunk.size() * cut.wire;
        if (operation > 0 && operation < n)
          reduced += std::min(chunk.end * cut.grain, problem.elements) - std::min(chunk.begin * cut.grain, problem.elements);
      }
    }
  }
  Kernel kernel;
  kernel.label = fmt::format("all_reduce ring {} {} ranks", name(protocol), n);
  kernel.kernel_class = KernelClass::all_reduce;
  kernel.grid = channels;
  kernel.longest_wait = kOutstanding;
  kernel.work[static_cast<std::size_t>(Pipe::cuda)] = static_cast<double>(reduced);
  kernel.footprint.push_back({TensorRole::activations, Home::local, bytes + received, bytes + sent, true});
  kernel.footprint.push_back({TensorRole::activations, Home::peer, 0, sent, true});
  kernel.program = std::make_shared<RingProgram>(problem, cut, l, pace_of(gpu, protocol, channels));
  return kernel;
}

}  // namespace rooftrace
