// NCCL's tree inside one node: a chain of the ranks, up to its head and down again, as a GPU in its middle sees it.
//
// Per chunk two operations: receive from below, add, send up; receive from above, keep, send down. Chunks follow each other without
// waiting; the first one's way along the chain and back is paid in hops and pauses. The ends of the chain do less and are not simulated.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "traces/collective_kernels.hpp"

namespace rooftrace {
namespace {

using namespace collective;

class TreeProgram final : public BlockProgram {
 public:
  TreeProgram(const AllReduceProblem& problem, const Protocol& protocol, const Layout& layout, const Pace& pace)
      : p_(problem), protocol_(protocol), l_(layout), width_(width(problem.type)), pace_(pace) {
    per_operation_ = protocol.slices * layout.passes;
  }

  [[nodiscard]] std::uint32_t steps(std::uint32_t) const override { return 2 * per_operation_ * l_.loops; }

  void fill(std::uint32_t block, std::uint32_t step, Step& out) const override {
    const std::uint32_t loop = step / (2 * per_operation_);
    const bool up = step % (2 * per_operation_) < per_operation_;
    const std::uint32_t slice = step % per_operation_ / l_.passes;
    const std::uint32_t pass = step % l_.passes;
    const Share chunk = l_.chunk(block, loop, 0);
    const Share grains(slice_of(protocol_, p_.type, chunk, slice), pass, l_.passes);
    const std::uint64_t first = grains.begin * protocol_.grain;
    const std::uint64_t count = std::min(grains.end * protocol_.grain, p_.elements) - std::min(first, p_.elements);
    const std::uint64_t bytes = count * width_, wire = grains.size() * protocol_.wire;

    double pause = pass == 0 ? protocol_.pause : 0;
    // The other hops of the first message: their latency is in serial_hops.
    if (step == 0) pause += protocol_.start + (2.0 * (p_.ranks - 1) - 2) * protocol_.slices * protocol_.pause;
    out.pause = from_seconds(pause);
    out.after = std::min(step, kOutstanding);
    if (count == 0) return;

    // Up and down are halves of the block, each at the rate of one; here they take turns.
    pace_stores(protocol_, pace_, bytes, wire, out);
    const std::uint64_t slot = (l_.place(block, loop) + grains.begin - chunk.begin) * protocol_.wire;
    const std::uint64_t below = slot, above = slot + l_.hop_grains() * protocol_.wire;
    push_received(protocol_, p_.receive + (up ? below : above), wire, out);
    if (up) {
      push(out.loads, p_.input + first * width_, bytes, AccessOp::load, Home::local);
      out.work[static_cast<std::size_t>(Pipe::cuda)] = static_cast<double>(count);
    } else {
      push(out.stores, p_.output + first * width_, bytes, AccessOp::store, Home::local);
    }
    push_sent(p_.peer + (up ? below : above), p_.receive + (up ? below : above), wire, out);
  }

 private:
  AllReduceProblem p_;
  Protocol protocol_;
  Layout l_;
  std::uint64_t width_ = 2;
  Pace pace_;
  std::uint32_t per_operation_ = 1;
};

}  // namespace

AllReduceRoom tree_room(std::uint64_t elements, DataType type, NcclProtocol protocol) {
  const Protocol cut = protocol_of(protocol, type);
  const Layout l = layout_of(cut, elements, type, 1, kMostChannels);
  const std::uint64_t bytes = 2 * (l.grains + std::uint64_t{kMostChannels} * (l.loops + 2) + 1) * cut.wire;
  return {bytes, bytes};
}

Kernel make_tree_all_reduce(const DeviceShape& gpu, const AllReduceProblem& problem, NcclProtocol protocol) {
  const std::uint64_t bytes = problem.elements * width(problem.type);
  const Protocol cut = protocol_of(protocol, problem.type);
  const NcclPlan plan{NcclAlgorithm::tree, protocol, 0};
  const std::uint32_t channels = nccl_channels(gpu, plan, problem.ranks, bytes);
  const Layout l = layout_of(cut, problem.elements, problem.type, 1, channels);
  Kernel kernel;
  kernel.label = fmt::format("all_reduce tree {} {} ranks", name(protocol), problem.ranks);
  kernel.kernel_class = KernelClass::all_reduce;
  kernel.grid = channels;
  kernel.longest_wait = kOutstanding;
  kernel.serial_hops = 2 * (problem.ranks - 1) - 1;  // The last store's own latency is the last hop.
  kernel.work[static_cast<std::size_t>(Pipe::cuda)] = static_cast<double>(problem.elements);
  const std::uint64_t wire = l.grains * cut.wire;
  kernel.footprint.push_back({TensorRole::activations, Home::local, bytes + 2 * wire, bytes + 2 * wire, true});
  kernel.footprint.push_back({TensorRole::activations, Home::peer, 0, 2 * wire, true});
  Pace pace = pace_of(gpu, protocol, channels);
  pace.rate *= 2;
  kernel.program = std::make_shared<TreeProgram>(problem, cut, l, pace);
  return kernel;
}

}  // namespace rooftrace
