// What stands around the GEMMs of experts: choice, sorting, weighted sum.
#include <algorithm>
#include <stdexcept>

#include "traces/moe_gemm.hpp"
#include "traces/tile_access.hpp"

namespace rooftrace {
namespace {

constexpr std::uint64_t kSortBytes = 16 * 1024;  // What the sorting block reads at once.

std::uint64_t ceil_div(std::uint64_t a, std::uint64_t b) {
  return (a + b - 1) / b;
}

/// Per (token, expert): maximum, subtract, sum, and a comparison per choice.
Work top_k_work(std::uint64_t experts, std::uint32_t per_token) {
  Work work{};
  work[static_cast<std::size_t>(Pipe::cuda)] = static_cast<double>(experts) * (3.0 + per_token);
  work[static_cast<std::size_t>(Pipe::sfu)] = static_cast<double>(experts);
  return work;
}

class TopKProgram final : public BlockProgram {
 public:
  TopKProgram(const Matrix& scores, const Matrix& routes, std::uint32_t per_token)
      : experts_(scores.cols),
        per_token_(per_token),
        work_(top_k_work(experts_, per_token)),
        scores_(scores, AccessOp::load),
        routes_(routes, AccessOp::store) {}
  [[nodiscard]] std::uint32_t steps(std::uint32_t) const override { return 1; }
  void fill(std::uint32_t block, std::uint32_t, Step& out) const override {
    scores_.push(out.loads, block, 1, 0, experts_);
    out.work = work_;
    routes_.push(out.stores, block, 1, 0, 2ULL * per_token_);
  }

 private:
  std::uint64_t experts_;
  std::uint32_t per_token_;
  Work work_;
  TileOperand scores_, routes_;
};

class SortProgram final : public BlockProgram {
 public:
  SortProgram(const Matrix& routes, const Matrix& list)
      : tokens_(routes.rows),
        columns_(routes.cols),
        per_step_(std::max<std::uint64_t>(1, kSortBytes / routes.row_bytes())),
        routes_(routes, AccessOp::load),
        list_(list, AccessOp::store) {}
  [[nodiscard]] std::uint32_t steps(std::uint32_t) const override { return static_cast<std::uint32_t>(ceil_div(tokens_, per_step_)); }
  void fill(std::uint32_t, std::uint32_t step, Step& out) const override {
    const std::uint64_t first = step * per_step_;
    const std::uint64_t tokens = std::min(per_step_, tokens_ - first);
    routes_.push(out.loads, first, tokens, 0, columns_);
    out.work[static_cast<std::size_t>(Pipe::cuda)] = static_cast<double>(tokens * columns_ / 2);
    list_.push(out.stores, 0, 1, first * columns_ / 2, tokens * columns_ / 2);
  }

 private:
  std::uint64_t tokens_, columns_, per_step_;
  TileOperand routes_, list_;
};

class CombineProgram final : public BlockProgram {
 public:
  CombineProgram(const Matrix& in, const Matrix& routes, const Matrix& out)
      : hidden_(out.cols),
        per_token_(routes.cols / 2),
        in_(in, AccessOp::load),
        routes_(routes, AccessOp::load),
        out_(out, AccessOp::store) {}
  [[nodiscard]] std::uint32_t steps(std::uint32_t) const override { return 1; }
  void fill(std::uint32_t block, std::uint32_t, Step& out) const override {
    in_.push(out.loads, block * per_token_, per_token_, 0, hidden_);
    routes_.push(out.loads, block, 1, 0, 2 * per_token_);
    out.work[static_cast<std::size_t>(Pipe::cuda)] = 2.0 * static_cast<double>(per_token_ * hidden_);
    out_.push(out.stores, block, 1, 0, hidden_);
  }

 private:
  std::uint64_t hidden_, per_token_;
  TileOperand in_, routes_, out_;
};

}  // namespace

Kernel make_top_k(const DeviceShape& gpu, const Matrix& scores, const Matrix& routes, std::uint32_t per_token) {
  if (scores.rows != routes.rows || routes.cols != 2ULL * per_token) throw std::logic_error("top-k: the matrices do not fit together");
  Kernel kernel;
  kernel.label = "router top-k";
  kernel.grid = static_cast<std::uint32_t>(scores.rows);
  kernel.blocks_per_sm = std::min(16U, gpu.max_blocks_per_sm);  // A few warps each.
  kernel.work = top_k_work(scores.cols, per_token);
  for (double& amount : kernel.work) amount *= static_cast<double>(scores.rows);
  kernel.footprint = {read_footprint(scores), write_footprint(routes)};
  kernel.program = std::make_shared<TopKProgram>(scores, routes, per_token);
  return kernel;
}

Kernel make_sort_by_expert(const Matrix& routes, const Matrix& list) {
  if (list.rows != 1 || list.cols * 2 != routes.rows * routes.cols) throw std::logic_error("sort by expert: the matrices do not fit");
  Kernel kernel;
  kernel.label = "router sort";
  kernel.grid = 1;
  kernel.blocks_per_sm = 1;
  kernel.depth = 2;
  kernel.work[static_cast<std::size_t>(Pipe::cuda)] = static_cast<double>(list.cols);
  kernel.footprint = {read_footprint(routes), write_footprint(list)};
  kernel.program = std::make_shared<SortProgram>(routes, list);
  return kernel;
}

Kernel make_moe_combine(const DeviceShape& gpu, const Matrix& in, const Matrix& routes, const Matrix& out) {
  if (in.rows * 2 != routes.rows * routes.cols || routes.rows != out.rows || in.cols != out.cols) {
    throw std::logic_error("moe combine: the matrices do not fit together");
  }
  Kernel kernel;
  kernel.label = "moe combine";
  kernel.grid = static_cast<std::uint32_t>(out.rows);
  kernel.blocks_per_sm = std::min(2U, gpu.max_blocks_per_sm);  // 1,024 threads, as the other kernels that take a row each
  kernel.work[static_cast<std::size_t>(Pipe::cuda)] = 2.0 * static_cast<double>(in.rows) * static_cast<double>(in.cols);
  kernel.footprint = {read_footprint(in), read_footprint(routes), write_footprint(out)};
  kernel.program = std::make_shared<CombineProgram>(in, routes, out);
  return kernel;
}

}  // namespace rooftrace
