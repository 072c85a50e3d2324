// Sweeps: goals are 1,000 des points (Llama-3.1-8B decode, hardware axes, layers auto) in 60 s on two cores, so 0.12 s of a core per point;
// 10,000 bound points in 5 s; two threads 1.9 times as fast as one. The counter `of_goal` is goal / time (speedup / goal for the threads):
// from 1 on the goal is met. The number of threads is only meaningful on a machine with two idle cores.
#include <benchmark/benchmark.h>

#include <chrono>
#include <optional>

#include "sim/app/sweep_point.hpp"
#include "sim/app/sweep_run.hpp"

namespace rooftrace {
namespace {

SweepSpec hardware_sweep(const std::string& fidelity) {
  const std::string text = "base: main\nset: {model: llama-3.1-8b, stages: [decode], layers: auto, fidelity: " + fidelity +
                           "}\naxes:\n  - {key: hardware.hbm.bandwidth, range: {from: 2 TB/s, to: 8 TB/s, steps: 100}}\n"
                           "  - {key: hardware.l2.bandwidth, range: {from: 4 TB/s, to: 10 TB/s, steps: 100}}\n";
  return parse_sweep(ConfigDocument::parse(text, "sweep"), "", {});
}

double seconds(PointRunner& runner, std::uint64_t count, unsigned threads) {
  std::uint64_t given = 0;
  const auto next = [&]() -> std::optional<std::uint64_t> { return given < count ? std::optional(given++) : std::nullopt; };
  const auto start = std::chrono::steady_clock::now();
  run_points(
      next, threads, [&](std::uint64_t point) { return runner.run(point); },
      [](std::uint64_t, PointRecord&& record) { benchmark::DoNotOptimize(record); }, [] { return false; });
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void points(benchmark::State& state, const std::string& fidelity, double goal_seconds) {
  const SweepSpec spec = hardware_sweep(fidelity);
  PointRunner runner(spec, ConfigPaths::of_process(""), 4);
  std::uint64_t point = 0;
  for (auto _ : state) benchmark::DoNotOptimize(runner.run(point++ % spec.points()));
  state.counters["of_goal"] = benchmark::Counter(goal_seconds, benchmark::Counter::kIsIterationInvariantRate);
}

void threads(benchmark::State& state, const std::string& fidelity, std::uint64_t count, double goal_speedup) {
  const SweepSpec spec = hardware_sweep(fidelity);
  PointRunner runner(spec, ConfigPaths::of_process(""), 6);
  static_cast<void>(runner.run(0));  // Reads the files and makes the trace.
  double one = 0, two = 0;
  for (auto _ : state) {
    one += seconds(runner, count, 1);
    two += seconds(runner, count, 2);
  }
  state.counters["speedup"] = one / two;
  state.counters["of_goal"] = one / two / goal_speedup;
}

BENCHMARK_CAPTURE(points, des, "des", 0.12)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(points, bound, "bound", 0.0005)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(threads, des_two, "des", 4, 1.9)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_CAPTURE(threads, bound_two, "bound", 400, 1.9)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace rooftrace

BENCHMARK_MAIN();
