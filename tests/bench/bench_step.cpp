// Whole steps: how long does one simulation take? Goals per step on one core: exact des 3 s (70B on TP 8: 6 s), layers auto 0.3 s, bound 5
// ms. The counter `of_goal` is goal / time: above 1 the goal is met.
#include <benchmark/benchmark.h>

#include "sim/app/run_scenario.hpp"
#include "sim/app/scenario.hpp"
#include "sim/app/version.hpp"

namespace rooftrace {
namespace {

void simulate(benchmark::State& state, double goal_seconds, std::vector<std::string> words) {
  std::vector<std::string> line = {"simulate", "--hardware", "h100-sxm", "--stage", "decode"};
  line.insert(line.end(), words.begin(), words.end());
  for (auto _ : state) {
    const Scenario scenario = load_scenario(parse_options(line), ConfigPaths::of_process(""));
    benchmark::DoNotOptimize(run_workload(scenario, scenario.stages.front()).latency);
  }
  state.counters["of_goal"] = benchmark::Counter(goal_seconds, benchmark::Counter::kIsIterationInvariantRate);
}

BENCHMARK_CAPTURE(simulate, llama_8b_exact, 3.0, {"--model", "llama-3.1-8b", "--layers", "exact"})->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(simulate, llama_8b_auto, 0.3, {"--model", "llama-3.1-8b", "--layers", "auto"})->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(simulate, llama_8b_bound, 0.005, {"--model", "llama-3.1-8b", "--fidelity", "bound"})->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(simulate, llama_70b_tp8_exact, 6.0, {"--model", "llama-3.1-70b", "--tp", "8", "--layers", "exact"})
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace rooftrace

BENCHMARK_MAIN();
