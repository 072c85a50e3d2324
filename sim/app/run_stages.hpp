// The stages of a run, in parallel.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "sim/app/options.hpp"
#include "sim/app/result.hpp"

namespace rooftrace {

/// The value of --threads, or one per core. UserError.
[[nodiscard]] unsigned thread_count(const Options& options);

/// run(0) to run(count - 1). Stages are independent: each has its own machine state, so the order in which they run changes nothing.
[[nodiscard]] std::vector<StageResult> run_stages(std::size_t count, unsigned threads, const std::function<StageResult(std::size_t)>& run);

/// Calls `work` with at most `threads` threads for what it gives to TBB.
void with_threads(unsigned threads, const std::function<void()>& work);

}  // namespace rooftrace
