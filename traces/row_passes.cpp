// Softmax and layer norm: a block goes over its rows several times, with a reduction over all its threads between two passes.
//
// What a pass costs beside bytes: its instructions, which bind in softmax; the wait of a load loop that is not unrolled (a step here is one
// round of it: every thread has one vector load in flight); and the reduction, which nothing of the block overlaps. All three follow from
// the kernels' sources: PyTorch 2.0's SoftMax.cu and PersistentSoftmax.cuh, and what its compiler makes of a layer norm.
#include <algorithm>
#include <array>
#include <bit>
#include <memory>
#include <numeric>
#include <stdexcept>

#include "traces/elementwise.hpp"
#include "traces/tile_access.hpp"

namespace rooftrace {
namespace {

constexpr std::uint64_t kMostInRegisters = 1024;  // Columns of a row that a warp (softmax) or a block (layer norm) keeps in registers.
constexpr std::uint32_t kWarp = 32;
constexpr std::uint32_t kResidentThreads = 2048;  // Of an SM.
constexpr std::uint32_t kRegisters = 65536;       // Of an SM, since Kepler.

// Instructions of an element of softmax: the same loops compiled for sm_80 (CUDA 13.0), counted in machine code without the calls for
// denormal numbers. Arithmetic, each 2 FLOP: 25 in registers; in passes 20, 78 and 147 for eight elements: the maximum, the sum, the result
// with its IEEE division. All, with loads, stores, branches and special functions, which take issue slots: 33; 22, 88 and 191.
constexpr double kOnce = 2 * 25.0;
constexpr std::array kPasses{2 * 20 / 8.0, 2 * 78 / 8.0, 2 * 147 / 8.0};
constexpr double kOnceShare = 25.0 / 33, kPassesShare = 245.0 / 301;

// Latencies of the A100 in clocks, from published microbenchmarks (cited from memory): a shuffle and the operation on what it brings, an
// access to shared memory, a barrier of a block.
constexpr double kShuffle = 24 + 4, kShared = 23, kBarrier = 25;
constexpr double kClock = 1.41e9;

Time clocks(double count) {
  return static_cast<Time>(count / kClock * 1e12);
}

/// By shuffles: within the warps, through shared memory, within one warp, and back to all.
Time shuffled_reduction() {
  return clocks(10 * kShuffle + 3 * kShared + 2 * kBarrier);
}

/// PyTorch's blockReduce before 2.4: one thread per warp adds up 32 values that lie in one bank of shared memory for all of them, then one
/// thread adds up those sums.
Time serial_reduction(std::uint32_t warps) {
  return clocks(4 * kBarrier + 4 * kShared + 32.0 * std::max(warps, 4U) + 4.0 * warps);
}

std::uint64_t ceil_div(std::uint64_t a, std::uint64_t b) {
  return (a + b - 1) / b;
}

/// Blocks of an SM by threads and by the registers of a thread.
std::uint32_t resident(const DeviceShape& gpu, std::uint32_t threads, std::uint64_t registers) {
  const auto by_registers = static_cast<std::uint32_t>(std::max<std::uint64_t>(1, kRegisters / (threads * registers)));
  return std::min({gpu.max_blocks_per_sm, kResidentThreads / threads, by_registers});
}

struct RowPlan {
  std::uint64_t rows = 1;         ///< Of a block.
  std::uint64_t round_cols = 0;   ///< Columns of one round of a load loop.
  std::vector<double> cuda{0.0};  ///< FLOP per element, one per pass.
  double sfu = 0;                 ///< Per element, in the last pass.
  double sfu_per_row = 0;         ///< The same.
  bool reload = false;            ///< Every pass loads from L2; else what the first loaded is in registers or in L1.
  Time reduction = 0;             ///< Before every pass but the first.
};

class RowProgram final : public BlockProgram {
 public:
  RowProgram(const Matrix& in, const Matrix& gain, const Matrix& out, RowPlan plan)
      : in_(in, AccessOp::load),
        gain_(gain, AccessOp::load),
        out_(out, AccessOp::store),
        gain_rows_(gain.rows),
        rows_(in.rows),
        cols_(in.cols),
        plan_(std::move(plan)),
        rounds_(static_cast<std::uint32_t>(ceil_div(cols_, plan_.round_cols))) {}

  [[nodiscard]] std::uint32_t grid() const { return static_cast<std::uint32_t>(ceil_div(rows_, plan_.rows)); }
  [[nodiscard]] std::uint32_t steps(std::uint32_t) const override {
    const auto passes = static_cast<std::uint32_t>(plan_.cuda.size());
    return plan_.reload ? passes * rounds_ : rounds_ + passes - 1;
  }

  void fill(std::uint32_t block, std::uint32_t step, Step& out) const override {
    const bool loads = step < rounds_ || plan_.reload;
    const std::uint32_t pass = loads ? step / rounds_ : step - rounds_ + 1;
    const bool last = pass + 1 == plan_.cuda.size();
    const std::uint64_t row = block * plan_.rows;
    const std::uint64_t rows = std::min(plan_.rows, rows_ - row);
    const std::uint64_t col = loads ? step % rounds_ * plan_.round_cols : 0;
    const std::uint64_t cols = loads ? std::min(plan_.round_cols, cols_ - col) : cols_;
    if (loads) in_.push(out.loads, row, rows, col, cols);
    if (last && gain_rows_ > 0) gain_.push(out.loads, 0, gain_rows_, col, cols);
    if (last) out_.push(out.stores, row, rows, col, cols);
    const auto elements = static_cast<double>(rows * cols);
    out.work[static_cast<std::size_t>(Pipe::cuda)] = elements * plan_.cuda[pass];
    if (last) {
      const double share = static_cast<double>(cols) / static_cast<double>(cols_);
      out.work[static_cast<std::size_t>(Pipe::sfu)] = elements * plan_.sfu + static_cast<double>(rows) * plan_.sfu_per_row * share;
    }
    if (pass > 0 && col == 0) out.pause = plan_.reduction;
  }

 private:
  TileOperand in_, gain_, out_;
  std::uint64_t gain_rows_, rows_, cols_;
  RowPlan plan_;
  std::uint32_t rounds_;
};

Kernel row_kernel(const Matrix& in, const Matrix& gain, const Matrix& out, const RowPlan& plan, std::uint32_t blocks_per_sm) {
  auto program = std::make_shared<RowProgram>(in, gain, out, plan);
  Kernel kernel;
  kernel.grid = program->grid();
  kernel.blocks_per_sm = blocks_per_sm;
  kernel.early_loads = true;  // Within a pass warps do not wait for each other: while some work, others have their next load out.
  const auto rows = static_cast<double>(in.rows), cols = static_cast<double>(in.cols);
  kernel.work[static_cast<std::size_t>(Pipe::cuda)] = rows * cols * std::accumulate(plan.cuda.begin(), plan.cuda.end(), 0.0);
  kernel.work[static_cast<std::size_t>(Pipe::sfu)] = rows * cols * plan.sfu + rows * plan.sfu_per_row;
  kernel.footprint = {read_footprint(in), write_footprint(out)};
  if (gain.rows > 0) kernel.footprint.push_back(read_footprint(gain));
  kernel.program = std::move(program);
  return kernel;
}

/// A row is read again from L1 where the rows of all resident blocks fit what could be shared memory.
bool stays_in_l1(const DeviceShape& gpu, const Matrix& in, std::uint32_t blocks) {
  return blocks * in.row_bytes() <= gpu.shared_memory_per_sm;
}

}  // namespace

Kernel make_softmax(const DeviceShape& gpu, const Matrix& in, const Matrix& out) {
  if (in.rows != out.rows || in.cols != out.cols) throw std::logic_error("softmax: the matrices do not fit together");
  RowPlan plan;
  std::uint32_t blocks = 0;
  plan.sfu = 2;
  if (in.cols <= kMostInRegisters) {
    // Four warps, a row each, two where rows are short; of a thread's registers two serve an element, 16 the rest (the same machine code).
    const std::uint64_t per_warp = in.cols <= 128 ? 2 : 1;
    const std::uint64_t elements = ceil_div(std::bit_ceil(std::max<std::uint64_t>(in.cols, 1)), kWarp) * per_warp;
    plan.rows = 4 * per_warp;
    plan.round_cols = std::max<std::uint64_t>(in.cols, 1);
    plan.cuda = {kOnce};
    blocks = resident(gpu, 4 * kWarp, 16 + 2 * elements);
  } else {
    // Vector loads of 16 bytes; as many threads as give every one of them two, 512 at most.
    const auto vector = static_cast<std::uint64_t>(16 / bytes_per_element(in.type));
    const auto threads =
        static_cast<std::uint32_t>(std::clamp<std::uint64_t>(std::bit_ceil(ceil_div(in.cols / vector, 2)), kWarp, vector > 1 ? 512 : 1024));
    blocks = resident(gpu, threads, 32);
    plan.round_cols = threads * vector;
    plan.cuda.assign(kPasses.begin(), kPasses.end());
    plan.sfu = 3;
    plan.reload = !stays_in_l1(gpu, in, blocks);
    plan.reduction = serial_reduction(threads / kWarp);
  }
  Kernel kernel = row_kernel(in, {}, out, plan, blocks);
  kernel.label = "softmax";
  kernel.tensor_share = in.cols <= kMostInRegisters ? kOnceShare : kPassesShare;
  return kernel;
}

Kernel make_layer_norm(const DeviceShape& gpu, const Matrix& in, const Matrix& gain, const Matrix& out) {
  if (in.rows != out.rows || in.cols != out.cols || gain.cols != in.cols) {
    throw std::logic_error("layer_norm: the matrices do not fit together");
  }
  constexpr std::uint32_t kThreads = 256;
  constexpr std::uint64_t kRound = 2048;  // Columns of a round of the compiler's reduction loop: 16 bytes of 16-bit data per thread.
  const std::uint32_t blocks = resident(gpu, kThreads, 32);
  const auto row_bytes = std::max<std::uint64_t>(in.row_bytes(), 1);
  RowPlan plan;
  plan.sfu_per_row = 1;
  if (in.cols <= kMostInRegisters) {
    plan.rows = std::min<std::uint64_t>(std::max<std::uint64_t>(in.rows, 1), ceil_div(512, row_bytes));
    plan.round_cols = std::max<std::uint64_t>(in.cols, 1);
    plan.cuda = {8};
  } else {
    plan.round_cols = kRound;
    plan.cuda = {1, 3, 4};
    plan.reload = !stays_in_l1(gpu, in, blocks);
    plan.reduction = shuffled_reduction();
  }
  Kernel kernel = row_kernel(in, gain, out, plan, blocks);
  kernel.label = "layer_norm";
  kernel.kernel_class = KernelClass::norm;
  return kernel;
}

}  // namespace rooftrace
