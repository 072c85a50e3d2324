#include "sim/app/run_scenario.hpp"

#include <fmt/format.h>

#include <stdexcept>

#include "sim/app/run.hpp"
#include "sim/core/error.hpp"

namespace rooftrace {

Trace trace_workload(const Scenario& scenario, const WorkloadOptions& stage) {
  try {
    return make_workload(scenario.model, device_shape(scenario.machine, stage.tp), stage);
  } catch (const std::invalid_argument& error) {  // A tiling that this machine cannot run, for example.
    throw UserError(fmt::format("{}: {}", name(stage.stage), error.what()));
  }
}

std::uint64_t tokens_of(const WorkloadOptions& stage) {
  const std::uint64_t per_sequence = stage.stage == Stage::decode ? 1 : stage.prompt;
  return stage.batch * per_sequence;
}

StageResult run_trace(const Scenario& scenario, const WorkloadOptions& stage, const Trace& trace) {
  RunOptions run;
  run.fidelity = scenario.fidelity;
  run.layers = scenario.layers;
  run.warm = scenario.warm;
  run.contention = scenario.contention;
  run.group = stage.tp;
  StageResult result = run_stage(scenario.machine, trace, stage.stage, tokens_of(stage), run);
  result.batch = stage.batch;
  result.length = stage.stage == Stage::decode ? stage.context : stage.prompt;
  return result;
}

StageResult run_workload(const Scenario& scenario, const WorkloadOptions& stage) {
  return run_trace(scenario, stage, trace_workload(scenario, stage));
}

}  // namespace rooftrace
