// Sweeps: goals are 1,000 des points (Llama-3.1-8B decode, hardware axes, layers auto) in 60 s on two cores, so 0.12 s of a core per point;
// 10,000 bound points in 5 s; two threads 1.9 times as fast as one. The counter `of_goal` is goal / time (speedup / goal for the threads):
// from 1 on the goal is met. `speedup` needs two idle cores to mean anything; `cpu_growth`, the CPU time of two threads over that of one,
// does not: at 1 nothing but the cores limits the speedup, and 2 / cpu_growth is what two idle ones would give.
#include <benchmark/benchmark.h>

#include <chrono>
#include <ctime>
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

/// Of all threads of this process.
double cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

struct Cost {
  double wall = 0, cpu = 0;
};

Cost cost(PointRunner& runner, std::uint64_t count, unsigned threads) {
  std::uint64_t given = 0;
  const auto next = [&]() -> std::optional<std::uint64_t> { return given < count ? std::optional(given++) : std::nullopt; };
  const auto start = std::chrono::steady_clock::now();
  const double cpu = cpu_seconds();
  run_points(
      next, threads, [&](std::uint64_t point) { return runner.run(point); },
      [](std::uint64_t, PointRecord&& record) { benchmark::DoNotOptimize(record); }, [] { return false; });
  return {std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(), cpu_seconds() - cpu};
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
  PointRunner runner(spec, ConfigPaths::of_process(""), 6, false);  // The same points again and again: no run of them may be reused.
  static_cast<void>(runner.run(0));                                 // Reads the files and makes the trace.
  Cost one, two;
  for (auto _ : state) {
    const Cost alone = cost(runner, count, 1), both = cost(runner, count, 2);
    one = {one.wall + alone.wall, one.cpu + alone.cpu};
    two = {two.wall + both.wall, two.cpu + both.cpu};
  }
  state.counters["speedup"] = one.wall / two.wall;
  state.counters["of_goal"] = one.wall / two.wall / goal_speedup;
  state.counters["cpu_growth"] = two.cpu / one.cpu;
}

BENCHMARK_CAPTURE(points, des, "des", 0.12)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(points, bound, "bound", 0.0005)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(threads, des_two, "des", 4, 1.9)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_CAPTURE(threads, bound_two, "bound", 400, 1.9)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace rooftrace

BENCHMARK_MAIN();
