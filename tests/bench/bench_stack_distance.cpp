// What does one stack distance cost? Streams a, b and c (tests/support/streams.hpp), one core. Goals: 8, 14 and 89 ns per access, what a
// hand-written hierarchical bitmap takes on a 2-core Zen 4; the counter `of_goal` is goal / measured. The streams' own making is not timed.
#include <benchmark/benchmark.h>

#include <vector>

#include "sim/machine/stack_distance.hpp"
#include "tests/support/streams.hpp"

namespace rooftrace {
namespace {

constexpr std::size_t kAhead = 16;  ///< Lines that are fetched ahead, as DistanceMemory does.

void measure(benchmark::State& state, const std::vector<std::uint32_t>& lines, double goal_ns) {
  for (auto _ : state) {
    StackDistances distances;
    DistanceHistogram histogram;
    for (std::size_t i = 0; i < lines.size(); ++i) {
      if (i + kAhead < lines.size()) distances.prefetch(lines[i + kAhead]);
      histogram.add(distances.touch(lines[i]).distance, 1);
    }
    benchmark::DoNotOptimize(histogram.missed(409600));
  }
  const auto accesses = static_cast<double>(lines.size() * state.iterations());
  state.counters["access"] = benchmark::Counter(accesses, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  state.counters["of_goal"] = benchmark::Counter(accesses * goal_ns * 1e-9, benchmark::Counter::kIsRate);
}

template <class Gemm>
std::vector<std::uint32_t> lines_of() {
  std::vector<std::uint32_t> lines;
  streams::for_each_line<Gemm>([&](std::uint64_t line) { lines.push_back(static_cast<std::uint32_t>(line)); });
  return lines;
}

void stack_distance_a(benchmark::State& state) {
  measure(state, lines_of<streams::GemmA>(), 8);
}
void stack_distance_b(benchmark::State& state) {
  measure(state, lines_of<streams::GemmB>(), 14);
}
void stack_distance_c(benchmark::State& state) {
  std::vector<std::uint32_t> lines;
  streams::for_each_random(43, [&](std::uint64_t line) { lines.push_back(static_cast<std::uint32_t>(line)); });
  measure(state, lines, 89);
}
BENCHMARK(stack_distance_a)->Unit(benchmark::kMillisecond);
BENCHMARK(stack_distance_b)->Unit(benchmark::kMillisecond);
BENCHMARK(stack_distance_c)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace rooftrace

BENCHMARK_MAIN();
