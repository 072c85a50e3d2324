// Workers take the next point when they are free: neighbours share traces, and a slow point holds up nobody.
#include "sim/app/sweep_run.hpp"

#include <tbb/global_control.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>

#include <atomic>
#include <mutex>

namespace rooftrace {

void run_points(const PointOrder& next, unsigned threads, const std::function<PointRecord(std::uint64_t)>& run,
                const std::function<void(std::uint64_t, PointRecord&&)>& finished, const std::function<bool()>& stop) {
  std::atomic<bool> broken{false};
  std::mutex starts, ends;
  const auto take = [&] {
    const std::lock_guard lock(starts);
    return next();
  };
  const auto work = [&] {
    try {
      while (!broken && !stop()) {
        const std::optional<std::uint64_t> point = take();
        if (!point) return;
        PointRecord record = run(*point);
        const std::lock_guard lock(ends);
        finished(*point, std::move(record));
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
