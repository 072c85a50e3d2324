// One program for all rectangles of a plane, the kernels that are instances of it, and the gather.
#include "traces/elementwise.hpp"

#include <algorithm>
#include <stdexcept>

#include "traces/random.hpp"
#include "traces/tile_access.hpp"

namespace rooftrace {
namespace {

constexpr std::uint64_t kBlockBytes = 16 * 1024;  // What a block of a large kernel moves of its first operand.
constexpr std::uint64_t kLeastBlockBytes = 512;   // One coalesced load of four warps: never cut finer.
constexpr std::uint32_t kResidentThreads = 2048;  // Threads of an SM.
constexpr std::uint64_t kBytesPerThread = 16;     // A vector load.

std::uint64_t ceil_div(std::uint64_t a, std::uint64_t b) {
  return (a + b - 1) / b;
}

/// What one rectangle costs.
struct PlaneWork {
  double cuda = 0, sfu = 0;  ///< Per element.
  double sfu_per_row = 0;    ///< Only for planes that are one rectangle wide.
};

class PlaneProgram final : public BlockProgram {
 public:
  struct Operand {
    TileOperand tile;
    bool store = false;
    std::uint64_t every_row = 0;  ///< So many rows that every rectangle reads whole (the gain of a norm).
  };

  PlaneProgram(std::uint64_t rows, std::uint64_t cols, std::uint64_t tile_rows, std::uint64_t tile_cols, PlaneWork work,
               std::vector<Operand> operands)
      : rows_(rows),
        cols_(cols),
        tile_rows_(tile_rows),
        tile_cols_(tile_cols),
        across_(static_cast<std::uint32_t>(ceil_div(cols, tile_cols))),
        work_(work),
        operands_(std::move(operands)) {}

  [[nodiscard]] std::uint32_t grid() const { return static_cast<std::uint32_t>(ceil_div(rows_, tile_rows_) * across_); }
  [[nodiscard]] std::uint32_t steps(std::uint32_t) const override { return 1; }

  void fill(std::uint32_t block, std::uint32_t, Step& out) const override {
    const std::uint64_t row = block / across_ * tile_rows_;
    const std::uint64_t col = block % across_ * tile_cols_;
    const std::uint64_t rows = std::min(tile_rows_, rows_ - row);
    const std::uint64_t cols = std::min(tile_cols_, cols_ - col);
    for (const Operand& operand : operands_) {
      std::vector<Access>& list = operand.store ? out.stores : out.loads;
      const bool whole = operand.every_row > 0;
      operand.tile.push(list, whole ? 0 : row, whole ? operand.every_row : rows, col, cols);
    }
    const auto elements = static_cast<double>(rows * cols);
    out.work[static_cast<std::size_t>(Pipe::cuda)] = elements * work_.cuda;
    out.work[static_cast<std::size_t>(Pipe::sfu)] = elements * work_.sfu + static_cast<double>(rows) * work_.sfu_per_row;
  }

 private:
  std::uint64_t rows_, cols_, tile_rows_, tile_cols_;
  std::uint32_t across_;
  PlaneWork work_;
  std::vector<Operand> operands_;
};

PlaneProgram::Operand load(const Matrix& matrix) {
  return {TileOperand(matrix, AccessOp::load), false, 0};
}
PlaneProgram::Operand store(const Matrix& matrix) {
  return {TileOperand(matrix, AccessOp::store), true, 0};
}

void require(bool condition, const char* what) {
  if (!condition) throw std::logic_error(what);
}

/// Threads that move a rectangle with vector loads decide how many blocks an SM holds: 1,024 threads at most, 64 at least.
std::uint32_t resident_blocks(const DeviceShape& gpu, std::uint64_t bytes) {
  const std::uint64_t threads = std::clamp<std::uint64_t>(ceil_div(bytes, kBytesPerThread), 64, 1024);
  return std::min(gpu.max_blocks_per_sm, kResidentThreads / static_cast<std::uint32_t>(threads));
}

Kernel plane_kernel(const DeviceShape& gpu, std::shared_ptr<const PlaneProgram> program, std::uint64_t tile_bytes, const char* label) {
  Kernel kernel;
  kernel.label = label;
  kernel.grid = program->grid();
  kernel.blocks_per_sm = resident_blocks(gpu, tile_bytes);
  kernel.program = std::move(program);
  return kernel;
}

/// Rectangles as wide as the plane: a row each, or several rows where rows are shorter than the least that is worth a block.
Kernel row_kernel(const DeviceShape& gpu, const Matrix& shape, PlaneWork work, std::vector<PlaneProgram::Operand> operands,
                  const char* label) {
  const std::uint64_t row_bytes = std::max<std::uint64_t>(shape.row_bytes(), 1);
  const std::uint64_t tile_rows = std::min(shape.rows, ceil_div(kLeastBlockBytes, row_bytes));
  Kernel kernel =
      plane_kernel(gpu, std::make_shared<PlaneProgram>(shape.rows, shape.cols, tile_rows, shape.cols, work, std::move(operands)),
                   tile_rows * row_bytes, label);
  const auto rows = static_cast<double>(shape.rows), cols = static_cast<double>(shape.cols);
  kernel.work[static_cast<std::size_t>(Pipe::cuda)] = rows * cols * work.cuda;
  kernel.work[static_cast<std::size_t>(Pipe::sfu)] = rows * cols * work.sfu + rows * work.sfu_per_row;
  return kernel;
}

/// Rectangles of one row and as many columns as make 16 KiB, narrower while that leaves SMs without a block.
Kernel column_kernel(const DeviceShape& gpu, const Matrix& shape, PlaneWork work, std::vector<PlaneProgram::Operand> operands,
                     const char* label) {
  const double element = bytes_per_element(shape.type);
  auto columns = static_cast<std::uint64_t>(static_cast<double>(kBlockBytes) / element);
  const auto least = static_cast<std::uint64_t>(static_cast<double>(kLeastBlockBytes) / element);
  while (columns > least && shape.rows * ceil_div(shape.cols, columns) < 2ULL * gpu.sms) columns /= 2;
  columns = std::min(columns, shape.cols);
  const auto tile_bytes = static_cast<std::uint64_t>(static_cast<double>(columns) * element);
  Kernel kernel =
      plane_kernel(gpu, std::make_shared<PlaneProgram>(shape.rows, shape.cols, 1, columns, work, std::move(operands)), tile_bytes, label);
  const double elements = static_cast<double>(shape.rows) * static_cast<double>(shape.cols);
  kernel.work[static_cast<std::size_t>(Pipe::cuda)] = elements * work.cuda;
  kernel.work[static_cast<std::size_t>(Pipe::sfu)] = elements * work.sfu;
  return kernel;
}

class EmbeddingProgram final : public BlockProgram {
 public:
  EmbeddingProgram(const Matrix& table, const Matrix& ids, const Matrix& out, std::vector<std::uint64_t> tokens)
      : cols_(out.cols),
        has_ids_(ids.rows != 0),
        table_(table, AccessOp::load),
        ids_(ids, AccessOp::load),
        out_(out, AccessOp::store),
        tokens_(std::move(tokens)) {}

  [[nodiscard]] std::uint32_t steps(std::uint32_t) const override { return has_ids_ ? 2 : 1; }
  void fill(std::uint32_t block, std::uint32_t step, Step& out) const override {
    if (has_ids_ && step == 0) {
      ids_.push(out.loads, 0, 1, block, 1);
      return;
    }
    table_.push(out.loads, tokens_[block], 1, 0, cols_);
    out_.push(out.stores, block, 1, 0, cols_);
  }

 private:
  std::uint64_t cols_;
  bool has_ids_;
  TileOperand table_, ids_, out_;
  std::vector<std::uint64_t> tokens_;
};

/// x[r] += table[first + r mod q_len].
class PositionProgram final : public BlockProgram {
 public:
  PositionProgram(const Matrix& x, const Matrix& table, std::uint64_t first, std::uint64_t q_len)
      : cols_(x.cols), first_(first), q_len_(q_len), load_(x, AccessOp::load), table_(table, AccessOp::load), store_(x, AccessOp::store) {}

  [[nodiscard]] std::uint32_t steps(std::uint32_t) const override { return 1; }
  void fill(std::uint32_t block, std::uint32_t, Step& out) const override {
    load_.push(out.loads, block, 1, 0, cols_);
    table_.push(out.loads, first_ + block % q_len_, 1, 0, cols_);
    out.work[static_cast<std::size_t>(Pipe::cuda)] = static_cast<double>(cols_);
    store_.push(out.stores, block, 1, 0, cols_);
  }

 private:
  std::uint64_t cols_, first_, q_len_;
  TileOperand load_, table_, store_;
};

PlaneWork work_of(Activation f) {
  switch (f) {
    case Activation::silu:
      return {3, 2, 0};  // Negate, add 1, multiply; exp and reciprocal.
    case Activation::gelu:
      return {8, 1, 0};  // The cubic (4), its scale, add 1, times x, times half; tanh.
    case Activation::relu:
      break;
  }
  return {1, 0, 0};
}

bool same_shape(const Matrix& a, const Matrix& b) {
  return a.rows == b.rows && a.cols == b.cols;
}

}  // namespace

Kernel make_rms_norm(const DeviceShape& gpu, const RmsNormProblem& problem) {
  const bool fused = problem.residual.rows != 0;
  require(same_shape(problem.x, problem.out) && (!fused || same_shape(problem.x, problem.residual)) && problem.gain.cols == problem.x.cols,
          "rms_norm: the matrices do not fit together");
  std::vector<PlaneProgram::Operand> operands{load(problem.x)};
  if (fused) operands.push_back(load(problem.residual));
  operands.push_back(load(problem.gain));
  operands.back().every_row = problem.gain.rows;
  if (fused) operands.push_back(store(problem.residual));
  operands.push_back(store(problem.out));
  const bool layer_norm = problem.gain.rows == 2;
  const PlaneWork work{(fused ? 5.0 : 4.0) + (layer_norm ? 3.0 : 0.0), 0, 1};
  Kernel kernel = row_kernel(gpu, problem.x, work, std::move(operands), layer_norm ? "layer_norm" : "rms_norm");
  kernel.kernel_class = KernelClass::norm;
  kernel.footprint = {read_footprint(problem.x), read_footprint(problem.gain), write_footprint(problem.out)};
  if (fused) {
    Footprint both = read_footprint(problem.residual);
    both.written = both.read;
    kernel.footprint.push_back(both);
  }
  return kernel;
}

Kernel make_silu_mul(const DeviceShape& gpu, const Matrix& gate_up, const Matrix& out) {
  return make_gated_activation(gpu, gate_up, out, Activation::silu);
}

Kernel make_gated_activation(const DeviceShape& gpu, const Matrix& gate_up, const Matrix& out, Activation f) {
  require(gate_up.rows == out.rows && gate_up.cols == 2 * out.cols, "gated activation: the matrices do not fit together");
  Matrix gate = gate_up;
  gate.cols = out.cols;
  Matrix up = gate;
  up.address += gate.row_bytes();
  PlaneWork work = work_of(f);
  work.cuda += 1;
  Kernel kernel =
      column_kernel(gpu, gate, work, {load(gate), load(up), store(out)}, f == Activation::silu ? "silu_mul" : "gated activation");
  kernel.kernel_class = KernelClass::activation;
  kernel.footprint = {read_footprint(gate_up), write_footprint(out)};
  return kernel;
}

Kernel make_activation(const DeviceShape& gpu, const Matrix& in, const Matrix& out, Activation f) {
  require(same_shape(in, out), "activation: the matrices do not fit together");
  Kernel kernel = column_kernel(gpu, in, work_of(f), {load(in), store(out)}, "activation");
  kernel.label = name(f);
  kernel.kernel_class = KernelClass::activation;
  kernel.footprint = {read_footprint(in), write_footprint(out)};
  return kernel;
}

Kernel make_residual_add(const DeviceShape& gpu, const Matrix& a, const Matrix& b, const Matrix& out) {
  require(same_shape(a, b) && same_shape(a, out), "residual_add: the matrices do not fit together");
  Kernel kernel = column_kernel(gpu, a, {1, 0, 0}, {load(a), load(b), store(out)}, "residual_add");
  kernel.kernel_class = KernelClass::residual;
  kernel.footprint = {read_footprint(a), read_footprint(b), write_footprint(out)};
  return kernel;
}

Kernel make_embedding(const DeviceShape& gpu, const Matrix& table, const Matrix& ids, const Matrix& out, std::uint64_t seed) {
  require(table.cols == out.cols && table.rows > 0 && (ids.rows == 0 || ids.cols == out.rows),
          "embedding: the matrices do not fit together");
  SplitMix random(seed);
  std::vector<std::uint64_t> tokens(out.rows);
  for (std::uint64_t& token : tokens) token = random.below(table.rows);
  std::vector<std::uint64_t> different = tokens;
  std::sort(different.begin(), different.end());
  different.erase(std::unique(different.begin(), different.end()), different.end());

  Matrix touched = table;
  touched.rows = different.size();
  Kernel kernel;
  kernel.label = "embedding";
  kernel.kernel_class = KernelClass::embedding;
  kernel.grid = static_cast<std::uint32_t>(out.rows);
  kernel.blocks_per_sm = resident_blocks(gpu, out.row_bytes());
  kernel.footprint = {read_footprint(touched), write_footprint(out)};
  if (ids.rows != 0) kernel.footprint.push_back(read_footprint(ids));
  kernel.program = std::make_shared<EmbeddingProgram>(table, ids, out, std::move(tokens));
  return kernel;
}

Kernel make_position_add(const DeviceShape& gpu, const Matrix& x, const Matrix& table, std::uint64_t first, std::uint64_t q_len) {
  require(x.cols == table.cols && first + q_len <= table.rows && q_len > 0 && x.rows % q_len == 0,
          "position_add: the matrices do not fit together");
  Matrix touched = table;
  touched.rows = q_len;
  Footprint both = read_footprint(x);
  both.written = both.read;
  Kernel kernel;
  kernel.label = "position add";
  kernel.kernel_class = KernelClass::embedding;
  kernel.grid = static_cast<std::uint32_t>(x.rows);
  kernel.blocks_per_sm = resident_blocks(gpu, x.row_bytes());
  kernel.work[static_cast<std::size_t>(Pipe::cuda)] = static_cast<double>(x.rows) * static_cast<double>(x.cols);
  kernel.footprint = {both, read_footprint(touched)};
  kernel.program = std::make_shared<PositionProgram>(x, table, first, q_len);
  return kernel;
}

}  // namespace rooftrace
