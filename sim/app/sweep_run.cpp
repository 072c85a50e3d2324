// Workers take the next point from a counter: neighbours share traces, and a slow point holds up nobody.
#include "sim/app/sweep_run.hpp"

#include <tbb/global_control.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>

#include <atomic>
#include <mutex>

namespace rooftrace {

void run_points(const std::vector<std::uint64_t>& points, unsigned threads, const std::function<PointRecord(std::uint64_t)>& run,
                const std::function<void(std::uint64_t, PointRecord&&)>& finished, const std::function<bool()>& stop) {
  std::atomic<std::size_t> next{0};
  std::atomic<bool> broken{false};
  std::mutex mutex;
  const auto work = [&] {
    try {
      while (!broken && !stop()) {
        const std::size_t i = next++;
        if (i >= points.size()) return;
        PointRecord record = run(points[i]);
        const std::lock_guard lock(mutex);
        finished(points[i], std::move(record));
      }
    } catch (...) {
      broken = true;
      throw;
    }
  };
  const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, threads);
  tbb::task_arena arena(static_cast<int>(threads));
  arena.execute([&] {
    tbb::task_group group;
    for (unsigned i = 1; i < threads; ++i) group.run(work);
    group.run_and_wait(work);
  });
}

}  // namespace rooftrace
