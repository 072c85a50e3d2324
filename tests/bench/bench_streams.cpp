// How many lines per second go through the whole simulator? Engine with event queue, sectored and hashed L2, HBM accounting, on streams a,
// b and c (tests/support/streams.hpp), one core. Goal: 60 million lines per second; the counter `of_goal` is the ratio.
#include <benchmark/benchmark.h>

#include "sim/app/run.hpp"
#include "sim/engine/engine.hpp"
#include "tests/support/streams.hpp"

namespace rooftrace {
namespace {

constexpr double kGoal = 60e6;

Access rows(std::uint64_t first_line, std::uint32_t count, std::uint64_t lines_between) {
  Access a;
  a.address = first_line * 128;
  a.rows = count;
  a.row_bytes = 128;
  a.pitch = lines_between * 128;
  return a;
}

class StreamA final : public BlockProgram {
 public:
  [[nodiscard]] std::uint32_t steps(std::uint32_t) const override { return 128; }
  void fill(std::uint32_t tile, std::uint32_t step, Step& out) const override {
    out.loads.push_back(rows(step, 64, 128));
    out.loads.push_back(rows(8192 + std::uint64_t{tile} * 32 * 128 + step, 32, 128));
  }
};

class StreamB final : public BlockProgram {
 public:
  [[nodiscard]] std::uint32_t steps(std::uint32_t) const override { return 64; }
  void fill(std::uint32_t tile, std::uint32_t step, Step& out) const override {
    out.loads.push_back(rows(std::uint64_t{tile / 32} * 128 * 64 + step, 128, 64));
    out.loads.push_back(rows(262144 + std::uint64_t{tile % 32} * 128 * 64 + step, 128, 64));
  }
};

/// 128 random lines a step; the state of splitmix64 after i draws is known, so any step can be made at any time.
class StreamC final : public BlockProgram {
 public:
  [[nodiscard]] std::uint32_t steps(std::uint32_t) const override { return 128; }
  void fill(std::uint32_t block, std::uint32_t step, Step& out) const override {
    std::uint64_t state = 42 + (std::uint64_t{block} * 128 + step) * 128 * 0x9E3779B97F4A7C15ULL;
    for (int i = 0; i < 128; ++i) out.loads.push_back(rows(streams::splitmix64(state) >> 43, 1, 0));
  }
};

MachineSpec h100() {
  MachineSpec m;
  m.sm.count = streams::kBlocks;
  m.sm.clock = m.sm.peak_clock = m.sm.tensor_clock = 1.8e9;
  m.sm.tensor_peak[DataType::bf16] = m.sm.tensor_peak[DataType::fp16] = 1e15;
  m.sm.cuda_peak = 6e13;
  m.sm.l2_port = 1.2e11;
  m.l2.ways = 16;
  m.l2.effective = m.l2.capacity = 25600ULL * 16 * 128;
  m.l2.partitions = 2;
  m.l2.bandwidth = m.l2.peak_bandwidth = 7e12;
  m.l2.latency_near = 150e-9;
  m.l2.latency_far = 250e-9;
  m.hbm.channels = 80;
  m.hbm.bandwidth = 3.35e12;
  m.hbm.dram = dram_timing_of("HBM3").value();
  m.hbm.latency = 370e-9;
  m.launch.kernel_gap = 1e-6;
  return m;
}

template <class Program>
void simulate(benchmark::State& state, std::uint32_t grid) {
  const MachineSpec machine = h100();
  Trace trace;
  Kernel kernel;
  kernel.grid = grid;
  kernel.depth = 3;
  kernel.program = std::make_shared<Program>();
  trace.kernels.push_back(kernel);
  trace.address_end = 600ULL << 20;
  RunOptions options;
  std::uint64_t lines = 0;
  for (auto _ : state) {
    const StageResult result = run_stage(machine, trace, Stage::other, 1, options);
    lines += result.kernels[0].cache.sectors_read / 4;
    benchmark::DoNotOptimize(lines);
  }
  state.counters["lines"] = benchmark::Counter(static_cast<double>(lines), benchmark::Counter::kIsRate);
  state.counters["of_goal"] = benchmark::Counter(static_cast<double>(lines) / kGoal, benchmark::Counter::kIsRate);
}

void stream_a_decode_gemm(benchmark::State& state) {
  simulate<StreamA>(state, 1024);
}
void stream_b_prefill_gemm(benchmark::State& state) {
  simulate<StreamB>(state, 1024);
}
void stream_c_gather(benchmark::State& state) {
  simulate<StreamC>(state, 1024);
}
BENCHMARK(stream_a_decode_gemm)->Unit(benchmark::kMillisecond);
BENCHMARK(stream_b_prefill_gemm)->Unit(benchmark::kMillisecond);
BENCHMARK(stream_c_gather)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace rooftrace

BENCHMARK_MAIN();
