// Softmax and layer norm: passes, rounds and residency by hand, laws by the walk.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "traces/elementwise.hpp"
#include "traces/trace_check.hpp"

namespace rooftrace {
namespace {

using ::testing::IsEmpty;

constexpr auto kCuda = static_cast<std::size_t>(Pipe::cuda);
constexpr auto kSfu = static_cast<std::size_t>(Pipe::sfu);

DeviceShape gpu() {
  DeviceShape shape;
  shape.sms = 108;
  shape.max_blocks_per_sm = 32;
  shape.shared_memory_per_sm = 164 * 1024;
  return shape;
}

Matrix matrix(std::uint64_t index, std::uint64_t rows, std::uint64_t cols, DataType type = DataType::fp16) {
  Matrix out;
  out.address = (index + 1) << 32;
  out.rows = rows;
  out.cols = cols;
  out.type = type;
  out.pitch = out.row_bytes();
  return out;
}

Step step_of(const Kernel& kernel, std::uint32_t step) {
  Step out;
  kernel.program->fill(0, step, out);
  return out;
}

TEST(RowPasses, WarpsKeepShortRows) {
  // 32 columns: two rows a warp, eight a block, 4,096 rows in 512 blocks; back to back, so one access each.
  const Kernel kernel = make_softmax(gpu(), matrix(0, 4096, 32), matrix(1, 4096, 32));
  EXPECT_EQ(kernel.grid, 512U);
  EXPECT_EQ(measure(kernel).accesses, 2 * 512U);
  EXPECT_EQ(kernel.work[kCuda], 4096 * 32 * 50);
  EXPECT_EQ(kernel.work[kSfu], 4096 * 32 * 2);
  EXPECT_THAT(check_kernel(kernel), IsEmpty());
  // 1,024 columns: a row a warp, 32 elements a thread, 80 registers: 65,536 / (128 x 80) = 6 blocks; 512 columns need 48: 10 blocks.
  EXPECT_EQ(make_softmax(gpu(), matrix(0, 100, 1024), matrix(1, 100, 1024)).blocks_per_sm, 6U);
  EXPECT_EQ(make_softmax(gpu(), matrix(0, 100, 512), matrix(1, 100, 512)).blocks_per_sm, 10U);
  EXPECT_EQ(make_softmax(gpu(), matrix(0, 100, 512), matrix(1, 100, 512)).grid, 25U);
}

TEST(RowPasses, SoftmaxReadsLongRowsInRounds) {
  // 4,096 columns: 512 vectors of 8 for 256 threads, so two rounds of 4 KiB; eight blocks of 8 KiB stay in L1, and two passes load nothing.
  const Matrix in = matrix(0, 10, 4096), out = matrix(1, 10, 4096);
  const Kernel kernel = make_softmax(gpu(), in, out);
  EXPECT_THAT(check_kernel(kernel), IsEmpty());
  EXPECT_EQ(kernel.grid, 10U);
  EXPECT_EQ(kernel.blocks_per_sm, 8U);
  EXPECT_EQ(kernel.program->steps(0), 4U);
  EXPECT_EQ(measure(kernel).loaded(), in.bytes());
  EXPECT_EQ(measure(kernel).stored(), out.bytes());
  EXPECT_EQ(step_of(kernel, 1).pause, 0);
  // Four barriers of 25 clocks, four accesses of 23, 32 reads that eight warps' threads make from one bank, eight sums of 4: 480 clocks of
  // 0.709 ns.
  EXPECT_NEAR(static_cast<double>(step_of(kernel, 2).pause), 480 / 1.41e9 * 1e12, 1);
  EXPECT_TRUE(step_of(kernel, 2).loads.empty());
  EXPECT_GT(step_of(kernel, 3).pause, 0);
  // 32,768 columns: four blocks of 64 KiB do not fit in 164 KiB of L1: eight rounds of 512 threads, three times.
  const Matrix longer = matrix(0, 10, 32768), result = matrix(1, 10, 32768);
  const Kernel reread = make_softmax(gpu(), longer, result);
  EXPECT_THAT(check_kernel(reread), IsEmpty());
  EXPECT_EQ(reread.program->steps(0), 24U);
  EXPECT_EQ(measure(reread).loaded(), 3 * longer.bytes());
  EXPECT_EQ(step_of(reread, 8).pause, step_of(reread, 16).pause);
  EXPECT_EQ(step_of(reread, 9).pause, 0);
}

TEST(RowPasses, LayerNormTakesTwoSumsAndAResult) {
  // 16,384 columns: eight blocks of 32 KiB are too much for L1, so all three passes load; the gain is read with the last.
  const Matrix in = matrix(0, 10, 16384), out = matrix(1, 10, 16384), gain = matrix(2, 1, 16384);
  const Kernel kernel = make_layer_norm(gpu(), in, gain, out);
  EXPECT_THAT(check_kernel(kernel), IsEmpty());
  EXPECT_EQ(kernel.program->steps(0), 24U);
  EXPECT_EQ(measure(kernel).loaded(), 3 * in.bytes() + 10 * gain.bytes());
  EXPECT_EQ(measure(kernel).stored(), out.bytes());
  // 4,096: they stay. 1,024: in registers, no reduction waits.
  EXPECT_EQ(measure(make_layer_norm(gpu(), matrix(0, 10, 4096), matrix(2, 1, 4096), matrix(1, 10, 4096))).loaded(), 20 * 8192U);
  const Kernel narrow = make_layer_norm(gpu(), matrix(0, 10, 1024), matrix(2, 1, 1024), matrix(1, 10, 1024));
  EXPECT_EQ(narrow.program->steps(0), 1U);
  EXPECT_EQ(step_of(narrow, 0).pause, 0);
}

TEST(RowPasses, PaddedPitchesAndOddWidthsAreHonoured) {
  Matrix in = matrix(0, 7, 50), out = matrix(1, 7, 50);
  in.pitch = 256;
  out.pitch = 512;
  EXPECT_THAT(check_kernel(make_softmax(gpu(), in, out)), IsEmpty());
  EXPECT_EQ(measure(make_softmax(gpu(), in, out)).address_end, out.address + 6 * 512 + 100);
  for (const std::uint64_t cols : {1ULL, 129ULL, 1025ULL, 5000ULL, 50257ULL}) {
    for (const DataType type : {DataType::fp16, DataType::fp32}) {
      const Matrix a = matrix(0, 3, cols, type), b = matrix(1, 3, cols, type), g = matrix(2, 1, cols, type);
      EXPECT_THAT(check_kernel(make_softmax(gpu(), a, b)), IsEmpty()) << cols;
      EXPECT_THAT(check_kernel(make_layer_norm(gpu(), a, g, b)), IsEmpty()) << cols;
    }
  }
}

}  // namespace
}  // namespace rooftrace
