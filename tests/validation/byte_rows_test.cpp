// Do simulated bytes match hardware counters? V100 tiled GEMM and A30 FlashAttention-2, whole machine, from generator to counters.
//
// The rows are re-typed from public measurements. V100: Accel-Sim's hardware profile of CUTLASS WMMA GEMMs
// (github.com/accel-sim/accel-sim-framework @2260456, util/accelwattch/accelwattch_hw_profiler/hw_perf.csv); A30:
// github.com/JakeFlasher/benchmark_flash_attention @1a61222, ncu_metrics.csv. Tolerances are those below which agreement means nothing
// (spread of the measurements themselves).
#include <gtest/gtest.h>

#include "sim/app/config_paths.hpp"
#include "sim/app/hardware_choice.hpp"
#include "sim/app/run.hpp"
#include "traces/attention_prefill.hpp"
#include "traces/gemm.hpp"

namespace rooftrace {
namespace {

MachineSpec machine(const std::string& name) {
  const std::string file = std::string(ROOFTRACE_SOURCE_DIR) + "/configs/hardware/" + name + ".yaml";
  return choose_hardware(file, {}, ConfigPaths::of_process(std::string(ROOFTRACE_SOURCE_DIR) + "/configs")).machine;
}

Matrix matrix(std::uint64_t page, std::uint64_t rows, std::uint64_t cols, TensorRole role = TensorRole::activations) {
  Matrix m;
  m.address = page * kPageBytes;
  m.rows = rows;
  m.cols = cols;
  m.pitch = cols * 2;
  m.type = DataType::fp16;
  m.role = role;
  return m;
}

KernelRecord simulate(const MachineSpec& gpu, Kernel kernel, Fidelity fidelity) {
  Trace trace;
  trace.kernels.push_back(std::move(kernel));
  trace.address_end = 256 * kPageBytes;
  RunOptions options;
  options.fidelity = fidelity;
  return run_stage(gpu, trace, Stage::other, 1, options).kernels.front();
}

double hit_rate(const KernelRecord& record) {
  return static_cast<double>(record.cache.sectors_hit) / static_cast<double>(record.cache.sectors_read);
}

struct V100Row {
  const char* id;
  std::uint64_t m, n, k;
  std::uint32_t block_n;
  double l2_read, hbm_read, l2_hit_rate;
};

class V100Gemm : public ::testing::TestWithParam<Fidelity> {};

TEST_P(V100Gemm, BytesWithinTheToleranceOfTheRow) {
  const MachineSpec gpu = machine("v100-sxm");
  const V100Row rows[] = {{"gemm-0001..3", 2560, 16, 2560, 16, 14745600, 13189376, 0.1056},
                          {"gemm-0004..6", 4096, 128, 4096, 128, 67108864, 34603273, 0.4844},
                          {"gemm-0007..9", 2560, 512, 2560, 128, 104857600, 15728896, 0.85}};
  for (const V100Row& row : rows) {
    SCOPED_TRACE(row.id);
    GemmProblem problem;
    problem.a = matrix(0, row.m, row.k);
    problem.b = matrix(64, row.n, row.k, TensorRole::weights);
    problem.c = matrix(128, row.m, row.n);
    problem.tensor_type = DataType::fp16;
    GemmTiling tiling;
    tiling.block_m = 128;
    tiling.block_n = row.block_n;
    tiling.block_k = 32;
    tiling.stages = 2;
    const KernelRecord record = simulate(gpu, make_gemm(gpu.shape(), problem, tiling), GetParam());
    const double l2 = static_cast<double>(record.q.total(LevelId::l2, Direction::read));
    const double hbm = static_cast<double>(record.q.total(LevelId::hbm, Direction::read));
    EXPECT_NEAR(l2 / row.l2_read, 1, 0.01);
    EXPECT_NEAR(hbm / row.hbm_read, 1, 0.02);
    EXPECT_NEAR(hit_rate(record), row.l2_hit_rate, 0.02);
  }
}

INSTANTIATE_TEST_SUITE_P(Fidelities, V100Gemm, ::testing::Values(Fidelity::cache, Fidelity::des),
                         [](const auto& p) { return std::string(name(p.param)); });

struct A30Row {
  const char* id;
  std::uint64_t length;
  double l2_read;
};

// q_heads 32, kv_heads 8, head_dim 128, fp16, window 1024 to both sides, not causal, caches cold; tolerance 4 %.
TEST(A30FlashAttention, L2BytesWithinTheToleranceOfTheRow) {
  const MachineSpec gpu = machine("a30");
  const A30Row rows[] = {{"attention-0001", 512, 37783392},
                         {"attention-0004", 1024, 1.4275856e8},
                         {"attention-0007", 2048, 4.3929894e8},
                         {"attention-0010", 4096, 1.0308812e9},
                         {"attention-0013", 8192, 2.2145695e9}};
  for (const A30Row& row : rows) {
    SCOPED_TRACE(row.id);
    AttentionProblem p;
    p.q_heads = 32;
    p.kv_heads = 8;
    p.q_len = p.kv_len = row.length;
    p.causal = false;
    p.window_left = p.window_right = 1024;
    p.q = matrix(0, row.length, 4096);
    p.o = matrix(48, row.length, 4096);
    p.kv = contiguous_kv(matrix(96, row.length, 1024, TensorRole::kv), matrix(128, row.length, 1024, TensorRole::kv), 1, 8, 128);
    p.tensor_type = DataType::fp16;
    const PrefillTiling tiling = choose_prefill_tiling(gpu.shape(), 128, DataType::fp16, DataType::fp16);
    const KernelRecord record = simulate(gpu, make_attention_prefill(p, tiling), Fidelity::des);
    EXPECT_NEAR(static_cast<double>(record.q.total(LevelId::l2, Direction::read)) / row.l2_read, 1, 0.04);
    RecordProperty(std::string("hbm_read_") + std::to_string(row.length), std::to_string(record.q.total(LevelId::hbm, Direction::read)));
    RecordProperty(std::string("hbm_write_") + std::to_string(row.length), std::to_string(record.q.total(LevelId::hbm, Direction::write)));
    RecordProperty(std::string("hit_rate_") + std::to_string(row.length), std::to_string(hit_rate(record)));
    if (row.length == 512) {
      // attention-0002: 6,299,136 B cold at HBM, within 10 %: Q + K + V once, and next to nothing of the 4 MiB of
      // O written back yet (tree pseudo-LRU gives up a dirty line now and then).
      EXPECT_NEAR(static_cast<double>(record.q.total(LevelId::hbm)) / 6299136.0, 1, 0.1);
      EXPECT_LT(record.q.total(LevelId::hbm, Direction::write), 4096U);
    }
  }
}

}  // namespace
}  // namespace rooftrace
