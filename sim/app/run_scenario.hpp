// One stage of a resolved scenario: trace it, run it.
#pragma once

#include "sim/app/result.hpp"
#include "sim/app/scenario.hpp"
#include "traces/workload.hpp"

namespace rooftrace {

/// Thread-safe: every call has a machine state of its own. UserError for a workload that this machine cannot run (an impossible tiling, for
/// example).
[[nodiscard]] StageResult run_workload(const Scenario& scenario, const WorkloadOptions& stage);

/// The same in two steps, for who runs several machines over one trace: a trace depends on the model, the stage and the machine's
/// DeviceShape only.
[[nodiscard]] Trace trace_workload(const Scenario& scenario, const WorkloadOptions& stage);
/// Tokens that a stage makes or takes in: batch (decode), batch * prompt (prefill).
[[nodiscard]] std::uint64_t tokens_of(const WorkloadOptions& stage);
[[nodiscard]] StageResult run_trace(const Scenario& scenario, const WorkloadOptions& stage, const Trace& trace);

}  // namespace rooftrace
