// The operations of one loop, and what they add up to.
#include "traces/collective_ring_half.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <stdexcept>

#include "traces/collective_kernels.hpp"

namespace rooftrace {
namespace {

using namespace collective;

class RingHalfProgram final : public BlockProgram {
 public:
  RingHalfProgram(const RingHalfProblem& problem, const Protocol& protocol, const Layout& layout, const Pace& pace)
      : p_(problem), protocol_(protocol), l_(layout), width_(width(problem.type)), pace_(pace) {
    per_operation_ = protocol.slices * layout.passes;
    per_loop_ = p_.ranks * per_operation_;
  }

  [[nodiscard]] std::uint32_t steps(std::uint32_t) const override { return per_loop_ * l_.loops; }

  void fill(std::uint32_t block, std::uint32_t step, Step& out) const override {
    const std::uint32_t n = p_.ranks;
    const std::uint32_t loop = step / per_loop_;
    const std::uint32_t operation = step % per_loop_ / per_operation_;
    const std::uint32_t slice = step % per_operation_ / l_.passes;
    const std::uint32_t pass = step % l_.passes;
    const bool gather = p_.half == RingHalf::all_gather;
    // Rank 0 starts a gather with its own shard and passes on those of the ranks before it; a scatter ends with its own.
    const std::uint64_t shard = gather ? (n - operation) % n : n - 1 - operation;
    const Share chunk = l_.chunk(block, loop, 0);
    const Share grains(slice_of(protocol_, p_.type, chunk, slice), pass, l_.passes);
    const std::uint64_t first = grains.begin * protocol_.grain;
    const std::uint64_t count = std::min(grains.end * protocol_.grain, p_.elements) - std::min(first, p_.elements);
    const std::uint64_t bytes = count * width_, wire = grains.size() * protocol_.wire;

    pace_ring(protocol_, step, pass, per_operation_, out);
    if (count == 0) return;

    const std::uint64_t in_shard = first * width_, of_all = (shard * p_.elements + first) * width_;
    const auto slot = [&](std::uint64_t hop) {
      return (hop * l_.hop_grains() + l_.place(block, loop) + grains.begin - chunk.begin) * protocol_.wire;
    };
    const bool last = operation + 1 == n;
    if (operation > 0) push_received(protocol_, p_.receive + slot(operation - 1), wire, out);
    if (gather) {
      if (operation == 0) push(out.loads, p_.input + in_shard, bytes, AccessOp::load, Home::local);
      if (operation > 0 || p_.input != p_.output) push(out.stores, p_.output + of_all, bytes, AccessOp::store, Home::local);
    } else {
      push(out.loads, p_.input + of_all, bytes, AccessOp::load, Home::local);
      if (operation > 0) out.work[static_cast<std::size_t>(Pipe::cuda)] = static_cast<double>(count);
      if (last) push(out.stores, p_.output + in_shard, bytes, AccessOp::store, Home::local);
    }
    if (last) return;
    pace_stores(protocol_, pace_, bytes, wire, out);
    push_sent(p_.peer + slot(operation), p_.receive + slot(operation), wire, out);
  }

 private:
  RingHalfProblem p_;
  Protocol protocol_;
  Layout l_;
  std::uint64_t width_ = 2;
  Pace pace_;
  std::uint32_t per_operation_ = 1, per_loop_ = 1;
};

}  // namespace

std::uint64_t ring_half_room(const RingHalfProblem& problem, NcclProtocol protocol) {
  const Protocol cut = protocol_of(protocol, problem.type);
  const Layout l = layout_of(cut, problem.elements, problem.type, 1, kMostChannels);
  // Fewer channels make longer parts; channels x loops then stays below this.
  const std::uint64_t places = std::uint64_t{kMostChannels} * (l.loops + 2);
  return (problem.ranks - 1ULL) * (l.grains + places + 1) * cut.wire;
}

Kernel make_ring_half(const DeviceShape& gpu, const RingHalfProblem& problem, NcclProtocol protocol) {
  if (problem.ranks < 2) throw std::invalid_argument("ring collective: at least two ranks");
  if (problem.elements == 0) throw std::invalid_argument("ring collective: nothing to move");
  if (width(problem.type) == 0) throw std::invalid_argument("ring collective: elements of whole bytes only");
  const bool gather = problem.half == RingHalf::all_gather;
  const std::uint64_t n = problem.ranks, shard = problem.elements * width(problem.type);
  const Protocol cut = protocol_of(protocol, problem.type);
  const std::uint32_t channels = nccl_channels(gpu, {NcclAlgorithm::ring, protocol, 0}, problem.ranks, n * shard);
  const Layout l = layout_of(cut, problem.elements, problem.type, 1, channels);
  // Every operation but the last sends all grains of a shard; every one but the first receives them.
  const std::uint64_t sent = (n - 1) * l.grains * cut.wire;
  const bool in_place = gather && problem.input == problem.output;
  Kernel kernel;
  kernel.label = fmt::format("{} ring {} {} ranks", gather ? "all_gather" : "reduce_scatter", name(protocol), n);
  kernel.kernel_class = KernelClass::all_reduce;
  kernel.grid = channels;
  kernel.longest_wait = kOutstanding;
  if (!gather) kernel.work[static_cast<std::size_t>(Pipe::cuda)] = static_cast<double>((n - 1) * problem.elements);
  const std::uint64_t written = (gather ? n - (in_place ? 1 : 0) : 1) * shard;
  kernel.footprint.push_back({TensorRole::activations, Home::local, (gather ? 1 : n) * shard + sent, written + sent, true});
  kernel.footprint.push_back({TensorRole::activations, Home::peer, 0, sent, true});
  kernel.program = std::make_shared<RingHalfProgram>(problem, cut, l, pace_of(gpu, protocol, channels));
  return kernel;
}

}  // namespace rooftrace
