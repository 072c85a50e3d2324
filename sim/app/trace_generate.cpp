// rooftrace trace generate, without its options.
#include "sim/app/trace_generate.hpp"

#include <stdexcept>

#include "sim/app/atomic_file.hpp"
#include "sim/app/kernel_filter.hpp"
#include "sim/app/run_scenario.hpp"
#include "sim/app/trace_memory.hpp"
#include "sim/app/version.hpp"
#include "sim/core/error.hpp"
#include "traces/file/save_trace.hpp"
#include "traces/file/trace_writer.hpp"

namespace rooftrace {

TraceStageInfo stage_info(const Scenario& scenario, const WorkloadOptions& stage) {
  const bool decode = stage.stage == Stage::decode;
  TraceStageInfo info;
  info.stage = stage.stage;
  info.tokens = tokens_of(stage);
  info.gpus = stage.tp;
  info.batch = stage.batch;
  info.context = decode ? stage.context : 0;
  info.prompt = decode ? 0 : stage.prompt;
  info.seed = stage.seed;
  info.model = scenario.model.name;
  info.weights = name(stage.weights);
  info.kv = name(stage.kv);
  return info;
}

void generate_trace_file(const Scenario& scenario, const std::string& command, const std::string& kernels, bool every_layer,
                         const std::string& output) {
  AtomicFile file(output);
  const auto sink = make_trace_writer(file.temporary(), output);
  // No commit and no date: the same command of the same version gives the same bytes.
  sink->add_note("source", std::string("rooftrace ") + version());
  sink->add_note("command", command);
  sink->add_note("scenario", scenario.config);
  for (std::size_t i = 0; i < scenario.stages.size(); ++i)
    sink->add_note(memory_note_key(i), memory_note(memory_need(scenario.model, scenario.stages[i])));
  for (const WorkloadOptions& stage : scenario.stages) {
    Trace trace = trace_workload(scenario, stage);
    if (!kernels.empty()) trace = keep_kernels(trace, chosen_kernels(trace, kernels));
    try {
      save_trace(trace, stage_info(scenario, stage), *sink, every_layer ? StoredLayers::exact : StoredLayers::automatic);
    } catch (const std::invalid_argument& error) {  // More than a trace file may hold.
      throw UserError(error.what());
    }
  }
  sink->finish();
  file.commit();
}

}  // namespace rooftrace
