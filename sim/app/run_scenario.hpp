// One stage of a resolved scenario: trace it, run it.
#pragma once

#include "sim/app/result.hpp"
#include "sim/app/scenario.hpp"
#include "traces/workload.hpp"

namespace rooftrace {

/// Thread-safe: every call has a machine state of its own. UserError for a workload that this machine cannot run (an impossible tiling, for
/// example).
[[nodiscard]] StageResult run_workload(const Scenario& scenario, const WorkloadOptions& stage);

}  // namespace rooftrace
