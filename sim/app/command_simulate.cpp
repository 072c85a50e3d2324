// rooftrace simulate: scenario in, report and result file out.
#include <fmt/format.h>

#include "sim/app/atomic_file.hpp"
#include "sim/app/commands.hpp"
#include "sim/app/console.hpp"
#include "sim/app/report_hdf5.hpp"
#include "sim/app/report_json.hpp"
#include "sim/app/report_text.hpp"
#include "sim/app/run_scenario.hpp"
#include "sim/app/run_stages.hpp"
#include "sim/app/scenario.hpp"
#include "sim/app/simulate_trace.hpp"
#include "sim/app/version.hpp"
#include "sim/core/error.hpp"

namespace rooftrace {
namespace {

RunResult describe_run(const Scenario& scenario, const Options& options) {
  RunResult result;
  result.command = options.command;
  result.version = version();
  result.commit = commit();
  result.config = scenario.config;
  const WorkloadOptions& first = scenario.stages.front();
  result.seed = first.seed;
  result.hardware = scenario.machine.name;
  result.model = scenario.model.name;
  result.tp = first.tp;
  result.batch = first.batch;
  // Of the first stage of each kind; 0 when there is none.
  for (auto stage = scenario.stages.rbegin(); stage != scenario.stages.rend(); ++stage) {
    (stage->stage == Stage::decode ? result.context : result.prompt) = stage->stage == Stage::decode ? stage->context : stage->prompt;
  }
  result.weights = name(first.weights);
  result.kv = name(first.kv);
  result.fidelity = scenario.fidelity;
  result.layers = name(scenario.layers);
  result.contention = name(scenario.contention);
  result.start_state = scenario.warm ? "warm" : "cold";
  result.machine = scenario.machine;
  return result;
}

void remark(const Scenario& scenario, const Notes& notes) {
  const std::uint32_t tp = scenario.stages.front().tp;
  if (tp > 1 && scenario.machine.nvlink.bandwidth == 0) {
    notes.note(fmt::format("{} has no NVLink: tp {} goes over PCIe", scenario.machine.name, tp));
  }
}

RunResult simulate_scenario(const Options& options, unsigned threads, const Notes& notes) {
  const Scenario scenario = load_scenario(options, ConfigPaths::of_process(options.value("configs").value_or("")));
  remark(scenario, notes);
  RunResult result = describe_run(scenario, options);
  result.stages = run_stages(scenario.stages.size(), threads, [&](std::size_t i) { return run_workload(scenario, scenario.stages[i]); });
  return result;
}

}  // namespace

int command_simulate(const Options& options) {
  const unsigned threads = thread_count(options);
  const auto output = options.value("output");
  if (output) check_writable(*output);

  const Notes notes(options.quiet);
  const RunResult result = options.value("trace") ? simulate_trace(options, threads) : simulate_scenario(options, threads, notes);

  // The file first: a report that cannot be printed must not cost the result.
  if (output) {
    write_result_h5(result, *output);
    notes.note("wrote " + *output);
  }
  if (!options.quiet) print_out(options.value("format").value_or("text") == "json" ? report_json(result) : report_text(result));
  return kDone;
}

}  // namespace rooftrace
