// The block programs of the two all-reduces. Blocks share each chunk evenly; a block moves its share of a hop in slices.
#include "traces/collective.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <stdexcept>

namespace rooftrace {
namespace {

constexpr std::uint64_t kSliceBytes = 32 * 1024;        // One step: what a block of 512 threads keeps in flight.
constexpr std::uint64_t kRingBlockBytes = 4 * 1024;     // Below this much of a chunk another block does not pay.
constexpr std::uint32_t kRingBlocks = 24;               // Channels that NCCL opens inside an NVSwitch node.
constexpr std::uint64_t kOneShotBlockBytes = 8 * 1024;  // 512 threads of 16 B, once around.
constexpr std::uint32_t kOneShotBlocks = 36;            // vLLM's custom all-reduce: more blocks only wait for each other's flags.

/// Elements [begin, end) of share `i` of `n` equal shares of [low, high).
struct Share {
  std::uint64_t begin, end;
  Share(std::uint64_t low, std::uint64_t high, std::uint64_t i, std::uint64_t n)
      : begin(low + (high - low) * i / n), end(low + (high - low) * (i + 1) / n) {}
};

std::uint64_t ceil_div(std::uint64_t a, std::uint64_t b) {
  return (a + b - 1) / b;
}

std::uint64_t width(DataType type) {
  return static_cast<std::uint64_t>(bytes_per_element(type));
}

Access run(std::uint64_t address, std::uint64_t bytes, AccessOp op, Home home) {
  Access access;
  access.address = address;
  access.row_bytes = static_cast<std::uint32_t>(bytes);
  access.op = op;
  access.home = home;
  return access;
}

class RingProgram final : public BlockProgram {
 public:
  RingProgram(const AllReduceProblem& problem, std::uint32_t blocks) : p_(problem), blocks_(blocks), width_(width(problem.type)) {
    slot_bytes_ = ceil_div(p_.elements, p_.ranks) * width_;
    slices_ = static_cast<std::uint32_t>(std::max<std::uint64_t>(1, ceil_div(ceil_div(slot_bytes_, blocks), kSliceBytes)));
  }

  // Hops 0 .. 2n-3 send; one more step set takes in what the last one brings.
  [[nodiscard]] std::uint32_t steps(std::uint32_t) const override { return (2 * p_.ranks - 1) * slices_; }

  void fill(std::uint32_t block, std::uint32_t step, Step& out) const override {
    const std::uint32_t hop = step / slices_;
    const std::uint32_t n = p_.ranks;
    // Rank 0: while reducing it passes on chunk -hop, while gathering chunk 1 - (hop - (n - 1)) = -hop again, modulo n.
    const std::uint64_t index = (2 * n - hop) % n;
    const Share chunk(0, p_.elements, index, n);
    const Share mine(chunk.begin, chunk.end, block, blocks_);
    const Share slice(mine.begin, mine.end, step % slices_, slices_);
    const std::uint64_t count = slice.end - slice.begin;
    if (count == 0) return;
    const std::uint64_t bytes = count * width_;
    const std::uint64_t in_slot = (slice.begin - chunk.begin) * width_;
    const bool reduces = hop > 0 && hop < n;
    if (hop > 0) out.loads.push_back(run(p_.receive + (hop - 1) * slot_bytes_ + in_slot, bytes, AccessOp::load, Home::local));
    if (hop < n) out.loads.push_back(run(p_.input + slice.begin * width_, bytes, AccessOp::load, Home::local));
    if (reduces) out.work[static_cast<std::size_t>(Pipe::cuda)] = static_cast<double>(count);
    if (hop >= n - 1) out.stores.push_back(run(p_.output + slice.begin * width_, bytes, AccessOp::store, Home::local));
    if (hop < 2 * n - 2) out.stores.push_back(run(p_.peer + hop * slot_bytes_ + in_slot, bytes, AccessOp::store, Home::peer));
  }

 private:
  AllReduceProblem p_;
  std::uint32_t blocks_ = 1;
  std::uint64_t width_ = 2;
  std::uint64_t slot_bytes_ = 0;
  std::uint32_t slices_ = 1;
};

class OneShotProgram final : public BlockProgram {
 public:
  OneShotProgram(const AllReduceProblem& problem, std::uint32_t blocks) : p_(problem), blocks_(blocks), width_(width(problem.type)) {
    const std::uint64_t block_bytes = ceil_div(p_.elements, blocks) * width_;
    slices_ = static_cast<std::uint32_t>(ceil_div(block_bytes * p_.ranks, kSliceBytes));
  }

  [[nodiscard]] std::uint32_t steps(std::uint32_t) const override { return slices_; }

  void fill(std::uint32_t block, std::uint32_t step, Step& out) const override {
    const Share mine(0, p_.elements, block, blocks_);
    const Share slice(mine.begin, mine.end, step, slices_);
    const std::uint64_t count = slice.end - slice.begin;
    if (count == 0) return;
    const std::uint64_t bytes = count * width_;
    out.loads.push_back(run(p_.input + slice.begin * width_, bytes, AccessOp::load, Home::local));
    Access peers = run(p_.peer + slice.begin * width_, bytes, AccessOp::load, Home::peer);
    peers.rows = p_.ranks - 1;
    peers.pitch = p_.elements * width_;
    out.loads.push_back(peers);
    out.work[static_cast<std::size_t>(Pipe::cuda)] = static_cast<double>(count) * (p_.ranks - 1);
    out.stores.push_back(run(p_.output + slice.begin * width_, bytes, AccessOp::store, Home::local));
  }

 private:
  AllReduceProblem p_;
  std::uint32_t blocks_ = 1;
  std::uint64_t width_ = 2;
  std::uint32_t slices_ = 1;
};

void check(const AllReduceProblem& p) {
  if (p.ranks < 2) throw std::invalid_argument("all-reduce: at least two ranks");
  if (p.elements == 0) throw std::invalid_argument("all-reduce: nothing to reduce");
  if (width(p.type) == 0) throw std::invalid_argument("all-reduce: elements of whole bytes only");
}

std::uint32_t blocks_for(std::uint64_t bytes, std::uint64_t per_block, std::uint32_t most) {
  return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(ceil_div(bytes, per_block), 1, most));
}

}  // namespace

std::uint64_t ring_receive_bytes(std::uint32_t ranks, std::uint64_t elements, DataType type) {
  return 2 * (ranks - 1ULL) * ceil_div(elements, ranks) * width(type);
}

Kernel make_ring_all_reduce(const DeviceShape& gpu, const AllReduceProblem& problem) {
  check(problem);
  const std::uint64_t n = problem.ranks;
  const std::uint64_t bytes = problem.elements * width(problem.type);
  const std::uint32_t blocks = blocks_for(ceil_div(bytes, n), kRingBlockBytes, std::min(kRingBlocks, gpu.sms));
  // Rank 0 passes on every chunk but chunk 1 while reducing (hops 0 .. n-2) and every chunk but chunk 2 (n = 2: 0) while gathering.
  std::uint64_t sent = 0;
  std::uint64_t reduced = 0;
  for (std::uint64_t hop = 0; hop + 1 < 2 * n; ++hop) {
    const Share chunk(0, problem.elements, (2 * n - hop) % n, n);
    if (hop + 2 < 2 * n) sent += chunk.end - chunk.begin;
    if (hop > 0 && hop < n) reduced += chunk.end - chunk.begin;
  }
  // What arrives in hop h is the chunk that hop h + 1 passes on.
  std::uint64_t received = 0;
  for (std::uint64_t hop = 1; hop + 1 < 2 * n; ++hop) {
    const Share chunk(0, problem.elements, (2 * n - hop) % n, n);
    received += chunk.end - chunk.begin;
  }
  Kernel kernel;
  kernel.label = fmt::format("all_reduce ring {} ranks", n);
  kernel.kernel_class = KernelClass::all_reduce;
  kernel.grid = blocks;
  kernel.blocks_per_sm = 1;
  kernel.depth = 2;
  kernel.serial_hops = 2 * (problem.ranks - 1);
  kernel.work[static_cast<std::size_t>(Pipe::cuda)] = static_cast<double>(reduced);
  const std::uint64_t w = width(problem.type);
  kernel.footprint.push_back({TensorRole::activations, Home::local, bytes + received * w, bytes, true});
  kernel.footprint.push_back({TensorRole::activations, Home::peer, 0, sent * w, true});
  kernel.program = std::make_shared<RingProgram>(problem, blocks);
  return kernel;
}

Kernel make_one_shot_all_reduce(const DeviceShape& gpu, const AllReduceProblem& problem) {
  check(problem);
  const std::uint64_t bytes = problem.elements * width(problem.type);
  const std::uint32_t blocks = blocks_for(bytes, kOneShotBlockBytes, std::min(kOneShotBlocks, gpu.sms));
  Kernel kernel;
  kernel.label = fmt::format("all_reduce one-shot {} ranks", problem.ranks);
  kernel.kernel_class = KernelClass::all_reduce;
  kernel.grid = blocks;
  kernel.blocks_per_sm = 1;
  kernel.depth = 2;
  kernel.serial_hops = 2;
  kernel.work[static_cast<std::size_t>(Pipe::cuda)] = static_cast<double>(problem.elements) * (problem.ranks - 1);
  kernel.footprint.push_back({TensorRole::activations, Home::local, bytes, bytes, true});
  kernel.footprint.push_back({TensorRole::activations, Home::peer, bytes * (problem.ranks - 1), 0, true});
  kernel.program = std::make_shared<OneShotProgram>(problem, blocks);
  return kernel;
}

}  // namespace rooftrace
