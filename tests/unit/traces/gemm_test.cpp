// Which bytes a tiled GEMM asks for: by hand, by the walk, and by the raster.
#include "traces/gemm.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "tests/unit/traces/shapes.hpp"
#include "traces/trace_check.hpp"

namespace rooftrace {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::uint64_t kA = 1ULL << 32, kB = 2ULL << 32, kC = 3ULL << 32, kScales = 4ULL << 32, kWorkspace = 5ULL << 32;

DeviceShape gpu(std::uint32_t sms = 4, std::uint32_t max_cluster = 8) {
  DeviceShape shape;
  shape.sms = sms;
  shape.max_cluster = max_cluster;
  return shape;
}

Matrix matrix(std::uint64_t address, std::uint64_t rows, std::uint64_t cols, TensorRole role, DataType type = DataType::fp16) {
  Matrix out;
  out.address = address;
  out.rows = rows;
  out.cols = cols;
  out.type = type;
  out.role = role;
  out.pitch = out.row_bytes();
  return out;
}

GemmProblem problem(std::uint64_t m, std::uint64_t n, std::uint64_t k, DataType weights = DataType::fp16) {
  GemmProblem p;
  p.a = matrix(kA, m, k, TensorRole::activations);
  p.b = matrix(kB, n, k, TensorRole::weights, weights);
  p.c = matrix(kC, m, n, TensorRole::tables);  // A role of its own, so that the tests can tell C from A.
  return p;
}

GemmTiling tile(std::uint32_t m, std::uint32_t n, std::uint32_t k) {
  GemmTiling t;
  t.block_m = m;
  t.block_n = n;
  t.block_k = k;
  return t;
}

void with_split(GemmProblem& p, GemmTiling& t, std::uint32_t split) {
  t.split_k = split;
  p.workspace = matrix(kWorkspace, split * p.a.rows, p.b.rows, TensorRole::kv, DataType::fp32);
}

Step step_of(const Kernel& kernel, std::uint32_t block, std::uint32_t step) {
  Step out;
  kernel.program->fill(block, step, out);
  return out;
}

/// The tile of C that a block stores last, as (tile_m, tile_n), read off the address.
std::pair<std::uint64_t, std::uint64_t> stored_tile(const Kernel& kernel, const GemmProblem& p, const GemmTiling& t, std::uint32_t block) {
  const Step last = step_of(kernel, block, kernel.program->steps(block) - 1);
  const std::uint64_t offset = last.stores.at(0).address - kC;
  return {offset / p.c.pitch / t.block_m, offset % p.c.pitch / 2 / t.block_n};
}

// Measured on V100 (CUTLASS WMMA through the profiler's L2 read counter, accel-sim's AccelWattch hw_perf.csv): the counters are what the
// tiles ask for, to 0.01 %. Each of the m/128 * n/block_n tiles reads (128 + block_n) rows of k fp16 elements.
TEST(GemmTrace, AsksL2ForWhatV100CountersMeasured) {
  struct Row {
    std::uint64_t m, n, k;
    std::uint32_t block_n;
    std::uint64_t l2_read_bytes;
  };
  const Row rows[] = {
      {2560, 16, 2560, 16, 14'745'600},     // 20 tiles * (128 + 16) rows * 2560 * 2 B
      {4096, 128, 4096, 128, 67'108'864},   // 32 tiles * 256 rows * 4096 * 2 B
      {2560, 512, 2560, 128, 104'857'600},  // 20 * 4 tiles * 256 rows * 2560 * 2 B
  };
  for (const Row& row : rows) {
    const GemmProblem p = problem(row.m, row.n, row.k);
    const Kernel kernel = make_gemm(gpu(80, 1), p, tile(128, row.block_n, 32));
    const TraceTotals totals = measure(kernel);
    EXPECT_EQ(totals.loaded(), row.l2_read_bytes);
    EXPECT_EQ(totals.sectors_loaded * 32, row.l2_read_bytes);  // 64-byte rows: whole sectors, none fetched in vain.
    EXPECT_EQ(kernel.grid, row.m / 128 * (row.n / row.block_n));
    EXPECT_THAT(check_kernel(kernel), IsEmpty());
  }
}

TEST(GemmTrace, ASkinnyStepIsTwoAccesses) {
  // m = 3, block_k = 256: A is 3 rows of 512 B, B 64 rows of 512 B; 2 * 3 * 64 * 256 FLOP, and of the 16 rows
  // that the tensor cores take 13 are padding. C is stored by the epilogue after 4096 / 256 steps, 5 FLOP an element.
  const GemmProblem p = problem(3, 128, 4096);
  const Kernel kernel = make_gemm(gpu(), p, tile(16, 64, 256));
  EXPECT_EQ(kernel.grid, 2U);
  EXPECT_EQ(kernel.program->steps(1), 16U + 1);
  const Step step = step_of(kernel, 1, 2);
  ASSERT_EQ(step.loads.size(), 2U);
  EXPECT_EQ(step.loads[0].address, kA + 2 * 512);
  EXPECT_EQ(step.loads[0].rows, 3U);
  EXPECT_EQ(step.loads[0].pitch, 8192U);
  EXPECT_EQ(step.loads[1].address, kB + 64 * 8192 + 2 * 512);
  EXPECT_EQ(step.loads[1].rows, 64U);
  EXPECT_EQ(step.loads[1].row_bytes, 512U);
  EXPECT_EQ(step.work[static_cast<int>(Pipe::tensor)], 2.0 * 3 * 64 * 256);
  EXPECT_THAT(step.stores, IsEmpty());
  EXPECT_EQ(step.tensor_padding, 2.0 * 13 * 64 * 256);
  const Step last = step_of(kernel, 1, 16);
  EXPECT_THAT(last.loads, IsEmpty());
  EXPECT_EQ(last.work[static_cast<int>(Pipe::cuda)], 5.0 * 3 * 64);
  ASSERT_EQ(last.stores.size(), 1U);
  EXPECT_EQ(last.stores[0].address, kC + 64 * 2);
  EXPECT_EQ(last.stores[0].rows, 3U);
  EXPECT_EQ(last.stores[0].row_bytes, 128U);
}

// 128x128x64 in 16 bit. A100: warp tiles of 64 x 64 read 64 rows of A and of B each: (2 * 128 + 2 * 128) * 2 B / 128 B = 8 clocks per
// element of k beside 2 * 128 * 128 / 2048 = 16: 1 / (1 + 0.12 * 0.5). H100: warp groups of 64 rows read all of B: (128 + 2 * 128) * 2 /
// 128 = 6 beside 8: 1 / (1 + 0.08 * 0.75).
TEST(GemmTrace, SharedMemoryFeedsAShareOfTheTensorRate) {
  const GemmProblem p = problem(256, 256, 256);
  EXPECT_DOUBLE_EQ(make_gemm(shapes::a100(), p, tile(128, 128, 64)).tensor_share, 1 / (1 + 0.12 * 0.5));
  EXPECT_DOUBLE_EQ(make_gemm(shapes::h100(), p, tile(128, 128, 64)).tensor_share, 1 / (1 + 0.08 * 0.75));
}

// Eight-bit weights for 16-bit tensor cores: every element widened once per row of tiles (2), 3 FLOP, beside the epilogue's 5 an element.
TEST(GemmTrace, NarrowWeightsAreWidenedOnTheCudaCores) {
  GemmProblem p = problem(20, 32, 64, DataType::int8);
  const Kernel kernel = make_gemm(gpu(), p, tile(16, 16, 16));
  EXPECT_EQ(kernel.work[static_cast<int>(Pipe::cuda)], 3.0 * 2 * 32 * 64 + 5.0 * 20 * 32);
  EXPECT_THAT(check_kernel(kernel), IsEmpty());
}

TEST(GemmTrace, EdgesAreExact) {
  // 5 x 7 x 9 in tiles of 4 x 4 x 4: W = 2 * 315. A is read by two columns of tiles, B by two rows of tiles.
  const GemmProblem p = problem(5, 7, 9);
  const Kernel kernel = make_gemm(gpu(), p, tile(4, 4, 4));
  const TraceTotals totals = measure(kernel);
  EXPECT_EQ(totals.work[static_cast<int>(Pipe::tensor)], 630);
  EXPECT_EQ(totals.at(TensorRole::activations).loaded, 2 * 5 * 9 * 2U);
  EXPECT_EQ(totals.at(TensorRole::weights).loaded, 2 * 7 * 9 * 2U);
  EXPECT_EQ(totals.at(TensorRole::tables).stored, 5 * 7 * 2U);
  EXPECT_THAT(check_kernel(kernel), IsEmpty());
}

TEST(GemmTrace, RastersOrderTheTiles) {
  // 3 x 2 tiles. Grouped by 2 (Triton's matmul tutorial): the first group has tile rows 0 and 1 and is walked down, then right; the last
  // group has the one row left.
  const GemmProblem p = problem(3 * 8, 2 * 8, 8);
  GemmTiling t = tile(8, 8, 8);
  const auto order = [&](Raster raster, std::uint32_t group) {
    t.raster = raster;
    t.group_m = group;
    const Kernel kernel = make_gemm(gpu(), p, t);
    std::vector<std::pair<std::uint64_t, std::uint64_t>> out;
    for (std::uint32_t block = 0; block < kernel.grid; ++block) out.push_back(stored_tile(kernel, p, t, block));
    return out;
  };
  using P = std::pair<std::uint64_t, std::uint64_t>;
  EXPECT_THAT(order(Raster::row_major, 1), ElementsAre(P{0, 0}, P{0, 1}, P{1, 0}, P{1, 1}, P{2, 0}, P{2, 1}));
  EXPECT_THAT(order(Raster::column_major, 1), ElementsAre(P{0, 0}, P{1, 0}, P{2, 0}, P{0, 1}, P{1, 1}, P{2, 1}));
  EXPECT_THAT(order(Raster::grouped, 2), ElementsAre(P{0, 0}, P{1, 0}, P{0, 1}, P{1, 1}, P{2, 0}, P{2, 1}));
  EXPECT_EQ(order(Raster::grouped, 1), order(Raster::row_major, 1));
  EXPECT_EQ(order(Raster::grouped, 3), order(Raster::column_major, 1));
}

TEST(GemmTrace, PersistentBlocksStrideByTheGridAndKeepThePipelineFull) {
  // 5 x 2 = 10 tiles on 4 SMs with one block each: blocks 0 and 1 take 3 tiles, 2 and 3 take 2; a tile has 3 k-steps and an
  // epilogue.
  const GemmProblem p = problem(40, 16, 24);
  GemmTiling t = tile(8, 8, 8);
  t.persistent = true;
  const Kernel kernel = make_gemm(gpu(4), p, t);
  EXPECT_EQ(kernel.grid, 4U);
  EXPECT_EQ(kernel.program->steps(1), 12U);
  EXPECT_EQ(kernel.program->steps(2), 8U);
  // Block 1, step 9: its third tile is 1 + 2 * 4 = 9, at (4, 1); k-tile 1.
  const Step step = step_of(kernel, 1, 9);
  EXPECT_EQ(step.loads[0].address, kA + 32 * 48 + 16);
  EXPECT_EQ(step.loads[1].address, kB + 8 * 48 + 16);
  EXPECT_EQ(step_of(kernel, 1, 3).stores.at(0).address, kC + 8 * 2);  // Tile 1 is (0, 1), finished in the middle of the block's steps.
  EXPECT_THAT(check_kernel(kernel), IsEmpty());
  GemmTiling plain = t;
  plain.persistent = false;
  EXPECT_EQ(measure(kernel).loaded(), measure(make_gemm(gpu(4), p, plain)).loaded());
}

TEST(GemmTrace, ClustersAskOnceAndDeliverToAll) {
  // 4 x 4 tiles in clusters of 2 x 2: A is asked once per pair of tile columns (4 / 2 times), B once per pair of tile rows.
  const std::uint64_t m = 4 * 16, n = 4 * 16, k = 32;
  const GemmProblem p = problem(m, n, k);
  GemmTiling t = tile(16, 16, 16);
  t.cluster_m = t.cluster_n = 2;
  const TraceTotals totals = measure(make_gemm(gpu(), p, t));
  EXPECT_EQ(totals.at(TensorRole::activations).loaded, 2 * m * k * 2);
  EXPECT_EQ(totals.at(TensorRole::weights).loaded, 2 * n * k * 2);
  // What reaches the blocks is what they would have loaded without clusters: every tile both operands, 16 tiles * 32 rows * k * 2 B.
  EXPECT_EQ(totals.delivered, 16 * 32 * k * 2);
  // Blocks 0..3 are one cluster: positions go along m first. Block 1 is tile (1, 0) and loads its first half of A, its second half of B.
  const Kernel kernel = make_gemm(gpu(), p, t);
  const Step step = step_of(kernel, 1, 0);
  EXPECT_EQ(step.loads[0].address, kA + 16 * 64);
  EXPECT_EQ(step.loads[0].rows, 8U);
  EXPECT_EQ(step.loads[0].multicast, 2);
  EXPECT_EQ(step.loads[1].address, kB + 8 * 64);
  EXPECT_EQ(stored_tile(kernel, p, t, 1), (std::pair<std::uint64_t, std::uint64_t>{1, 0}));
  EXPECT_EQ(stored_tile(kernel, p, t, 2), (std::pair<std::uint64_t, std::uint64_t>{0, 1}));
  EXPECT_EQ(stored_tile(kernel, p, t, 4), (std::pair<std::uint64_t, std::uint64_t>{0, 2}));
}

TEST(GemmTrace, AClusterWithoutAFullSetOfTilesSharesAmongThoseThatHaveOne) {
  // 3 tile rows in clusters of 2 along m: the fourth position is idle, the third tile row loads all of B itself.
  const GemmProblem p = problem(3 * 16, 16, 32);
  GemmTiling t = tile(16, 16, 16);
  t.cluster_m = 2;
  const Kernel kernel = make_gemm(gpu(), p, t);
  EXPECT_EQ(kernel.grid, 4U);
  EXPECT_THAT(step_of(kernel, 3, 0).loads, IsEmpty());
  EXPECT_EQ(step_of(kernel, 2, 0).loads[1].multicast, 1);
  EXPECT_EQ(measure(kernel).at(TensorRole::weights).loaded, 2 * 16 * 32 * 2U);
  EXPECT_THAT(check_kernel(kernel), IsEmpty());
}

TEST(GemmTrace, SplitKPartsCoverKAndTheReduceSums) {
  // k has 5 tiles; 2 parts take k-tiles [0, 2) and [2, 5). Block = tile * split + part.
  GemmProblem p = problem(8, 16, 40);
  GemmTiling t = tile(8, 8, 8);
  with_split(p, t, 2);
  const Kernel gemm = make_gemm(gpu(), p, t);
  EXPECT_EQ(gemm.grid, 4U);
  EXPECT_EQ(gemm.program->steps(2), 2U + 1);
  EXPECT_EQ(gemm.program->steps(3), 3U + 1);
  EXPECT_EQ(step_of(gemm, 3, 0).loads[0].address, kA + 2 * 16);
  // Part 1 of tile (0, 1): rows 8.. of the workspace (its second m rows), columns 8.. in fp32.
  EXPECT_EQ(step_of(gemm, 3, 3).stores.at(0).address, kWorkspace + 8 * 64 + 32);
  EXPECT_THAT(check_kernel(gemm), IsEmpty());

  const Kernel reduce = make_split_k_reduce(gpu(), p, t);
  EXPECT_THAT(check_kernel(reduce), IsEmpty());
  const TraceTotals totals = measure(reduce);
  EXPECT_EQ(totals.at(TensorRole::kv).loaded, 2 * 8 * 16 * 4U);      // Every partial once.
  EXPECT_EQ(totals.at(TensorRole::tables).stored, 8 * 16 * 2U);      // C once.
  EXPECT_EQ(totals.work[static_cast<int>(Pipe::cuda)], 8 * 16 * 1);  // One addition per output.
  EXPECT_TRUE(reduce.footprint.at(0).produced);
}

TEST(GemmTrace, AResidualIsReadOnceWhereCIsFinished) {
  GemmProblem p = problem(8, 16, 40);
  p.add_c = true;
  GemmTiling t = tile(8, 8, 8);
  const Kernel plain = make_gemm(gpu(), p, t);
  EXPECT_EQ(measure(plain).at(TensorRole::tables).loaded, 8 * 16 * 2U);
  EXPECT_THAT(check_kernel(plain), IsEmpty());
  with_split(p, t, 5);
  EXPECT_EQ(measure(make_gemm(gpu(), p, t)).at(TensorRole::tables).loaded, 0U);
  const Kernel reduce = make_split_k_reduce(gpu(), p, t);
  EXPECT_EQ(measure(reduce).at(TensorRole::tables).loaded, 8 * 16 * 2U);
  EXPECT_EQ(measure(reduce).work[static_cast<int>(Pipe::cuda)], 8 * 16 * 5);  // Four additions of partials, one of the residual.
  EXPECT_THAT(check_kernel(reduce), IsEmpty());
}

// The bias is read once per tile, its columns only, where C is finished: by the GEMM, or by the sum over parts.
TEST(GemmTrace, ABiasIsReadWhereCIsFinished) {
  GemmProblem p = problem(256, 300, 128);
  p.bias = matrix(1ULL << 40, 1, 300, TensorRole::scales);
  GemmTiling t = tile(128, 128, 64);
  const Kernel kernel = make_gemm(gpu(), p, t);
  EXPECT_THAT(check_kernel(kernel), IsEmpty());
  EXPECT_EQ(measure(kernel).at(TensorRole::scales).loaded, 2 * 600U);  // Two rows of tiles.
  EXPECT_EQ(measure(kernel).at(TensorRole::scales).distinct_read, 600U);
  with_split(p, t, 2);
  const Kernel parts = make_gemm(gpu(), p, t), sum = make_split_k_reduce(gpu(), p, t);
  EXPECT_EQ(measure(parts).at(TensorRole::scales).loaded, 0U);
  EXPECT_EQ(measure(sum).at(TensorRole::scales).distinct_read, 600U);
  EXPECT_THAT(check_kernel(parts), IsEmpty());
  EXPECT_THAT(check_kernel(sum), IsEmpty());
  EXPECT_EQ(sum.work[static_cast<std::size_t>(Pipe::cuda)], 256.0 * 300 * 2);  // One sum of two parts, one bias.
}

TEST(GemmTrace, NarrowElementsMoveFewerBytes) {
  for (const auto& [type, bytes] : {std::pair{DataType::fp8, 1.0}, {DataType::int8, 1.0}, {DataType::int4, 0.5}}) {
    const GemmProblem p = problem(4, 32, 64, type);
    const Kernel kernel = make_gemm(gpu(), p, tile(16, 16, 32));
    EXPECT_EQ(static_cast<double>(measure(kernel).at(TensorRole::weights).loaded), 32 * 64 * bytes);
    EXPECT_THAT(check_kernel(kernel), IsEmpty());
  }
}

TEST(GemmTrace, ScalesComeOncePerTileWithTheirColumns) {
  // 32 rows of B with 64 columns; 4 scales per row, one per 16 columns. k-tiles of 8 columns: every second step brings one scale column of
  // its 16 rows; two tiles of m read them all twice.
  GemmProblem p = problem(32, 32, 64, DataType::int8);
  p.b_scales = matrix(kScales, 32, 4, TensorRole::scales);
  const GemmTiling t = tile(16, 16, 8);
  const Kernel kernel = make_gemm(gpu(), p, t);
  EXPECT_EQ(step_of(kernel, 0, 0).loads.size(), 3U);
  EXPECT_EQ(step_of(kernel, 0, 1).loads.size(), 2U);
  EXPECT_EQ(step_of(kernel, 0, 2).loads.at(2).address, kScales + 2);
  EXPECT_EQ(measure(kernel).at(TensorRole::scales).loaded, 2 * 32 * 4 * 2U);
  EXPECT_THAT(check_kernel(kernel), IsEmpty());
  // One scale per row: contiguous, so one run of 16 scales in the first step only.
  p.b_scales = matrix(kScales, 32, 1, TensorRole::scales);
  const Kernel per_row = make_gemm(gpu(), p, t);
  const Step first = step_of(per_row, 1, 0);
  ASSERT_EQ(first.loads.size(), 3U);
  EXPECT_EQ(first.loads[2].rows, 1U);
  EXPECT_EQ(first.loads[2].row_bytes, 32U);
  EXPECT_EQ(first.loads[2].address, kScales + 32);
  EXPECT_EQ(step_of(per_row, 1, 1).loads.size(), 2U);
  EXPECT_THAT(check_kernel(per_row), IsEmpty());
}

TEST(GemmTrace, APartThatStartsInsideAScaleGroupReadsThatScale) {
  // 4 scales of 16 columns each, 8 k-tiles of 8 columns in 3 parts: [0, 16), [16, 40), [40, 64). The last two parts both need scale 2,
  // which covers [32, 48): 1 + 2 + 2 scales per row.
  GemmProblem p = problem(16, 16, 64, DataType::int8);
  p.b_scales = matrix(kScales, 16, 4, TensorRole::scales);
  GemmTiling t = tile(16, 16, 8);
  with_split(p, t, 3);
  const Kernel kernel = make_gemm(gpu(), p, t);
  EXPECT_EQ(measure(kernel).at(TensorRole::scales).loaded, 5 * 16 * 2U);
  EXPECT_EQ(step_of(kernel, 2, 0).loads.at(2).address, kScales + 2 * 2);
  EXPECT_EQ(step_of(kernel, 2, 1).loads.at(2).address, kScales + 3 * 2);
  EXPECT_THAT(check_kernel(kernel), IsEmpty());
}

TEST(GemmTrace, FillDoesNotAllocateIntoAWarmStep) {
  GemmProblem p = problem(16, 64, 512, DataType::int8);
  p.b_scales = matrix(kScales, 64, 4, TensorRole::scales);
  const Kernel kernel = make_gemm(gpu(), p, tile(16, 32, 64));
  Step step;
  step.loads.reserve(4);
  step.stores.reserve(1);
  const Access* loads = step.loads.data();
  const Access* stores = step.stores.data();
  for (std::uint32_t block = 0; block < kernel.grid; ++block) {
    for (std::uint32_t s = 0; s < kernel.program->steps(block); ++s) {
      step.clear();
      kernel.program->fill(block, s, step);
      ASSERT_EQ(step.loads.data(), loads);
      ASSERT_EQ(step.stores.data(), stores);
    }
  }
}

// Closed forms on random problems and tilings: every law of check_kernel, and A asked once per cluster column, B once per cluster row.
TEST(GemmTrace, RandomTilingsKeepTheLaws) {
  const unsigned seed = 20240611;
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const auto pick = [&](std::uint32_t low, std::uint32_t high) { return low + static_cast<std::uint32_t>(random() % (high - low + 1)); };
  for (int round = 0; round < 300; ++round) {
    const std::uint64_t m = pick(1, 70), n = pick(1, 90), k = pick(1, 60) * 2;
    const DataType types[] = {DataType::fp16, DataType::fp8, DataType::int4, DataType::fp32};
    GemmProblem p = problem(m, n, k, types[pick(0, 3)]);
    p.a.pitch += pick(0, 3) * 16;
    p.b.pitch += pick(0, 3) * 16;
    GemmTiling t;
    t.block_m = pick(1, 40);
    t.block_n = pick(1, 40);
    t.block_k = pick(1, 20) * 2;
    t.raster = static_cast<Raster>(pick(0, 2));
    t.group_m = pick(1, 5);
    t.cluster_m = pick(1, 2);
    t.cluster_n = pick(1, 3);
    t.persistent = pick(0, 1) == 1;
    t.blocks_per_sm = pick(1, 3);
    const auto k_tiles = static_cast<std::uint32_t>((k + t.block_k - 1) / t.block_k);
    if (k_tiles > 1 && pick(0, 2) == 0) with_split(p, t, pick(2, k_tiles));
    const DeviceShape shape = gpu(pick(6, 9));
    SCOPED_TRACE(t.text() + " m " + std::to_string(m) + " n " + std::to_string(n) + " k " + std::to_string(k));
    const Kernel kernel = make_gemm(shape, p, t);
    ASSERT_THAT(check_kernel(kernel), IsEmpty());
    const TraceTotals totals = measure(kernel);
    const auto ceil = [](std::uint64_t a, std::uint64_t b) { return (a + b - 1) / b; };
    ASSERT_EQ(totals.at(TensorRole::activations).loaded, p.a.bytes() * ceil(ceil(n, t.block_n), t.cluster_n));
    ASSERT_EQ(totals.at(TensorRole::weights).loaded, p.b.bytes() * ceil(ceil(m, t.block_m), t.cluster_m));
    ASSERT_EQ(totals.stored(), t.split_k > 1 ? t.split_k * m * n * 4 : p.c.bytes());
    ASSERT_EQ(kernel.grid % (t.cluster_m * t.cluster_n), 0U);
    if (t.split_k > 1) {
      ASSERT_THAT(check_kernel(make_split_k_reduce(shape, p, t)), IsEmpty());
    }
  }
}

}  // namespace
}  // namespace rooftrace
