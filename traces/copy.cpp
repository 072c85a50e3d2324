// Block programs that only move bytes.
#include "traces/copy.hpp"

#include <algorithm>
#include <stdexcept>

#include "traces/random.hpp"

namespace rooftrace {
namespace {

std::uint64_t ceil_div(std::uint64_t a, std::uint64_t b) {
  return (a + b - 1) / b;
}

void require(bool condition, const char* what) {
  if (!condition) throw std::invalid_argument(what);
}

void push_run(std::vector<Access>& out, const ByteRange& range, std::uint64_t offset, std::uint64_t bytes, AccessOp op) {
  Access& access = out.emplace_back();
  access.address = range.address + offset;
  access.pitch = bytes;
  access.row_bytes = static_cast<std::uint32_t>(bytes);
  access.op = op;
  access.hint = range.hint;
  access.role = range.role;
  access.home = range.home;
}

Footprint touched(const ByteRange& range, std::uint64_t read, std::uint64_t written) {
  return {range.role, range.home, read, written, range.produced};
}

class StreamProgram final : public BlockProgram {
 public:
  explicit StreamProgram(const StreamProblem& problem)
      : p_(problem), bytes_((p_.sources.empty() ? p_.destinations : p_.sources).front().bytes), chunks_(ceil_div(bytes_, p_.chunk_bytes)) {}

  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  [[nodiscard]] std::uint64_t chunks() const { return chunks_; }

  [[nodiscard]] std::uint32_t steps(std::uint32_t block) const override {
    return static_cast<std::uint32_t>(ceil_div(chunk_end(block) - chunk_begin(block), p_.step_bytes));
  }
  void fill(std::uint32_t block, std::uint32_t step, Step& out) const override {
    const std::uint64_t begin = chunk_begin(block) + step * p_.step_bytes;
    const std::uint64_t run = std::min(p_.step_bytes, chunk_end(block) - begin);
    for (const ByteRange& range : p_.sources) push_run(out.loads, range, begin, run, AccessOp::load);
    for (const ByteRange& range : p_.destinations) push_run(out.stores, range, begin, run, AccessOp::store);
  }

 private:
  [[nodiscard]] std::uint64_t chunk_begin(std::uint32_t block) const { return block % chunks_ * p_.chunk_bytes; }
  [[nodiscard]] std::uint64_t chunk_end(std::uint32_t block) const { return std::min(chunk_begin(block) + p_.chunk_bytes, bytes_); }

  StreamProblem p_;
  std::uint64_t bytes_, chunks_;
};

class EngineCopyProgram final : public BlockProgram {
 public:
  EngineCopyProgram(const ByteRange& from, const ByteRange& to, std::uint64_t chunk, double host_rate = 0)
      : from_(from), to_(to), chunk_(chunk), host_rate_(host_rate) {}

  [[nodiscard]] std::uint32_t steps(std::uint32_t) const override { return static_cast<std::uint32_t>(ceil_div(from_.bytes, chunk_)); }
  void fill(std::uint32_t, std::uint32_t step, Step& out) const override {
    const std::uint64_t begin = step * chunk_;
    const std::uint64_t run = std::min(chunk_, from_.bytes - begin);
    push_run(out.loads, from_, begin, run, AccessOp::load);
    push_run(out.stores, to_, begin, run, AccessOp::store);
    if (host_rate_ <= 0) return;
    out.least = from_seconds(static_cast<double>(run) / host_rate_);
    if (step == 0) out.pause = from_seconds(static_cast<double>(std::min(chunk_, from_.bytes)) / host_rate_);
  }

 private:
  ByteRange from_, to_;
  std::uint64_t chunk_;
  double host_rate_;  ///< B/s; 0: pinned.
};

class ChaseProgram final : public BlockProgram {
 public:
  ChaseProgram(const ChaseProblem& problem, std::uint64_t per_block) : p_(problem), per_block_(per_block) {
    order_.resize(static_cast<std::size_t>(p_.range.bytes / p_.stride));
    for (std::size_t i = 0; i < order_.size(); ++i) order_[i] = static_cast<std::uint32_t>(i);
    SplitMix random(p_.seed);
    shuffle(order_, random);  // Following the cycle order[0] -> order[1] -> ... -> order[0] is a chase through a random cycle.
  }

  [[nodiscard]] std::uint64_t first(std::uint64_t chain) const { return chain * order_.size() / p_.chains; }
  [[nodiscard]] std::uint32_t steps(std::uint32_t) const override { return static_cast<std::uint32_t>(p_.loads); }

  void fill(std::uint32_t block, std::uint32_t step, Step& out) const override {
    const std::uint64_t begin = block * per_block_, end = std::min(begin + per_block_, p_.chains);
    for (std::uint64_t chain = begin; chain < end; ++chain) {
      const std::uint64_t slot = order_[static_cast<std::size_t>((first(chain) + step) % order_.size())];
      push_run(out.loads, p_.range, slot * p_.stride, p_.load_bytes, AccessOp::load);
    }
  }

  /// Chain c visits `loads` slots from first(c) on; it meets no new one beyond the start of the next chain, which visits as many.
  [[nodiscard]] std::uint64_t distinct_slots() const {
    std::uint64_t sum = 0;
    for (std::uint64_t chain = 0; chain < p_.chains; ++chain) {
      const std::uint64_t next = chain + 1 < p_.chains ? first(chain + 1) : order_.size();
      sum += std::min(p_.loads, next - first(chain));
    }
    return sum;
  }

 private:
  ChaseProblem p_;
  std::uint64_t per_block_;
  std::vector<std::uint32_t> order_;
};

}  // namespace

Kernel make_stream(const DeviceShape& gpu, const StreamProblem& problem) {
  require(!problem.sources.empty() || !problem.destinations.empty(), "stream: nothing to move");
  require(problem.chunk_bytes > 0 && problem.step_bytes > 0 && problem.step_bytes <= UINT32_MAX && problem.depth > 0,
          "stream: chunk_bytes, step_bytes and depth must be at least 1");
  auto program = std::make_shared<StreamProgram>(problem);
  require(program->bytes() > 0, "stream: the ranges are empty");
  for (const auto* ranges : {&problem.sources, &problem.destinations})
    for (const ByteRange& range : *ranges) require(range.bytes == program->bytes(), "stream: ranges of different lengths");
  const std::uint64_t blocks = problem.blocks != 0 ? problem.blocks : program->chunks();
  require(blocks <= UINT32_MAX, "stream: more than 2^32 blocks");

  Kernel kernel;
  kernel.label = problem.destinations.empty() ? "stream read" : problem.sources.empty() ? "stream write" : "stream copy";
  kernel.kernel_class = KernelClass::copy;
  kernel.grid = static_cast<std::uint32_t>(blocks);
  kernel.blocks_per_sm = std::clamp(problem.blocks_per_sm, 1U, gpu.max_blocks_per_sm);
  kernel.depth = problem.depth;
  const std::uint64_t reached = std::min(program->bytes(), blocks * problem.chunk_bytes);
  for (const ByteRange& range : problem.sources) kernel.footprint.push_back(touched(range, reached, 0));
  for (const ByteRange& range : problem.destinations) kernel.footprint.push_back(touched(range, 0, reached));
  kernel.program = std::move(program);
  return kernel;
}

Kernel make_engine_copy(const ByteRange& from, const ByteRange& to, std::uint64_t chunk_bytes, std::uint32_t depth) {
  require(from.bytes > 0 && from.bytes == to.bytes, "copy: empty, or two lengths");
  require(chunk_bytes > 0 && chunk_bytes <= UINT32_MAX && depth > 0, "copy: chunk_bytes and depth must be at least 1");
  Kernel kernel;
  kernel.label = "copy";
  kernel.kernel_class = KernelClass::copy;
  kernel.unit = Unit::copy_engine;
  kernel.depth = depth;
  kernel.footprint = {touched(from, from.bytes, 0), touched(to, 0, to.bytes)};
  kernel.program = std::make_shared<EngineCopyProgram>(from, to, chunk_bytes);
  return kernel;
}

Kernel make_pageable_copy(const ByteRange& from, const ByteRange& to, double host_rate, std::uint64_t chunk_bytes) {
  require(host_rate > 0, "pageable copy: the host's rate must be above 0");
  Kernel kernel = make_engine_copy(from, to, chunk_bytes, 1);
  kernel.label = "pageable copy";
  kernel.program = std::make_shared<EngineCopyProgram>(from, to, chunk_bytes, host_rate);
  return kernel;
}

Kernel make_chase(const DeviceShape& gpu, const ChaseProblem& problem) {
  require(problem.stride > 0 && problem.load_bytes > 0 && problem.load_bytes <= problem.stride, "chase: load_bytes must fit the stride");
  const std::uint64_t slots = problem.range.bytes / problem.stride;
  require(slots > 0 && slots <= UINT32_MAX, "chase: the range must hold at least one slot and fewer than 2^32");
  require(problem.loads > 0 && problem.loads <= UINT32_MAX && problem.chains > 0 && problem.chains <= slots && problem.lanes > 0,
          "chase: at least one load, one chain and one lane, at most one chain per slot");
  const std::uint64_t held = std::uint64_t{gpu.sms} * gpu.max_blocks_per_sm;
  const std::uint64_t per_block = ceil_div(ceil_div(problem.chains, problem.lanes), held) * problem.lanes;
  auto program = std::make_shared<ChaseProgram>(problem, per_block);
  Kernel kernel;
  kernel.label = "pointer chase";
  kernel.kernel_class = KernelClass::copy;
  kernel.grid = static_cast<std::uint32_t>(ceil_div(problem.chains, per_block));
  kernel.blocks_per_sm = static_cast<std::uint32_t>(ceil_div(kernel.grid, gpu.sms));
  kernel.footprint = {touched(problem.range, program->distinct_slots() * problem.load_bytes, 0)};
  kernel.program = std::move(program);
  return kernel;
}

}  // namespace rooftrace
