#include "traces/import/kineto_programs.hpp"

#include <algorithm>
#include <stdexcept>

namespace rooftrace {
namespace {

constexpr std::uint64_t kBlockBytes = 16 * 1024;
constexpr std::uint64_t kLeastBlockBytes = 512;
constexpr std::uint32_t kResident = 8;  // Blocks of 256 threads on an SM of 2,048.

void push(std::vector<Access>& list, const ByteRange& range, std::uint64_t offset, std::uint64_t bytes, AccessOp op) {
  if (bytes == 0) return;
  Access access;
  access.address = range.address + offset;
  access.row_bytes = static_cast<std::uint32_t>(bytes);
  access.pitch = bytes;
  access.op = op;
  access.role = range.role;
  access.home = range.home;
  list.push_back(access);
}

std::uint64_t block_bytes(const DeviceShape& gpu, std::uint64_t bytes) {
  std::uint64_t block = kBlockBytes;
  while (block > kLeastBlockBytes && bytes / block < 2ULL * gpu.sms) block /= 2;
  return block;
}

Footprint read_of(const ByteRange& range) {
  return {range.role, range.home, range.bytes, 0, range.produced};
}
Footprint write_of(const ByteRange& range) {
  return {range.role, range.home, 0, range.bytes, range.produced};
}

class ElementwiseProgram final : public BlockProgram {
 public:
  /// `block`: elements of the output.
  ElementwiseProgram(ElementwiseProblem problem, std::uint64_t block) : p_(std::move(problem)), block_(block) {}
  [[nodiscard]] std::uint32_t steps(std::uint32_t) const override { return 1; }

  void fill(std::uint32_t block, std::uint32_t, Step& out) const override {
    // In elements, so that inputs of another width stay in step with the output.
    const std::uint64_t begin = first(block), end = first(block + 1);
    const std::uint64_t out_bytes = p_.output.bytes / p_.elements;
    for (const ByteRange& input : p_.inputs) slice(input, begin, end, out.loads);
    push(out.stores, p_.output, begin * out_bytes, (end - begin) * out_bytes, AccessOp::store);
    out.work[static_cast<std::size_t>(Pipe::cuda)] = static_cast<double>(end - begin) * p_.flop;
    out.work[static_cast<std::size_t>(Pipe::sfu)] = static_cast<double>(end - begin) * p_.special;
  }

 private:
  [[nodiscard]] std::uint64_t first(std::uint64_t block) const { return std::min(block * block_, p_.elements); }

  /// Where the share of element `i` of the output begins in `bytes`; the last one's ends with them.
  [[nodiscard]] std::uint64_t share(std::uint64_t bytes, std::uint64_t i) const {
    const std::uint64_t rest = bytes % p_.elements;
    const double part = static_cast<double>(rest) * static_cast<double>(i) / static_cast<double>(p_.elements);
    return bytes / p_.elements * i + (i == p_.elements ? rest : static_cast<std::uint64_t>(part));
  }

  void slice(const ByteRange& input, std::uint64_t begin, std::uint64_t end, std::vector<Access>& loads) const {
    if (input.bytes >= p_.elements) {  // As many elements as the output, or more of them for each.
      const std::uint64_t from = share(input.bytes, begin);
      return push(loads, input, from, share(input.bytes, end) - from, AccessOp::load);
    }
    // Broadcast along the outer dimensions: element i of the output uses byte i * width modulo the length.
    const std::uint64_t width = std::max<std::uint64_t>(p_.output.bytes / p_.elements, 1);
    const std::uint64_t wanted = std::min((end - begin) * width, input.bytes), start = begin * width % input.bytes;
    const std::uint64_t head = std::min(wanted, input.bytes - start);
    push(loads, input, start, head, AccessOp::load);
    push(loads, input, 0, wanted - head, AccessOp::load);
  }

  ElementwiseProblem p_;
  std::uint64_t block_;
};

class ConcatenationProgram final : public BlockProgram {
 public:
  ConcatenationProgram(std::vector<ByteRange> inputs, const ByteRange& output, std::uint64_t block)
      : inputs_(std::move(inputs)), output_(output), block_(block) {}
  [[nodiscard]] std::uint32_t steps(std::uint32_t) const override { return 1; }
  void fill(std::uint32_t block, std::uint32_t, Step& out) const override {
    const std::uint64_t begin = block * block_, end = std::min(begin + block_, output_.bytes);
    std::uint64_t at = 0;
    for (const ByteRange& input : inputs_) {
      const std::uint64_t from = std::max(at, begin), to = std::min(at + input.bytes, end);
      if (from < to) push(out.loads, input, from - at, to - from, AccessOp::load);
      at += input.bytes;
    }
    push(out.stores, output_, begin, end - begin, AccessOp::store);
  }

 private:
  std::vector<ByteRange> inputs_;
  ByteRange output_;
  std::uint64_t block_;
};

class BatchedProgram final : public BlockProgram {
 public:
  BatchedProgram(std::shared_ptr<const BlockProgram> one, std::uint32_t grid, std::vector<BatchedRange> ranges)
      : one_(std::move(one)), grid_(grid), ranges_(std::move(ranges)) {}
  [[nodiscard]] std::uint32_t steps(std::uint32_t block) const override { return one_->steps(block % grid_); }
  void fill(std::uint32_t block, std::uint32_t step, Step& out) const override {
    one_->fill(block % grid_, step, out);
    const std::uint64_t batch = block / grid_;
    for (auto* list : {&out.loads, &out.stores}) {
      for (Access& access : *list) {
        for (const BatchedRange& range : ranges_) {
          if (access.address < range.begin || access.address >= range.end) continue;
          access.address += batch * range.stride;
          break;
        }
      }
    }
  }

 private:
  std::shared_ptr<const BlockProgram> one_;
  std::uint32_t grid_;
  std::vector<BatchedRange> ranges_;
};

std::uint32_t blocks_of(std::uint64_t bytes, std::uint64_t block) {
  const std::uint64_t blocks = (bytes + block - 1) / block;
  if (blocks == 0 || blocks > UINT32_MAX) throw std::invalid_argument("no bytes, or too many blocks");
  return static_cast<std::uint32_t>(blocks);
}

}  // namespace

Kernel make_elementwise(const DeviceShape& gpu, const ElementwiseProblem& problem) {
  if (problem.elements == 0 || problem.output.bytes < problem.elements) throw std::invalid_argument("elementwise: nothing to do");
  for (const ByteRange& input : problem.inputs) {
    if (input.bytes == 0) throw std::invalid_argument("elementwise: an empty input");
  }
  std::uint64_t most = problem.output.bytes;
  for (const ByteRange& input : problem.inputs) most = std::max(most, input.bytes);
  const std::uint64_t block = std::max<std::uint64_t>(block_bytes(gpu, most) / std::max<std::uint64_t>(most / problem.elements, 1), 1);
  Kernel kernel;
  kernel.label = "elementwise";
  kernel.grid = blocks_of(problem.elements, block);
  kernel.blocks_per_sm = std::min(kResident, gpu.max_blocks_per_sm);
  kernel.work[static_cast<std::size_t>(Pipe::cuda)] = static_cast<double>(problem.elements) * problem.flop;
  kernel.work[static_cast<std::size_t>(Pipe::sfu)] = static_cast<double>(problem.elements) * problem.special;
  for (const ByteRange& input : problem.inputs) kernel.footprint.push_back(read_of(input));
  kernel.footprint.push_back(write_of(problem.output));
  kernel.program = std::make_shared<ElementwiseProgram>(problem, block);
  return kernel;
}

Kernel make_concatenation(const DeviceShape& gpu, const std::vector<ByteRange>& inputs, const ByteRange& output) {
  const std::uint64_t block = block_bytes(gpu, output.bytes);
  Kernel kernel;
  kernel.label = "cat";
  kernel.kernel_class = KernelClass::copy;
  kernel.grid = blocks_of(output.bytes, block);
  kernel.blocks_per_sm = std::min(kResident, gpu.max_blocks_per_sm);
  for (const ByteRange& input : inputs) kernel.footprint.push_back(read_of(input));
  kernel.footprint.push_back(write_of(output));
  kernel.program = std::make_shared<ConcatenationProgram>(inputs, output, block);
  return kernel;
}

Kernel make_batched(Kernel one, std::uint32_t count, const std::vector<BatchedRange>& ranges) {
  if (count == 0 || std::uint64_t{one.grid} * count > UINT32_MAX) throw std::invalid_argument("batch of no or too many blocks");
  one.program = std::make_shared<BatchedProgram>(one.program, one.grid, ranges);
  one.grid *= count;
  for (double& work : one.work) work *= count;
  for (Footprint& footprint : one.footprint) {
    footprint.read *= count;
    footprint.written *= count;
  }
  return one;
}

}  // namespace rooftrace
