// TBB's part of simulate and trace.
#include "sim/app/run_stages.hpp"

#include <tbb/global_control.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <thread>

namespace rooftrace {
namespace {

constexpr unsigned kMaxThreads = 1024;

}  // namespace

unsigned thread_count(const Options& options) {
  if (const auto text = options.value("threads")) return static_cast<unsigned>(integer_option("threads", *text, 1, kMaxThreads));
  return std::max(1U, std::thread::hardware_concurrency());
}

void with_threads(unsigned threads, const std::function<void()>& work) {
  const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, threads);
  tbb::task_arena arena(static_cast<int>(threads));
  arena.execute(work);
}

std::vector<StageResult> run_stages(std::size_t count, unsigned threads, const std::function<StageResult(std::size_t)>& run) {
  std::vector<StageResult> results(count);
  with_threads(threads, [&] { tbb::parallel_for(std::size_t{0}, count, [&](std::size_t i) { results[i] = run(i); }); });
  return results;
}

}  // namespace rooftrace
