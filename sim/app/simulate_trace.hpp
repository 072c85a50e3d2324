// A run of a trace file instead of a scenario.
//
// Promise: a trace that `rooftrace trace generate` saved, on the same machine with the same run options, gives the RunResult of the
// scenario itself, but for its provenance (command, config). Not checked: whether the traced job fits the machine's memory.
#pragma once

#include "sim/app/options.hpp"
#include "sim/app/result.hpp"

namespace rooftrace {

/// Everything of `rooftrace simulate --trace` but the reports. UserError.
[[nodiscard]] RunResult simulate_trace(const Options& options, unsigned threads);

}  // namespace rooftrace
