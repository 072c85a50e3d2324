// Row kernels: bytes and work by hand, laws by the walk.
#include "traces/elementwise.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "traces/trace_check.hpp"

namespace rooftrace {
namespace {

using ::testing::IsEmpty;

constexpr auto kCuda = static_cast<int>(Pipe::cuda);
constexpr auto kSfu = static_cast<int>(Pipe::sfu);

DeviceShape gpu() {
  DeviceShape shape;
  shape.sms = 132;
  shape.max_blocks_per_sm = 32;
  return shape;
}

Matrix matrix(std::uint64_t index, std::uint64_t rows, std::uint64_t cols, TensorRole role = TensorRole::activations,
              DataType type = DataType::bf16) {
  Matrix out;
  out.address = (index + 1) << 32;
  out.rows = rows;
  out.cols = cols;
  out.type = type;
  out.role = role;
  out.pitch = out.row_bytes();
  return out;
}

// Gain and bias are two rows; sum, subtract the mean and add the bias are three FLOP more than in an RMSNorm.
TEST(Elementwise, ALayerNormHasAGainAndABias) {
  RmsNormProblem p;
  p.x = matrix(0, 3, 1024);
  p.out = matrix(1, 3, 1024);
  p.gain = matrix(2, 2, 1024, TensorRole::weights);
  const Kernel kernel = make_rms_norm(gpu(), p);
  EXPECT_EQ(kernel.label, "layer_norm");
  const TraceTotals totals = measure(kernel);
  EXPECT_EQ(totals.at(TensorRole::weights).distinct_read, 2 * 2048U);
  EXPECT_EQ(totals.work[kCuda], 3 * 1024 * 7);
  EXPECT_THAT(check_kernel(kernel), IsEmpty());
}

TEST(Elementwise, ActivationsCostWhatTheirFormulasSay) {
  struct Cost {
    Activation f;
    int cuda, sfu;
  };
  for (const Cost& cost : {Cost{Activation::silu, 3, 2}, Cost{Activation::gelu, 8, 1}, Cost{Activation::relu, 1, 0}}) {
    const Kernel plain = make_activation(gpu(), matrix(0, 5, 300), matrix(1, 5, 300), cost.f);
    TraceTotals totals = measure(plain);
    EXPECT_EQ(totals.work[kCuda], 1500 * cost.cuda) << name(cost.f);
    EXPECT_EQ(totals.work[kSfu], 1500 * cost.sfu) << name(cost.f);
    EXPECT_EQ(totals.at(TensorRole::activations).loaded, 3000U);
    EXPECT_THAT(check_kernel(plain), IsEmpty());
    const Kernel gated = make_gated_activation(gpu(), matrix(0, 5, 600), matrix(1, 5, 300), cost.f);
    totals = measure(gated);
    EXPECT_EQ(totals.work[kCuda], 1500 * (cost.cuda + 1)) << name(cost.f);
    EXPECT_EQ(totals.at(TensorRole::activations).loaded, 6000U);
    EXPECT_THAT(check_kernel(gated), IsEmpty());
  }
}

// Two sequences of 3 tokens from position 7 on: rows 7, 8, 9 of the table, each read twice.
TEST(Elementwise, PositionsOfEverySequenceAreTheSameRows) {
  const Kernel kernel = make_position_add(gpu(), matrix(0, 6, 64), matrix(1, 20, 64, TensorRole::weights), 7, 3);
  const TraceTotals totals = measure(kernel);
  EXPECT_EQ(totals.at(TensorRole::weights).loaded, 6 * 128U);
  EXPECT_EQ(totals.at(TensorRole::weights).distinct_read, 3 * 128U);
  EXPECT_EQ(totals.at(TensorRole::activations).stored, 6 * 128U);
  Step step;
  kernel.program->fill(4, 0, step);
  EXPECT_EQ(step.loads[1].address, (2ULL << 32) + 8 * 128);
  EXPECT_THAT(check_kernel(kernel), IsEmpty());
  EXPECT_THROW((void)make_position_add(gpu(), matrix(0, 6, 64), matrix(1, 9, 64), 7, 3), std::logic_error);
}

TEST(Elementwise, RmsNormReadsARowOnceAndTheGainPerRow) {
  RmsNormProblem p;
  p.x = matrix(0, 3, 4096);
  p.out = matrix(1, 3, 4096);
  p.gain = matrix(2, 1, 4096, TensorRole::weights);
  const Kernel plain = make_rms_norm(gpu(), p);
  EXPECT_EQ(plain.grid, 3U);
  EXPECT_EQ(plain.kernel_class, KernelClass::norm);
  TraceTotals totals = measure(plain);
  EXPECT_EQ(totals.at(TensorRole::activations).loaded, 3 * 8192U);
  EXPECT_EQ(totals.at(TensorRole::activations).stored, 3 * 8192U);
  EXPECT_EQ(totals.at(TensorRole::weights).loaded, 3 * 8192U);     // By each block,
  EXPECT_EQ(totals.at(TensorRole::weights).distinct_read, 8192U);  // the same 4096 gains.
  EXPECT_EQ(totals.work[kCuda], 3 * 4096 * 4);
  EXPECT_EQ(totals.work[kSfu], 3);
  EXPECT_THAT(check_kernel(plain), IsEmpty());

  p.residual = matrix(3, 3, 4096);
  const Kernel fused = make_rms_norm(gpu(), p);
  totals = measure(fused);
  EXPECT_EQ(totals.at(TensorRole::activations).loaded, 2 * 3 * 8192U);
  EXPECT_EQ(totals.at(TensorRole::activations).stored, 2 * 3 * 8192U);
  EXPECT_EQ(totals.work[kCuda], 3 * 4096 * 5);
  EXPECT_THAT(check_kernel(fused), IsEmpty());
}

TEST(Elementwise, SiluMulPairsTheHalvesOfARow) {
  const Matrix gate_up = matrix(0, 2, 2 * 14336), out = matrix(1, 2, 14336);
  const Kernel kernel = make_silu_mul(gpu(), gate_up, out);
  EXPECT_THAT(check_kernel(kernel), IsEmpty());
  EXPECT_EQ(kernel.work[kCuda], 2 * 14336 * 4);
  EXPECT_EQ(kernel.work[kSfu], 2 * 14336 * 2);
  EXPECT_EQ(measure(kernel).loaded(), gate_up.bytes());
  EXPECT_EQ(measure(kernel).stored(), out.bytes());
  // 2 rows are few: the blocks shrink to 512 B, 56 of them across a row of 28,672 B. Block 57 is the second piece of row 1.
  EXPECT_EQ(kernel.grid, 2 * 56U);
  Step step;
  kernel.program->fill(57, 0, step);
  ASSERT_EQ(step.loads.size(), 2U);
  EXPECT_EQ(step.loads[0].address, gate_up.address + gate_up.pitch + 512);
  EXPECT_EQ(step.loads[1].address, gate_up.address + gate_up.pitch + 28672 + 512);
  EXPECT_EQ(step.stores.at(0).address, out.address + out.pitch + 512);
}

TEST(Elementwise, LargePlanesTakeSixteenKiBPerBlock) {
  const Kernel kernel = make_silu_mul(gpu(), matrix(0, 2048, 2 * 14336), matrix(1, 2048, 14336));
  EXPECT_EQ(kernel.grid, 2048 * 2U);    // 28,672 B a row: one piece of 16 KiB, one of 12.
  EXPECT_EQ(kernel.blocks_per_sm, 2U);  // 1,024 threads of 16 B.
  EXPECT_THAT(check_kernel(kernel), IsEmpty());
}

TEST(Elementwise, ResidualAddMayWorkInPlace) {
  const Matrix a = matrix(0, 5, 1000), b = matrix(1, 5, 1000);
  const Kernel kernel = make_residual_add(gpu(), a, b, a);
  EXPECT_THAT(check_kernel(kernel), IsEmpty());
  const TraceTotals totals = measure(kernel);
  EXPECT_EQ(totals.loaded(), 2 * 5 * 2000U);
  EXPECT_EQ(totals.stored(), 5 * 2000U);
  EXPECT_EQ(totals.work[kCuda], 5000);
}

TEST(Elementwise, EmbeddingGathersTheDrawnRows) {
  const Matrix table = matrix(0, 1000, 64, TensorRole::weights);
  const Matrix ids = matrix(1, 1, 500, TensorRole::tables, DataType::fp32);  // Four bytes each.
  const Matrix out = matrix(2, 500, 64);
  const Kernel kernel = make_embedding(gpu(), table, ids, out, 7);
  EXPECT_THAT(check_kernel(kernel), IsEmpty());
  const TraceTotals totals = measure(kernel);
  EXPECT_EQ(totals.at(TensorRole::weights).loaded, 500 * 128U);
  EXPECT_EQ(totals.at(TensorRole::tables).distinct_read, 2000U);
  // 500 draws of 1,000: 1000 * (1 - 0.999^500) = 394 different ones are expected, with a deviation of about 9.
  EXPECT_NEAR(static_cast<double>(totals.at(TensorRole::weights).distinct_read) / 128, 394, 45);
  // The id comes first, the row in a step of its own that waits for it.
  EXPECT_EQ(kernel.depth, 1U);
  EXPECT_EQ(kernel.program->steps(3), 2U);
  Step step;
  kernel.program->fill(3, 0, step);
  EXPECT_EQ(step.loads.at(0).address, ids.address + 12);
  const Kernel same = make_embedding(gpu(), table, Matrix{}, out, 7), other = make_embedding(gpu(), table, Matrix{}, out, 8);
  Step again, different;
  step.clear();
  kernel.program->fill(3, 1, step);
  same.program->fill(3, 0, again);
  other.program->fill(3, 0, different);
  EXPECT_EQ(step.loads.at(0).address, again.loads.at(0).address);
  EXPECT_NE(step.loads.at(0).address, different.loads.at(0).address);
}

}  // namespace
}  // namespace rooftrace
