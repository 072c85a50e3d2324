// The block program of the GEMM family: which tile a block computes, and what each of its k-steps loads.
//
// Work items are numbered (cluster tile * split_k + part) * cluster size + position in the cluster; the raster orders cluster tiles. A
// block does item `block`, a persistent one items block, block + grid, ...; a block's steps are the k-steps of its items one after the
// other. A grid padded to whole clusters has idle positions: as many steps as the others, all empty.
#include "traces/gemm.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "traces/tile_access.hpp"

namespace rooftrace {
namespace {

std::uint64_t ceil_div(std::uint64_t a, std::uint64_t b) {
  return (a + b - 1) / b;
}

// CUDA-core work in FLOP, an instruction being 2. Per element of the output tile: scale, half a conversion, half a store to and a load from
// shared memory, half a store: 2.5 instructions. Per weight that is narrower than the tensor cores' type: 1.5 instructions (byte permute,
// subtract, scale, two or four elements each), as in the interleaved layouts of weight-only kernels.
constexpr double kCudaPerOutput = 5;
constexpr double kCudaPerWidened = 3;

/// Rows of a tile that the tensor cores compute when `rows` exist: whole instructions of 64, in narrower tiles 16.
std::uint64_t padded(std::uint64_t rows, std::uint32_t block) {
  const std::uint64_t unit = block % 64 == 0 ? 64 : 16;
  return std::min<std::uint64_t>(block, ceil_div(rows, unit) * unit);
}

/// Two blocks of a cluster, on two SMs, compute as one: each has its rows of A and half of their B, which the instruction reads from both
/// (tcgen05.mma with cta_group::2, PTX ISA). So of B half is delivered to each, not all of it to both.
bool works_in_pairs(const DeviceShape& gpu, const GemmTiling& t) {
  return tensor_rows(gpu) > 64 && t.cluster_m % 2 == 0;
}

/// The tensor pipe's time that reads of shared memory take: every instruction reads its rows of A (tensor_rows) and all of B; where warps
/// load registers (no clusters), tiles of 64 x 64 each read both.
double shared_memory_share(const DeviceShape& gpu, const GemmProblem& problem, const GemmTiling& t) {
  constexpr double kSharedBytesPerClock = 128;
  const double a = t.block_m * bytes_per_element(problem.a.type);
  const double b = t.block_n * bytes_per_element(problem.b.type) / (works_in_pairs(gpu, t) ? 2 : 1);
  const double by_m = std::max(1.0, t.block_m / tensor_rows(gpu)), by_n = gpu.max_cluster >= 2 ? 1.0 : std::max(1.0, t.block_n / 64.0);
  const double rate = tensor_flop_per_clock(gpu) * 2 / bytes_per_element(problem.tensor_type);
  const double clocks = 2.0 * t.block_m * t.block_n / rate;
  return std::min(1.0, (a * by_n + b * by_m) / kSharedBytesPerClock / clocks);
}

/// Rows [first, first + count) that member `index` of `members` loads of a tile of `rows` rows.
struct Share {
  std::uint64_t first, count;
};
Share share_of(std::uint64_t rows, std::uint32_t index, std::uint32_t members) {
  if (members == 1) return {0, rows};
  const std::uint64_t first = rows * index / members;
  return {first, rows * (index + 1) / members - first};
}

class GemmProgram final : public BlockProgram {
 public:
  GemmProgram(const DeviceShape& gpu, const GemmProblem& problem, const GemmTiling& tiling)
      : t_(tiling),
        m_(problem.a.rows),
        n_(problem.b.rows),
        k_(problem.a.cols),
        tiles_m_(static_cast<std::uint32_t>(ceil_div(m_, t_.block_m))),
        tiles_n_(static_cast<std::uint32_t>(ceil_div(n_, t_.block_n))),
        clusters_m_(static_cast<std::uint32_t>(ceil_div(tiles_m_, t_.cluster_m))),
        clusters_n_(static_cast<std::uint32_t>(ceil_div(tiles_n_, t_.cluster_n))),
        cluster_(t_.cluster_m * t_.cluster_n),
        pairs_(works_in_pairs(gpu, t_)),
        k_tiles_(static_cast<std::uint32_t>(ceil_div(k_, t_.block_k))),
        group_m_(std::max(1U, t_.group_m / t_.cluster_m)),
        add_c_(problem.add_c && t_.split_k == 1),
        add_bias_(problem.bias.rows != 0 && t_.split_k == 1),
        bias_(problem.bias, AccessOp::load),
        a_(problem.a, AccessOp::load),
        b_(problem.b, AccessOp::load),
        c_load_(problem.c, AccessOp::load),
        out_(t_.split_k > 1 ? problem.workspace : problem.c, AccessOp::store),
        scales_(problem.b_scales, AccessOp::load),
        scale_cols_(problem.b_scales.rows == 0 ? 0 : problem.b_scales.cols),
        widen_(bytes_per_element(problem.b.type) < bytes_per_element(problem.tensor_type)) {
    const std::uint64_t items = std::uint64_t{clusters_m_} * clusters_n_ * t_.split_k * cluster_;
    if (items > UINT32_MAX) throw std::invalid_argument("gemm: more than 2^32 tiles");
    items_ = static_cast<std::uint32_t>(items);
    grid_ = items_;
    if (t_.persistent) {
      const std::uint32_t resident = gpu.sms * t_.blocks_per_sm / cluster_ * cluster_;  // Whole clusters only.
      grid_ = std::min(items_, std::max(resident, cluster_));
    }
  }

  [[nodiscard]] std::uint32_t grid() const { return grid_; }

  /// Epilogues of all parts, and every weight widened once per row of tiles.
  [[nodiscard]] double cuda_work() const {
    const double widened = widen_ ? kCudaPerWidened * tiles_m_ * static_cast<double>(n_) * static_cast<double>(k_) : 0;
    return kCudaPerOutput * t_.split_k * static_cast<double>(m_) * static_cast<double>(n_) + widened;
  }

  [[nodiscard]] std::uint32_t steps(std::uint32_t block) const override {
    const std::uint32_t items = (items_ - block + grid_ - 1) / grid_;
    if (t_.split_k == 1) return items * (k_tiles_ + 1);
    std::uint32_t sum = items;
    for (std::uint32_t item = block, i = 0; i < items; ++i, item += grid_) sum += k_steps(part_of(item));
    return sum;
  }

  void fill(std::uint32_t block, std::uint32_t step, Step& out) const override {
    std::uint32_t item = block;
    if (t_.split_k == 1) {
      if (step > k_tiles_) {
        item += step / (k_tiles_ + 1) * grid_;
        step %= k_tiles_ + 1;
      }
    } else {
      for (std::uint32_t steps; step >= (steps = k_steps(part_of(item)) + 1); item += grid_) step -= steps;
    }
    const std::uint32_t position = item % cluster_;
    const std::uint32_t rest = item / cluster_;
    const std::uint32_t part = rest % t_.split_k;
    const auto [cluster_row, cluster_col] = place(rest / t_.split_k);
    const std::uint32_t in_m = position % t_.cluster_m;
    const std::uint32_t in_n = position / t_.cluster_m;
    const std::uint32_t tile_m = cluster_row * t_.cluster_m + in_m;
    const std::uint32_t tile_n = cluster_col * t_.cluster_n + in_n;
    if (tile_m >= tiles_m_ || tile_n >= tiles_n_) return;  // Idle position of a padded cluster.

    const std::uint64_t m0 = std::uint64_t{tile_m} * t_.block_m;
    const std::uint64_t n0 = std::uint64_t{tile_n} * t_.block_n;
    const std::uint64_t rows_m = std::min<std::uint64_t>(t_.block_m, m_ - m0);
    const std::uint64_t rows_n = std::min<std::uint64_t>(t_.block_n, n_ - n0);
    if (step == k_steps(part)) {  // The epilogue.
      if (add_c_) c_load_.push(out.loads, m0, rows_m, n0, rows_n);
      if (add_bias_) bias_.push(out.loads, 0, 1, n0, rows_n);
      out.work[static_cast<std::size_t>(Pipe::cuda)] = kCudaPerOutput * static_cast<double>(rows_m * rows_n);
      out_.push(out.stores, part * m_ + m0, rows_m, n0, rows_n);
      return;
    }
    const std::uint32_t k_tile = first_k_tile(part) + step;
    const std::uint64_t k0 = std::uint64_t{k_tile} * t_.block_k;
    const std::uint64_t kn = std::min<std::uint64_t>(t_.block_k, k_ - k0);

    // Only the blocks of the cluster that have a tile take part in a multicast.
    const std::uint32_t along_n = std::min(t_.cluster_n, tiles_n_ - cluster_col * t_.cluster_n);
    const std::uint32_t along_m = std::min(t_.cluster_m, tiles_m_ - cluster_row * t_.cluster_m);
    const Share a = share_of(rows_m, in_n, along_n);
    const Share b = share_of(rows_n, in_m, along_m);
    a_.push(out.loads, m0 + a.first, a.count, k0, kn, along_n);
    const std::uint32_t copies_b = pairs_ ? (along_m + 1) / 2 : along_m;
    b_.push(out.loads, n0 + b.first, b.count, k0, kn, copies_b);
    if (scale_cols_ != 0) load_scales(out, n0 + b.first, b.count, k0, kn, step == 0, copies_b);
    const auto flop = [kn](std::uint64_t rows, std::uint64_t cols) {
      return 2.0 * static_cast<double>(rows * cols) * static_cast<double>(kn);
    };
    out.work[static_cast<std::size_t>(Pipe::tensor)] = flop(rows_m, rows_n);
    out.tensor_padding = flop(padded(rows_m, t_.block_m), padded(rows_n, t_.block_n)) - flop(rows_m, rows_n);
    if (widen_) out.work[static_cast<std::size_t>(Pipe::cuda)] = kCudaPerWidened * static_cast<double>(rows_n * kn);
  }

 private:
  struct Place {
    std::uint32_t m, n;
  };

  /// Cluster tile number -> its coordinates, by the raster.
  [[nodiscard]] Place place(std::uint32_t index) const {
    switch (t_.raster) {
      case Raster::row_major:
        return {index / clusters_n_, index % clusters_n_};
      case Raster::column_major:
        return {index % clusters_m_, index / clusters_m_};
      case Raster::grouped:
        break;
    }
    const std::uint32_t per_group = group_m_ * clusters_n_;
    const std::uint32_t first = index / per_group * group_m_;
    const std::uint32_t inside = index % per_group;
    const std::uint32_t height = std::min(clusters_m_ - first, group_m_);
    return {first + inside % height, inside / height};
  }

  [[nodiscard]] std::uint32_t part_of(std::uint32_t item) const { return item / cluster_ % t_.split_k; }
  [[nodiscard]] std::uint32_t first_k_tile(std::uint32_t part) const {
    return t_.split_k == 1 ? 0 : static_cast<std::uint32_t>(std::uint64_t{k_tiles_} * part / t_.split_k);
  }
  [[nodiscard]] std::uint32_t k_steps(std::uint32_t part) const {
    return t_.split_k == 1 ? k_tiles_ : first_k_tile(part + 1) - first_k_tile(part);
  }

  /// Scale column j covers the elements [j k / cols, (j + 1) k / cols) of a row. It is loaded in the step that holds its first element, or
  /// in the first step of a part that starts inside it: once per block and part.
  void load_scales(Step& out, std::uint64_t row, std::uint64_t rows, std::uint64_t k0, std::uint64_t kn, bool first_step,
                   std::uint32_t multicast) const {
    const std::uint64_t begin = first_step ? k0 * scale_cols_ / k_ : ceil_div(k0 * scale_cols_, k_);
    const std::uint64_t end = ceil_div((k0 + kn) * scale_cols_, k_);
    if (end > begin) scales_.push(out.loads, row, rows, begin, end - begin, multicast);
  }

  GemmTiling t_;
  std::uint64_t m_, n_, k_;
  std::uint32_t tiles_m_, tiles_n_, clusters_m_, clusters_n_, cluster_;
  bool pairs_;
  std::uint32_t k_tiles_, group_m_;
  bool add_c_, add_bias_;
  TileOperand bias_, a_, b_, c_load_, out_, scales_;
  std::uint64_t scale_cols_;
  bool widen_;  ///< Weights are narrower than what the tensor cores compute in.
  std::uint32_t items_ = 0, grid_ = 0;
};

/// Sums the split_k partial tiles: a block takes one row of C and a run of columns; the partials of a run lie m rows apart.
class SplitKReduceProgram final : public BlockProgram {
 public:
  SplitKReduceProgram(const GemmProblem& problem, std::uint32_t split, std::uint32_t columns)
      : m_(problem.a.rows),
        n_(problem.b.rows),
        split_(split),
        columns_(columns),
        chunks_(static_cast<std::uint32_t>(ceil_div(n_, columns))),
        add_c_(problem.add_c),
        add_bias_(problem.bias.rows != 0),
        bias_(problem.bias, AccessOp::load),
        partial_(problem.workspace, AccessOp::load),
        c_load_(problem.c, AccessOp::load),
        c_store_(problem.c, AccessOp::store) {}

  [[nodiscard]] std::uint32_t grid() const { return static_cast<std::uint32_t>(m_ * chunks_); }
  [[nodiscard]] std::uint32_t steps(std::uint32_t) const override { return 1; }

  void fill(std::uint32_t block, std::uint32_t, Step& out) const override {
    const std::uint64_t row = block / chunks_;
    const std::uint64_t col = std::uint64_t{block % chunks_} * columns_;
    const std::uint64_t cols = std::min<std::uint64_t>(columns_, n_ - col);
    partial_.push_strided(out.loads, partial_.address_of(row, col), m_ * partial_.pitch(), split_, partial_.run_bytes(cols));
    if (add_c_) c_load_.push(out.loads, row, 1, col, cols);
    if (add_bias_) bias_.push(out.loads, 0, 1, col, cols);
    out.work[static_cast<std::size_t>(Pipe::cuda)] = static_cast<double>(cols * (split_ - 1 + (add_c_ ? 1 : 0) + (add_bias_ ? 1 : 0)));
    c_store_.push(out.stores, row, 1, col, cols);
  }

 private:
  std::uint64_t m_, n_;
  std::uint32_t split_, columns_, chunks_;
  bool add_c_, add_bias_;
  TileOperand bias_, partial_, c_load_, c_store_;
};

void check_shapes(const GemmProblem& p, const GemmTiling& t) {
  const bool fits = p.a.rows > 0 && p.b.rows > 0 && p.a.cols > 0 && p.a.cols == p.b.cols && p.c.rows == p.a.rows && p.c.cols == p.b.rows &&
                    (p.bias.rows == 0 || (p.bias.rows == 1 && p.bias.cols == p.b.rows)) &&
                    (p.b_scales.rows == 0 || (p.b_scales.rows == p.b.rows && p.b_scales.cols > 0 && p.b_scales.cols <= p.b.cols)) &&
                    (t.split_k == 1 || (p.workspace.rows >= t.split_k * p.a.rows && p.workspace.cols >= p.b.rows));
  if (!fits) throw std::logic_error("gemm: the matrices do not fit together");
}

/// The workspace as this problem uses it: exactly split * m rows of n.
Matrix used_workspace(const GemmProblem& problem, const GemmTiling& tiling) {
  Matrix used = problem.workspace;
  used.rows = tiling.split_k * problem.a.rows;
  used.cols = problem.b.rows;
  used.produced = true;
  return used;
}

}  // namespace

std::string GemmTiling::text() const {
  std::string out = fmt::format("{}x{}x{} stages {}", block_m, block_n, block_k, stages);
  if (raster == Raster::grouped) out += fmt::format(" grouped:{}", group_m);
  if (raster == Raster::column_major) out += " column_major";
  if (split_k > 1) out += fmt::format(" split {}", split_k);
  if (cluster_m * cluster_n > 1) out += fmt::format(" cluster {}x{}", cluster_m, cluster_n);
  if (persistent) out += " persistent";
  return out;
}

std::uint64_t gemm_stage_bytes(const GemmTiling& tiling, DataType a, DataType b) {
  return static_cast<std::uint64_t>(tiling.block_m * bytes_per_element(a) * tiling.block_k +
                                    tiling.block_n * bytes_per_element(b) * tiling.block_k);
}

void check_gemm_tiling(const DeviceShape& gpu, const GemmProblem& problem, const GemmTiling& t) {
  const auto fail = [&](const std::string& why) { throw std::invalid_argument(fmt::format("gemm tiling {}: {}", t.text(), why)); };
  if (t.block_m == 0 || t.block_n == 0 || t.block_k == 0) fail("block_m, block_n and block_k must be at least 1");
  if (t.stages == 0 || t.blocks_per_sm == 0 || t.split_k == 0 || t.group_m == 0 || t.cluster_m == 0 || t.cluster_n == 0)
    fail("stages, blocks_per_sm, split_k, group_m and the cluster must be at least 1");
  for (const DataType type : {problem.a.type, problem.b.type})
    if (bytes_per_element(type) < 1 && (t.block_k % 2 != 0 || problem.a.cols % 2 != 0))
      fail("four-bit elements need an even block_k and k");
  const std::uint64_t k_tiles = ceil_div(problem.a.cols, t.block_k);
  if (t.split_k > k_tiles) fail(fmt::format("split_k is {} but k = {} has only {} k-tiles", t.split_k, problem.a.cols, k_tiles));
  const std::uint64_t cluster = std::uint64_t{t.cluster_m} * t.cluster_n;
  if (cluster > std::max(1U, gpu.max_cluster)) fail(fmt::format("this GPU's clusters have at most {} blocks", gpu.max_cluster));
  if (t.persistent && cluster > std::uint64_t{gpu.sms} * t.blocks_per_sm) fail("not one cluster fits the GPU");
  if (t.blocks_per_sm > gpu.max_blocks_per_sm) fail(fmt::format("an SM of this GPU holds at most {} blocks", gpu.max_blocks_per_sm));
  // One of the stages may live in registers or be consumed already, so stages - 1 buffers is the least that a kernel can allocate.
  const std::uint64_t need = gemm_stage_bytes(t, problem.a.type, problem.b.type) * std::max(1U, t.stages - 1);
  if (gpu.shared_memory_per_block != 0 && need > gpu.shared_memory_per_block)
    fail(fmt::format("needs {} bytes of shared memory, a block has at most {}", need, gpu.shared_memory_per_block));
  if (gpu.shared_memory_per_sm != 0 && need * t.blocks_per_sm > gpu.shared_memory_per_sm)
    fail(fmt::format("{} blocks per SM need {} bytes of shared memory, an SM has {}", t.blocks_per_sm, need * t.blocks_per_sm,
                     gpu.shared_memory_per_sm));
}

Kernel make_gemm(const DeviceShape& gpu, const GemmProblem& problem, const GemmTiling& tiling) {
  check_shapes(problem, tiling);
  check_gemm_tiling(gpu, problem, tiling);
  const bool split = tiling.split_k > 1;
  auto program = std::make_shared<GemmProgram>(gpu, problem, tiling);
  Kernel kernel;
  kernel.label = "gemm " + tiling.text();
  kernel.grid = program->grid();
  kernel.blocks_per_sm = tiling.blocks_per_sm;
  kernel.depth = tiling.stages;
  kernel.tensor_type = problem.tensor_type;
  kernel.work[static_cast<std::size_t>(Pipe::tensor)] =
      2.0 * static_cast<double>(problem.a.rows) * static_cast<double>(problem.b.rows) * static_cast<double>(problem.a.cols);
  kernel.work[static_cast<std::size_t>(Pipe::cuda)] = program->cuda_work();
  kernel.tensor_share = tensor_share_of(gpu, shared_memory_share(gpu, problem, tiling));
  kernel.footprint = {read_footprint(problem.a), read_footprint(problem.b)};
  if (problem.b_scales.rows != 0) kernel.footprint.push_back(read_footprint(problem.b_scales));
  if (problem.bias.rows != 0 && !split) kernel.footprint.push_back(read_footprint(problem.bias));
  Footprint out = write_footprint(split ? used_workspace(problem, tiling) : problem.c);
  if (problem.add_c && !split) out.read = problem.c.bytes();
  kernel.footprint.push_back(out);
  kernel.program = std::move(program);
  return kernel;
}

Kernel make_split_k_reduce(const DeviceShape& gpu, const GemmProblem& problem, const GemmTiling& tiling) {
  check_shapes(problem, tiling);
  if (tiling.split_k < 2) throw std::logic_error("gemm: nothing to reduce without split_k");
  // The widest run of columns that still gives every SM a block: a run of 1,024 fp32 is 4 KiB per part.
  std::uint32_t columns = 1024;
  while (columns > 128 && problem.a.rows * ceil_div(problem.b.rows, columns) < gpu.sms) columns /= 2;
  auto program = std::make_shared<SplitKReduceProgram>(problem, tiling.split_k, columns);
  Kernel kernel;
  kernel.label = fmt::format("split-k reduce {}", tiling.split_k);
  kernel.grid = program->grid();
  kernel.blocks_per_sm = std::min(8U, gpu.max_blocks_per_sm);
  kernel.tensor_type = problem.tensor_type;
  const double outputs = static_cast<double>(problem.c.rows) * static_cast<double>(problem.c.cols);
  kernel.work[static_cast<std::size_t>(Pipe::cuda)] =
      outputs * (tiling.split_k - 1 + (problem.add_c ? 1 : 0) + (problem.bias.rows != 0 ? 1 : 0));
  Footprint out = write_footprint(problem.c);
  if (problem.add_c) out.read = problem.c.bytes();
  kernel.footprint = {read_footprint(used_workspace(problem, tiling)), out};
  if (problem.bias.rows != 0) kernel.footprint.push_back(read_footprint(problem.bias));
  kernel.program = std::move(program);
  return kernel;
}

}  // namespace rooftrace
