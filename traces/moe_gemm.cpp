// The grouped GEMM of a mixture of experts.
#include "traces/moe_gemm.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>
#include <utility>
#include <vector>

#include "traces/tile_access.hpp"

namespace rooftrace {
namespace {

std::uint64_t ceil_div(std::uint64_t a, std::uint64_t b) {
  return (a + b - 1) / b;
}

struct RowTile {
  std::uint32_t expert = 0, rows = 0;
  std::uint64_t first = 0;  ///< In ExpertRouting::slots.
};

std::vector<RowTile> row_tiles(const ExpertRouting& routing, std::uint32_t block_m) {
  std::vector<RowTile> tiles;
  for (std::uint32_t expert = 0; expert < routing.experts; ++expert) {
    for (std::uint64_t first = routing.begin[expert]; first < routing.begin[expert + 1ULL]; first += block_m) {
      const auto rows = static_cast<std::uint32_t>(std::min<std::uint64_t>(block_m, routing.begin[expert + 1ULL] - first));
      tiles.push_back({expert, rows, first});
    }
  }
  return tiles;
}

Matrix list_of(std::uint64_t address, std::uint64_t slots) {
  Matrix list;
  list.address = address;
  list.rows = 1;
  list.cols = slots;
  list.pitch = slots * 4;
  list.type = DataType::fp32;  // int32 in truth: four bytes
  list.role = TensorRole::tables;
  list.produced = true;
  return list;
}

class MoeGemmProgram final : public BlockProgram {
 public:
  MoeGemmProgram(const MoeGemmProblem& problem, const GemmTiling& tiling)
      : t_(tiling),
        n_(problem.c.cols),
        k_(problem.a.cols),
        divisor_(problem.row_per_token ? problem.routing->per_token : 1),
        has_scales_(problem.b_scales.rows != 0),
        routing_(problem.routing),
        tiles_(row_tiles(*problem.routing, tiling.block_m)),
        columns_(ceil_div(n_, tiling.block_n)),
        a_(problem.a, AccessOp::load),
        b_(problem.b, AccessOp::load),
        scales_(problem.b_scales, AccessOp::load),
        c_(problem.c, AccessOp::store),
        list_(list_of(problem.list, problem.routing->slots.size()), AccessOp::load) {
    if (tiles_.size() * columns_ > UINT32_MAX) throw std::invalid_argument("moe gemm: more than 2^32 tiles");
  }

  [[nodiscard]] std::uint32_t grid() const { return static_cast<std::uint32_t>(tiles_.size() * columns_); }
  [[nodiscard]] std::uint32_t steps(std::uint32_t) const override { return static_cast<std::uint32_t>(1 + ceil_div(k_, t_.block_k)); }

  void fill(std::uint32_t block, std::uint32_t step, Step& out) const override {
    const auto [row, column] = place(block);
    const RowTile& tile = tiles_[row];
    const std::uint64_t n0 = column * t_.block_n;
    const std::uint64_t wide = std::min<std::uint64_t>(t_.block_n, n_ - n0);
    const std::uint64_t outputs = tile.expert * n_ + n0;
    if (step == 0) {
      list_.push(out.loads, 0, 1, tile.first, tile.rows);
      if (has_scales_) scales_.push(out.loads, outputs, wide, 0, 1);
      return;
    }
    const std::uint64_t k0 = std::uint64_t{step - 1} * t_.block_k;
    const std::uint64_t deep = std::min<std::uint64_t>(t_.block_k, k_ - k0);
    gather(a_, out.loads, tile, divisor_, k0, deep);
    b_.push(out.loads, outputs, wide, k0, deep);
    out.work[static_cast<std::size_t>(Pipe::tensor)] = 2.0 * static_cast<double>(tile.rows * wide) * static_cast<double>(deep);
    if (step + 1 < steps(block)) return;
    gather(c_, out.stores, tile, 1, n0, wide);
  }

 private:
  /// The rows of a tile, neighbours in one access.
  void gather(const TileOperand& operand, std::vector<Access>& out, const RowTile& tile, std::uint32_t divisor, std::uint64_t col,
              std::uint64_t cols) const {
    const std::uint32_t* slot = routing_->slots.data() + tile.first;
    for (std::uint32_t i = 0; i < tile.rows;) {
      const std::uint32_t row = slot[i] / divisor;
      std::uint32_t run = 1;
      while (i + run < tile.rows && slot[i + run] / divisor == row + run) ++run;
      operand.push(out, row, run, col, cols);
      i += run;
    }
  }

  /// Block -> row tile and column tile, in Triton's grouped order.
  [[nodiscard]] std::pair<std::uint64_t, std::uint64_t> place(std::uint64_t block) const {
    const std::uint64_t per_group = t_.group_m * columns_;
    const std::uint64_t first = block / per_group * t_.group_m;
    const std::uint64_t height = std::min<std::uint64_t>(tiles_.size() - first, t_.group_m);
    const std::uint64_t inside = block % per_group;
    return {first + inside % height, inside / height};
  }

  GemmTiling t_;
  std::uint64_t n_, k_;
  std::uint32_t divisor_;
  bool has_scales_;
  std::shared_ptr<const ExpertRouting> routing_;
  std::vector<RowTile> tiles_;
  std::uint64_t columns_;
  TileOperand a_, b_, scales_, c_, list_;
};

}  // namespace

GemmTiling choose_moe_tiling(const DeviceShape& gpu, const ExpertRouting& routing, DataType weights, DataType activations) {
  constexpr std::uint32_t kLeastRows = 16, kMostRows = 128, kMostStages = 4, kMostBlocks = 4;
  constexpr std::uint64_t kSumBytes = 128 * 1024;  // Half of an SM's registers.
  const std::uint64_t average = ceil_div(routing.slots.size(), std::max(1U, routing.touched()));
  GemmTiling t;
  t.block_m = kLeastRows;
  while (t.block_m < kMostRows && t.block_m < average) t.block_m *= 2;
  t.block_n = t.block_m < 64 ? 64 : 128;
  t.block_k = 64;
  t.raster = Raster::grouped;
  t.group_m = average > t.block_m ? 8 : 1;
  const std::uint64_t stage = gemm_stage_bytes(t, activations, weights);
  const std::uint64_t shared = gpu.shared_memory_per_sm == 0 ? ~0ULL : gpu.shared_memory_per_sm;
  const std::uint64_t block = gpu.shared_memory_per_block == 0 ? ~0ULL : gpu.shared_memory_per_block;
  t.stages = static_cast<std::uint32_t>(std::clamp<std::uint64_t>(std::min(block, shared / 2) / stage, 2, kMostStages));
  const std::uint64_t by_sums = kSumBytes / (std::uint64_t{t.block_m} * t.block_n * 4);
  const std::uint64_t most = std::min<std::uint64_t>({shared / (stage * (t.stages - 1)), by_sums, kMostBlocks, gpu.max_blocks_per_sm});
  t.blocks_per_sm = static_cast<std::uint32_t>(std::max<std::uint64_t>(1, most));
  return t;
}

Kernel make_moe_gemm(const DeviceShape& gpu, const MoeGemmProblem& problem, const GemmTiling& tiling) {
  const ExpertRouting& routing = *problem.routing;
  const std::uint64_t slots = routing.slots.size();
  const Matrix &a = problem.a, &b = problem.b, &c = problem.c;
  const bool fits = slots > 0 && a.cols == b.cols && a.cols > 0 && b.rows == routing.experts * c.cols && c.rows == slots &&
                    a.rows == (problem.row_per_token ? routing.tokens : slots) &&
                    (problem.b_scales.rows == 0 || problem.b_scales.rows == b.rows);
  if (!fits) throw std::logic_error("moe gemm: the matrices do not fit together");
  if (tiling.split_k != 1 || tiling.cluster_m * tiling.cluster_n != 1 || tiling.persistent) {
    throw std::invalid_argument(
        fmt::format("moe gemm tiling {}: the GEMM of experts has no split-K, no clusters and no persistent blocks", tiling.text()));
  }
  GemmProblem one;  // What a tiling must satisfy is the same as for a plain GEMM.
  one.a = a;
  one.b = b;
  check_gemm_tiling(gpu, one, tiling);
  const auto program = std::make_shared<MoeGemmProgram>(problem, tiling);
  Kernel kernel;
  kernel.label = "moe gemm " + tiling.text();
  kernel.grid = program->grid();
  kernel.blocks_per_sm = tiling.blocks_per_sm;
  kernel.depth = std::max(1U, tiling.stages - 1);
  kernel.early_loads = tiling.stages > 1;
  kernel.tensor_type = problem.tensor_type;
  if (problem.for_a100) {
    kernel.tensor_share = warp_mma_share(gpu);
    if (kernel.tensor_type == DataType::fp8 && kernel.tensor_share < 1) kernel.tensor_type = DataType::fp16;
  }
  kernel.work[static_cast<std::size_t>(Pipe::tensor)] =
      2.0 * static_cast<double>(slots) * static_cast<double>(c.cols) * static_cast<double>(a.cols);
  Matrix touched = b;
  touched.rows = routing.touched() * c.cols;
  kernel.footprint = {read_footprint(a), read_footprint(touched), write_footprint(c), read_footprint(list_of(problem.list, slots))};
  if (problem.b_scales.rows != 0) {
    Matrix scales = problem.b_scales;
    scales.rows = touched.rows;
    kernel.footprint.push_back(read_footprint(scales));
  }
  kernel.program = program;
  return kernel;
}

}  // namespace rooftrace
