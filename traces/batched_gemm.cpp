// The batch is the program of one head, moved to the addresses of another: so that it can be no other GEMM than the plain one.
#include "traces/batched_gemm.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <stdexcept>

namespace rooftrace {
namespace {

class BatchedProgram final : public BlockProgram {
 public:
  BatchedProgram(const BatchedGemmProblem& problem, const Kernel& one)
      : one_(one.program), grid_(one.grid), a_(problem.a_stride), b_(problem.b_stride), c_(problem.c_stride) {}

  [[nodiscard]] std::uint32_t steps(std::uint32_t block) const override { return one_->steps(block % grid_); }

  void fill(std::uint32_t block, std::uint32_t step, Step& out) const override {
    const std::uint64_t head = block / grid_;
    one_->fill(block % grid_, step, out);
    for (Access& load : out.loads) load.address += head * (load.role == TensorRole::weights ? b_ : a_);
    for (Access& store : out.stores) store.address += head * c_;
  }

 private:
  std::shared_ptr<const BlockProgram> one_;
  std::uint32_t grid_;
  std::uint64_t a_, b_, c_;
};

}  // namespace

GemmTiling choose_batched_tiling(const DeviceShape& gpu, std::uint64_t m, std::uint64_t n, std::uint64_t k, std::uint32_t count,
                                 DataType weights, DataType activations) {
  GemmTiling tiling = choose_gemm_tiling(gpu, m, n * count, k, weights, activations);
  tiling.block_n = static_cast<std::uint32_t>(std::min<std::uint64_t>(tiling.block_n, (n + 15) / 16 * 16));
  tiling.split_k = tiling.cluster_m = tiling.cluster_n = 1;
  tiling.persistent = false;
  return tiling;
}

Kernel make_batched_gemm(const DeviceShape& gpu, const BatchedGemmProblem& problem, const GemmTiling& tiling) {
  const GemmProblem& first = problem.first;
  if (tiling.split_k != 1 || tiling.cluster_m * tiling.cluster_n != 1 || tiling.persistent) {
    throw std::invalid_argument(
        fmt::format("batched gemm tiling {}: the GEMM of heads has no split-K, no clusters and no persistent blocks", tiling.text()));
  }
  if (problem.count == 0 || first.b.role != TensorRole::weights || first.a.role == TensorRole::weights || first.b_scales.rows != 0 ||
      first.bias.rows != 0 || first.add_c) {
    throw std::logic_error("batched gemm: heads of activations times weights, and nothing else");
  }
  Kernel kernel = make_gemm(gpu, first, tiling);
  const std::uint64_t grid = std::uint64_t{kernel.grid} * problem.count;
  if (grid > UINT32_MAX) throw std::invalid_argument(fmt::format("batched gemm: {} blocks are not a grid", grid));
  auto program = std::make_shared<BatchedProgram>(problem, kernel);
  kernel.label = fmt::format("batched {} heads {}", problem.count, kernel.label);
  kernel.grid = static_cast<std::uint32_t>(grid);
  for (double& amount : kernel.work) amount *= problem.count;
  for (Footprint& footprint : kernel.footprint) {
    footprint.read *= problem.count;
    footprint.written *= problem.count;
  }
  kernel.program = std::move(program);
  return kernel;
}

}  // namespace rooftrace
