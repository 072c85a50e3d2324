// The GEMM of experts and what stands around it: bytes by hand, laws by the walk, order of the tiles.
#include "traces/moe_gemm.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/traces/shapes.hpp"
#include "traces/trace_check.hpp"

namespace rooftrace {
namespace {

using ::testing::IsEmpty;

Matrix matrix(std::uint64_t index, std::uint64_t rows, std::uint64_t cols, TensorRole role, DataType type = DataType::bf16) {
  Matrix out;
  out.address = (index + 1) << 32;
  out.rows = rows;
  out.cols = cols;
  out.type = type;
  out.role = role;
  out.pitch = out.row_bytes();
  return out;
}

/// 4 experts, 1 of them for each of 5 tokens: 0, 2, 2, 2, 0.
std::shared_ptr<const ExpertRouting> routing() {
  auto out = std::make_shared<ExpertRouting>();
  out->experts = 4;
  out->per_token = 1;
  out->tokens = 5;
  out->slots = {0, 4, 1, 2, 3};
  out->begin = {0, 2, 2, 5, 5};
  return out;
}

MoeGemmProblem problem() {
  MoeGemmProblem p;
  p.a = matrix(0, 5, 128, TensorRole::activations);
  p.row_per_token = true;
  p.b = matrix(1, 4 * 96, 128, TensorRole::weights);
  p.c = matrix(2, 5, 96, TensorRole::kv);  // A role of its own, so that the tests can tell C from A.
  p.list = 4ULL << 32;
  p.routing = routing();
  return p;
}

GemmTiling tiling(std::uint32_t group) {
  GemmTiling t;
  t.block_m = 2;
  t.block_n = 64;
  t.block_k = 64;
  t.raster = Raster::grouped;
  t.group_m = group;
  return t;
}

// Row tiles: expert 0 has slots {0, 4}, expert 2 {1, 2} and {3}; two column tiles of 64 and 32. B: two experts of 96 x 128 x 2 B are
// touched, the first once per row tile, the second twice. A: each row tile once per column tile.
TEST(MoeGemm, ReadsTheExpertsThatHaveTokens) {
  const Kernel kernel = make_moe_gemm(shapes::h100(), problem(), tiling(1));
  EXPECT_EQ(kernel.grid, 6U);
  const TraceTotals totals = measure(kernel);
  EXPECT_EQ(totals.at(TensorRole::weights).distinct_read, 2 * 96 * 128 * 2U);
  EXPECT_EQ(totals.at(TensorRole::weights).loaded, 3 * 96 * 128 * 2U);
  EXPECT_EQ(totals.at(TensorRole::activations).loaded, 2 * 5 * 128 * 2U);
  EXPECT_EQ(totals.at(TensorRole::kv).stored, 5 * 96 * 2U);
  EXPECT_EQ(totals.at(TensorRole::tables).loaded, 2 * 5 * 4U);
  EXPECT_EQ(totals.work[static_cast<std::size_t>(Pipe::tensor)], 2.0 * 5 * 96 * 128);
  EXPECT_THAT(check_kernel(kernel), IsEmpty());
}

// Slots 0 and 4 are two rows apart from each other, 1 and 2 neighbours: two accesses, and one.
TEST(MoeGemm, NeighbouringRowsAreOneAccess) {
  const Kernel kernel = make_moe_gemm(shapes::h100(), problem(), tiling(1));
  Step step;
  kernel.program->fill(0, 1, step);  // Expert 0, columns 0 to 63; step 0 read the list.
  EXPECT_EQ(step.loads.size(), 3U);  // Two rows of A, one tile of B.
  step.clear();
  kernel.program->fill(2, 1, step);  // Expert 2, its first two tokens.
  ASSERT_EQ(step.loads.size(), 2U);
  EXPECT_EQ(step.loads[0].rows, 2U);
  EXPECT_EQ(step.loads[1].address, problem().b.address + 2 * 96 * 256);
}

// Row-major: both column tiles of a row tile follow each other. Groups of 2: two row tiles, then their next columns.
TEST(MoeGemm, GroupedOrderWalksRowTilesFirst) {
  const auto outputs = [](const Kernel& kernel, std::uint32_t block) {
    Step step;
    kernel.program->fill(block, 1, step);
    return (step.loads.back().address - problem().b.address) / 256;  // The first row of B.
  };
  const Kernel plain = make_moe_gemm(shapes::h100(), problem(), tiling(1));
  const Kernel grouped = make_moe_gemm(shapes::h100(), problem(), tiling(2));
  const std::vector<std::uint64_t> expected_plain = {0, 64, 192, 256, 192, 256}, expected_grouped = {0, 192, 64, 256, 192, 256};
  for (std::uint32_t block = 0; block < 6; ++block) {
    EXPECT_EQ(outputs(plain, block), expected_plain[block]);
    EXPECT_EQ(outputs(grouped, block), expected_grouped[block]);
  }
}

TEST(MoeGemm, RowsOfATokenAreReadByEachOfItsExperts) {
  MoeGemmProblem p;
  const auto two = route_tokens(6, 4, 2, 3);
  p.a = matrix(0, 6, 64, TensorRole::activations);
  p.row_per_token = true;
  p.b = matrix(1, 4 * 32, 64, TensorRole::weights);
  p.b_scales = matrix(3, 4 * 32, 1, TensorRole::scales, DataType::fp32);
  p.c = matrix(2, 12, 32, TensorRole::kv);
  p.list = 5ULL << 32;
  p.routing = two;
  const Kernel kernel = make_moe_gemm(shapes::h100(), p, tiling(1));
  EXPECT_EQ(measure(kernel).at(TensorRole::activations).loaded, 12 * 128U);
  EXPECT_EQ(measure(kernel).at(TensorRole::activations).distinct_read, 6 * 128U);
  EXPECT_EQ(measure(kernel).at(TensorRole::scales).distinct_read, two->touched() * 32 * 4U);
  EXPECT_THAT(check_kernel(kernel), IsEmpty());
}

TEST(MoeGemm, TheRuleFollowsTheRowsOfAnExpert) {
  // One sequence: one row per touched expert. 4,096 tokens over 8 experts, 2 each: 1,024 rows.
  const GemmTiling one = choose_moe_tiling(shapes::h100(), *route_tokens(1, 8, 2, 1), DataType::bf16, DataType::bf16);
  EXPECT_EQ(one.block_m, 16U);
  EXPECT_EQ(one.block_n, 64U);
  EXPECT_EQ(one.group_m, 1U);
  EXPECT_EQ(one.blocks_per_sm, 4U);
  const GemmTiling many = choose_moe_tiling(shapes::h100(), *route_tokens(4096, 8, 2, 1), DataType::bf16, DataType::bf16);
  EXPECT_EQ(many.block_m, 128U);
  EXPECT_EQ(many.block_n, 128U);
  EXPECT_EQ(many.group_m, 8U);
  // fp32 sums of 128 x 128 take 64 KiB of registers: two blocks in the 128 KiB that the rule allows.
  EXPECT_EQ(many.blocks_per_sm, 2U);
}

// mma.sync reaches 0.629 of Hopper's tensor rate, and multiplies no fp8 there; on A100 it is all there is.
TEST(MoeGemm, KernelsMadeForA100AreSlowerOnHopper) {
  DeviceShape hopper = shapes::h100();
  hopper.compute_capability = 90;
  MoeGemmProblem p = problem();
  p.tensor_type = DataType::fp8;
  EXPECT_DOUBLE_EQ(make_moe_gemm(hopper, p, tiling(2)).tensor_share, 1);
  p.for_a100 = true;
  const Kernel old = make_moe_gemm(hopper, p, tiling(2));
  EXPECT_DOUBLE_EQ(old.tensor_share, 0.629);
  EXPECT_EQ(old.tensor_type, DataType::fp16);
  DeviceShape ampere = shapes::a100();
  ampere.compute_capability = 80;
  EXPECT_DOUBLE_EQ(make_moe_gemm(ampere, p, tiling(2)).tensor_share, 1);
  EXPECT_EQ(make_moe_gemm(ampere, p, tiling(2)).tensor_type, DataType::fp8);
}

TEST(MoeRouter, ChoosesSortsAndCombines) {
  const Matrix scores = matrix(0, 7, 16, TensorRole::activations);
  const Matrix routes = matrix(1, 7, 2 * 3, TensorRole::tables, DataType::fp32);
  Matrix list = matrix(2, 1, 21, TensorRole::scales, DataType::fp32);
  const Kernel top = make_top_k(shapes::h100(), scores, routes, 3);
  EXPECT_EQ(measure(top).at(TensorRole::tables).stored, 7 * 3 * 8U);
  EXPECT_EQ(top.work[static_cast<std::size_t>(Pipe::cuda)], 7.0 * 16 * 6);
  EXPECT_THAT(check_kernel(top), IsEmpty());
  const Kernel sort = make_sort_by_expert(routes, list);
  EXPECT_EQ(measure(sort).at(TensorRole::scales).stored, 21 * 4U);
  EXPECT_THAT(check_kernel(sort), IsEmpty());
  const Kernel combine =
      make_moe_combine(shapes::h100(), matrix(3, 21, 64, TensorRole::activations), routes, matrix(4, 7, 64, TensorRole::kv));
  EXPECT_EQ(measure(combine).at(TensorRole::activations).loaded, 21 * 128U);
  EXPECT_EQ(measure(combine).at(TensorRole::kv).stored, 7 * 128U);
  EXPECT_EQ(combine.work[static_cast<std::size_t>(Pipe::cuda)], 2.0 * 21 * 64);
  EXPECT_THAT(check_kernel(combine), IsEmpty());
}

}  // namespace
}  // namespace rooftrace
