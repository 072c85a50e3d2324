// The rule that picks tilings: always valid, and on known shapes what its comment says; and the check that refuses impossible ones.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <stdexcept>

#include "traces/gemm.hpp"

namespace rooftrace {
namespace {

DeviceShape v100() {
  DeviceShape s;
  s.sms = 80;
  s.shared_memory_per_sm = s.shared_memory_per_block = 96 * 1024;
  s.max_blocks_per_sm = 32;
  s.async_copy = false;
  return s;
}
DeviceShape a100() {
  DeviceShape s;
  s.sms = 108;
  s.shared_memory_per_sm = 164 * 1024;
  s.shared_memory_per_block = 163 * 1024;
  s.max_blocks_per_sm = 32;
  return s;
}
DeviceShape h100() {
  DeviceShape s;
  s.sms = 132;
  s.shared_memory_per_sm = 228 * 1024;
  s.shared_memory_per_block = 227 * 1024;
  s.max_blocks_per_sm = 32;
  s.max_cluster = 8;
  s.fp8_tensor = true;
  return s;
}

using ::testing::HasSubstr;

constexpr DataType kBf16 = DataType::bf16;

struct Shape {
  std::uint64_t n, k;
};
// Llama-3.1-8B: QKV, output, gate+up, down, LM head; Llama-3.1-70B at TP 8: QKV, output; and odd ones.
constexpr Shape kShapes[] = {{6144, 4096}, {4096, 4096}, {28672, 4096}, {4096, 14336}, {128256, 4096},
                             {1280, 8192}, {8192, 1024}, {100, 100},    {1, 8192},     {33, 17}};

GemmProblem problem(std::uint64_t m, std::uint64_t n, std::uint64_t k, DataType weights, DataType activations, std::uint32_t split) {
  const auto matrix = [](std::uint64_t address, std::uint64_t rows, std::uint64_t cols, DataType type) {
    Matrix out;
    out.address = address;
    out.rows = rows;
    out.cols = cols;
    out.type = type;
    out.pitch = out.row_bytes();
    return out;
  };
  GemmProblem p;
  p.a = matrix(0, m, k, activations);
  p.b = matrix(1ULL << 34, n, k, weights);
  p.c = matrix(2ULL << 34, m, n, activations);
  p.workspace = matrix(3ULL << 34, split * m, n, DataType::fp32);
  return p;
}

TEST(GemmTilingRule, AlwaysGivesAKernelThatRuns) {
  for (const DeviceShape& gpu : {v100(), a100(), h100(), DeviceShape{}}) {
    for (const auto& [n, k] : kShapes) {
      for (const std::uint64_t m : {1, 2, 16, 17, 64, 65, 128, 200, 512, 2048, 8192}) {
        for (const auto& [weights, activations] :
             {std::pair{kBf16, kBf16}, {DataType::fp8, DataType::fp8}, {DataType::fp8, kBf16}, {DataType::int4, kBf16}}) {
          if (weights == DataType::int4 && k % 2 != 0) continue;
          const GemmTiling t = choose_gemm_tiling(gpu, m, n, k, weights, activations);
          SCOPED_TRACE(t.text() + " m " + std::to_string(m) + " n " + std::to_string(n) + " k " + std::to_string(k));
          const GemmProblem p = problem(m, n, k, weights, activations, t.split_k);
          ASSERT_NO_THROW((void)make_gemm(gpu, p, t));
          // The rule counts every stage, and the driver's KiB of each block.
          const std::uint64_t shared = gemm_stage_bytes(t, activations, weights) * t.stages + 1024;
          if (gpu.shared_memory_per_sm != 0) {
            ASSERT_LE(shared * t.blocks_per_sm, gpu.shared_memory_per_sm);
          }
          if (t.split_k > 1) {
            ASSERT_GE((k + t.block_k - 1) / t.block_k, 4 * t.split_k);
          }
          if (!gpu.async_copy) {
            ASSERT_EQ(t.stages, 2U);
          }
          ASSERT_LE(t.cluster_m * t.cluster_n, gpu.max_cluster);
        }
      }
    }
  }
}

TEST(GemmTilingRule, SkinnyKernelsStreamWeightsDeepAndWide) {
  for (const DeviceShape& gpu : {a100(), h100()}) {
    for (const Shape shape : {kShapes[0], kShapes[1], kShapes[2], kShapes[3], kShapes[4], kShapes[5], kShapes[6]}) {
      for (const std::uint64_t m : {1, 8, 16, 64}) {
        const GemmTiling t = choose_gemm_tiling(gpu, m, shape.n, shape.k, kBf16, kBf16);
        SCOPED_TRACE(t.text() + " m " + std::to_string(m) + " n " + std::to_string(shape.n));
        EXPECT_EQ(t.block_m, m <= 16 ? 16 : 64);
        const std::uint64_t step = std::uint64_t{t.block_n} * t.block_k * 2;
        EXPECT_GE(step, 8U << 10);
        EXPECT_LE(step, 32U << 10);
        EXPECT_GE(step * t.stages * t.blocks_per_sm, 64U << 10);  // Weights in flight per SM: twice latency (1 us) x HBM share (25 B/ns).
        // At least 40 % of the SMs have a block, which is enough to draw all of HBM.
        EXPECT_GE(5 * ((shape.n + t.block_n - 1) / t.block_n) * t.split_k, 2 * gpu.sms);
      }
    }
  }
}

TEST(GemmTilingRule, SplitsKOnlyWhereTilesLeaveTheGpuIdle) {
  // n = 1280 (QKV of Llama-3.1-70B at TP 8) has at most 40 tiles for 132 SMs; n = 28672 has 224 even at the widest.
  EXPECT_GT(choose_gemm_tiling(h100(), 16, 1280, 8192, kBf16, kBf16).split_k, 1U);
  EXPECT_EQ(choose_gemm_tiling(h100(), 16, 28672, 4096, kBf16, kBf16).split_k, 1U);
  EXPECT_EQ(choose_gemm_tiling(h100(), 1, 4096, 4096, kBf16, kBf16).split_k, 1U);
  EXPECT_EQ(choose_gemm_tiling(h100(), 8192, 8192, 8192, kBf16, kBf16).split_k, 1U);
}

TEST(GemmTilingRule, LargeKernelsUseTheMachine) {
  // H100: 8192^3 needs 128x256 with blocks of a cluster sharing operands, else L2 could not feed the tensor cores: (128 + 256) rows * 2 B
  // against 35 B per clock are 22 clocks per k, the tensor cores take 16; with both halved it is 11.
  const GemmTiling h = choose_gemm_tiling(h100(), 8192, 8192, 8192, kBf16, kBf16);
  EXPECT_EQ(h.text(), "128x256x64 stages 4 grouped:8 cluster 2x2 persistent");
  EXPECT_EQ(h.blocks_per_sm, 1U);
  const GemmTiling a = choose_gemm_tiling(a100(), 8192, 8192, 8192, kBf16, kBf16);
  EXPECT_GE(a.block_m * a.block_n, 128U * 128U);
  EXPECT_GE(a.stages, 3U);
  EXPECT_FALSE(a.persistent);
  EXPECT_EQ(a.raster, Raster::grouped);
  EXPECT_EQ(choose_gemm_tiling(v100(), 8192, 8192, 8192, kBf16, kBf16).text(), "128x128x32 stages 2 grouped:8");
  // fp8 on both sides: the k-tile stays 128 bytes wide.
  EXPECT_EQ(choose_gemm_tiling(h100(), 8192, 8192, 8192, DataType::fp8, DataType::fp8).block_k, 128U);
}

TEST(GemmTilingRule, CandidatesAreTheBestOfEachTileShape) {
  // Every width that warp-group instructions and the fp32 accumulators allow; a library of 2023 has powers of two and does not split k.
  const auto widths = [](GemmLibrary library) {
    std::set<std::uint32_t> found;
    for (const GemmTiling& t : gemm_tiling_candidates(h100(), 512, 10240, 8192, kBf16, kBf16, 100, library)) found.insert(t.block_n);
    return found;
  };
  EXPECT_EQ(widths(GemmLibrary::current), (std::set<std::uint32_t>{64, 128, 160, 192, 224, 256}));
  EXPECT_EQ(widths(GemmLibrary::of_2023), (std::set<std::uint32_t>{64, 128, 256}));
  for (const GemmTiling& t : gemm_tiling_candidates(h100(), 128, 4096, 11008, kBf16, kBf16, 100, GemmLibrary::of_2023)) {
    EXPECT_EQ(t.split_k, 1U) << t.text();
    EXPECT_LE(t.cluster_m * t.cluster_n, 2U) << t.text();
  }
  const auto tilings = gemm_tiling_candidates(h100(), 512, 4096, 4096, kBf16, kBf16, 3);
  ASSERT_EQ(tilings.size(), 3U);
  EXPECT_EQ(tilings[0].text(), choose_gemm_tiling(h100(), 512, 4096, 4096, kBf16, kBf16).text());
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      EXPECT_TRUE(tilings[i].block_m != tilings[j].block_m || tilings[i].block_n != tilings[j].block_n);
    }
  }
  EXPECT_LE(gemm_tiling_candidates(h100(), 1, 4096, 4096, kBf16, kBf16, 100).size(), 3U);  // Three widths of skinny tiles.
}

TEST(GemmTilingRule, PipelinesOfWarpGroupKernelsFillTheSharedMemory) {
  // 192 KiB in stages of (block_m + block_n) rows of 128 B: nvjet kernels are named 128x256_64x4 and so on.
  const std::map<std::uint32_t, std::uint32_t> stages = {{384, 4}, {352, 4}, {320, 4}, {288, 5}, {256, 6}, {192, 8}, {128, 12}};
  for (const GemmTiling& t : gemm_tiling_candidates(h100(), 2048, 4096, 4096, kBf16, kBf16, 100)) {
    EXPECT_EQ(t.blocks_per_sm, 1U) << t.text();
    EXPECT_EQ(t.block_k, 64U) << t.text();
    EXPECT_EQ(t.stages, stages.at(t.block_m + t.block_n)) << t.text();
  }
  // Kernels without warp groups share an SM.
  EXPECT_EQ(choose_gemm_tiling(a100(), 100, 4096, 4096, kBf16, kBf16).blocks_per_sm, 2U);
}

TEST(GemmTilingRule, NarrowOperandsAreReadInTwoSectorsAtLeast) {
  // 100 KiB (Ada): two blocks of 128x128x64 with bf16 rows and fp8 rows need 24 KiB a stage, so 49 KiB hold two stages, one too few. Half
  // as long k-tiles would fit, but read fp8 weights by lone sectors of 32 B; one block per SM instead.
  DeviceShape ada = a100();
  ada.shared_memory_per_sm = 100 * 1024;
  ada.shared_memory_per_block = 99 * 1024;
  for (const GemmTiling& t : gemm_tiling_candidates(ada, 512, 16384, 4096, DataType::fp8, kBf16, 100)) {
    EXPECT_GE(t.block_k, 64U) << t.text();
  }
  // Operands of one width may have them: 32 bf16 are two sectors.
  std::set<std::uint32_t> lengths;
  for (const GemmTiling& t : gemm_tiling_candidates(ada, 512, 16384, 4096, kBf16, kBf16, 100)) lengths.insert(t.block_k);
  EXPECT_TRUE(lengths.contains(32));
}

TEST(GemmTilingRule, SmallerTilesOrPartsFillTheSms) {
  // m = 128, n = 4096 is 16 tiles of 128x256: the rule must find work for most of the SMs.
  for (const DeviceShape& gpu : {v100(), a100(), h100()}) {
    const GemmTiling t = choose_gemm_tiling(gpu, 128, 4096, 4096, kBf16, kBf16);
    const std::uint64_t items = (128 + t.block_m - 1) / t.block_m * (4096 / t.block_n) * t.split_k;
    EXPECT_GE(items * 10, gpu.sms * 7) << t.text();
  }
}

TEST(GemmTilingRule, IsAFunctionOfItsArguments) {
  EXPECT_EQ(choose_gemm_tiling(h100(), 77, 6144, 4096, kBf16, kBf16).text(),
            choose_gemm_tiling(h100(), 77, 6144, 4096, kBf16, kBf16).text());
}

TEST(GemmTiling, TilingsReadLikeThis) {
  GemmTiling t;
  EXPECT_EQ(t.text(), "128x128x64 stages 3");
  t.raster = Raster::grouped;
  t.group_m = 8;
  t.split_k = 4;
  t.cluster_m = 2;
  t.persistent = true;
  EXPECT_EQ(t.text(), "128x128x64 stages 3 grouped:8 split 4 cluster 2x1 persistent");
}

TEST(GemmTiling, ImpossibleTilingsAreRefusedWithTheReason) {
  const GemmProblem p = problem(64, 64, 64, kBf16, kBf16, 1);
  DeviceShape shape;
  shape.max_cluster = 2;
  shape.shared_memory_per_block = 48 * 1024;
  shape.shared_memory_per_sm = 96 * 1024;
  const auto why = [&](auto&& change) -> std::string {
    GemmTiling t;
    t.block_m = t.block_n = t.block_k = 16;
    change(t);
    try {
      check_gemm_tiling(shape, p, t);
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "fine";
  };
  EXPECT_EQ(why([](GemmTiling&) {}), "fine");
  EXPECT_THAT(why([](GemmTiling& t) { t.block_k = 0; }), HasSubstr("must be at least 1"));
  EXPECT_THAT(why([](GemmTiling& t) { t.stages = 0; }), HasSubstr("must be at least 1"));
  EXPECT_THAT(why([](GemmTiling& t) { t.split_k = 5; }), HasSubstr("k = 64 has only 4 k-tiles"));
  EXPECT_THAT(why([](GemmTiling& t) { t.cluster_m = 4; }), HasSubstr("at most 2 blocks"));
  EXPECT_THAT(why([](GemmTiling& t) { t.blocks_per_sm = 17; }), HasSubstr("at most 16 blocks"));
  // The default 128x128x64: (128 + 128) * 64 * 2 B = 32 KiB a stage, of which a kernel of 3 stages holds at least 2: 64 KiB.
  EXPECT_THAT(why([](GemmTiling& t) { t = GemmTiling{}; }), HasSubstr("needs 65536 bytes of shared memory"));
  // Two stages hold at least one: 32 KiB, and four blocks of that are 128 KiB.
  EXPECT_THAT(why([](GemmTiling& t) {
                t = GemmTiling{};
                t.stages = 2;
                t.blocks_per_sm = 4;
              }),
              HasSubstr("4 blocks per SM need 131072 bytes"));
}

}  // namespace
}  // namespace rooftrace
