// The all-reduce kernels that serving engines bring along (vLLM, TensorRT-LLM, gpt-fast): every rank loads from all others, without a
// library's channels. Blocks share the tensor (or the shard) evenly and move it in slices.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "traces/collective_kernels.hpp"

namespace rooftrace {
namespace {

using namespace collective;

constexpr std::uint64_t kSliceBytes = 32 * 1024;  // One step: what a block of 512 threads keeps in flight.
constexpr std::uint64_t kBlockBytes = 8 * 1024;   // 512 threads of 16 B, once around; below it another block does not pay.
constexpr std::uint32_t kBlocks = 36;             // vLLM's custom all-reduce: more blocks only wait for each other's flags.
constexpr std::uint32_t kOneShotHops = 2;         // The flag that all are ready, and the one that all have read.
constexpr std::uint32_t kTwoShotHops = 3;         // One more between the shots.

std::uint32_t blocks_for(const DeviceShape& gpu, std::uint64_t bytes) {
  return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(ceil_div(bytes, kBlockBytes), 1, std::min(kBlocks, gpu.sms)));
}

class OneShotProgram final : public BlockProgram {
 public:
  OneShotProgram(const AllReduceProblem& problem, std::uint32_t blocks) : p_(problem), blocks_(blocks), width_(width(problem.type)) {
    const std::uint64_t block_bytes = ceil_div(p_.elements, blocks) * width_;
    slices_ = static_cast<std::uint32_t>(ceil_div(block_bytes * p_.ranks, kSliceBytes));
  }

  [[nodiscard]] std::uint32_t steps(std::uint32_t) const override { return slices_; }

  void fill(std::uint32_t block, std::uint32_t step, Step& out) const override {
    const Share slice(Share(0, p_.elements, block, blocks_), step, slices_);
    if (slice.size() == 0) return;
    const std::uint64_t bytes = slice.size() * width_;
    push(out.loads, p_.input + slice.begin * width_, bytes, AccessOp::load, Home::local);
    push(out.loads, p_.peer + slice.begin * width_, bytes, AccessOp::load, Home::peer);
    out.loads.back().rows = p_.ranks - 1;
    out.loads.back().pitch = p_.elements * width_;
    out.work[static_cast<std::size_t>(Pipe::cuda)] = static_cast<double>(slice.size()) * (p_.ranks - 1);
    push(out.stores, p_.output + slice.begin * width_, bytes, AccessOp::store, Home::local);
  }

 private:
  AllReduceProblem p_;
  std::uint32_t blocks_ = 1;
  std::uint64_t width_ = 2;
  std::uint32_t slices_ = 1;
};

/// First the own shard of every tensor is loaded, added and kept; then every other rank's sum of its shard is loaded. Behind `peer` lie the
/// other ranks' tensors, then their shards' sums; behind `receive` the own sum.
class TwoShotProgram final : public BlockProgram {
 public:
  TwoShotProgram(const AllReduceProblem& problem, std::uint32_t blocks) : p_(problem), blocks_(blocks), width_(width(problem.type)) {
    const std::uint64_t block_bytes = ceil_div(ceil_div(p_.elements, p_.ranks), blocks) * width_;
    slices_ = static_cast<std::uint32_t>(std::max<std::uint64_t>(1, ceil_div(block_bytes * p_.ranks, kSliceBytes)));
  }

  [[nodiscard]] std::uint32_t steps(std::uint32_t) const override { return 2 * slices_; }

  void fill(std::uint32_t block, std::uint32_t step, Step& out) const override {
    const std::uint64_t tensor = p_.elements * width_, sums = p_.peer + (p_.ranks - 1) * tensor;
    const auto part = [&](std::uint64_t rank) {
      return Share(Share(Share(0, p_.elements, rank, p_.ranks), block, blocks_), step % slices_, slices_);
    };
    if (step < slices_) {
      const Share slice = part(0);
      if (slice.size() == 0) return;
      const std::uint64_t at = slice.begin * width_, bytes = slice.size() * width_;
      push(out.loads, p_.input + at, bytes, AccessOp::load, Home::local);
      push(out.loads, p_.peer + at, bytes, AccessOp::load, Home::peer);
      out.loads.back().rows = p_.ranks - 1;
      out.loads.back().pitch = tensor;
      out.work[static_cast<std::size_t>(Pipe::cuda)] = static_cast<double>(slice.size()) * (p_.ranks - 1);
      push(out.stores, p_.receive + at, bytes, AccessOp::store, Home::local);
      push(out.stores, p_.output + at, bytes, AccessOp::store, Home::local);
      return;
    }
    for (std::uint64_t rank = 1; rank < p_.ranks; ++rank) {
      const Share slice = part(rank);
      push(out.loads, sums + slice.begin * width_, slice.size() * width_, AccessOp::load, Home::peer);
      push(out.stores, p_.output + slice.begin * width_, slice.size() * width_, AccessOp::store, Home::local);
    }
  }

 private:
  AllReduceProblem p_;
  std::uint32_t blocks_ = 1;
  std::uint64_t width_ = 2;
  std::uint32_t slices_ = 1;
};

Kernel kernel_of(const AllReduceProblem& problem, std::string_view word, std::uint32_t blocks, std::uint32_t hops) {
  Kernel kernel;
  kernel.label = fmt::format("all_reduce {} {} ranks", word, problem.ranks);
  kernel.kernel_class = KernelClass::all_reduce;
  kernel.grid = blocks;
  kernel.depth = 2;
  kernel.serial_hops = hops;
  return kernel;
}

}  // namespace

AllReduceRoom one_shot_room(std::uint32_t ranks, std::uint64_t elements, DataType type) {
  return {0, (ranks - 1) * elements * width(type)};
}
AllReduceRoom two_shot_room(std::uint32_t ranks, std::uint64_t elements, DataType type) {
  return {ceil_div(elements, ranks) * width(type), ranks * elements * width(type)};
}

Kernel make_one_shot_all_reduce(const DeviceShape& gpu, const AllReduceProblem& problem) {
  const std::uint64_t bytes = problem.elements * width(problem.type);
  Kernel kernel = kernel_of(problem, "one-shot", blocks_for(gpu, bytes), kOneShotHops);
  kernel.work[static_cast<std::size_t>(Pipe::cuda)] = static_cast<double>(problem.elements) * (problem.ranks - 1);
  kernel.footprint.push_back({TensorRole::activations, Home::local, bytes, bytes, true});
  kernel.footprint.push_back({TensorRole::activations, Home::peer, bytes * (problem.ranks - 1), 0, true});
  kernel.program = std::make_shared<OneShotProgram>(problem, kernel.grid);
  return kernel;
}

Kernel make_two_shot_all_reduce(const DeviceShape& gpu, const AllReduceProblem& problem) {
  const std::uint64_t bytes = problem.elements * width(problem.type);
  const std::uint64_t shard = Share(0, problem.elements, 0, problem.ranks).size() * width(problem.type);
  Kernel kernel = kernel_of(problem, "two-shot", blocks_for(gpu, ceil_div(bytes, problem.ranks)), kTwoShotHops);
  const auto added = static_cast<double>(shard / width(problem.type));
  kernel.work[static_cast<std::size_t>(Pipe::cuda)] = added * (problem.ranks - 1);
  // The own shard is loaded from the others' tensors, their shards from their sums.
  kernel.footprint.push_back({TensorRole::activations, Home::local, shard, shard + bytes, true});
  kernel.footprint.push_back({TensorRole::activations, Home::peer, shard * (problem.ranks - 1) + bytes - shard, 0, true});
  kernel.program = std::make_shared<TwoShotProgram>(problem, kernel.grid);
  return kernel;
}

}  // namespace rooftrace
