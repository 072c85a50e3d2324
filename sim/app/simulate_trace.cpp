// Options, machine and stages; each stage is run like a scenario's.
#include "sim/app/simulate_trace.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <stdexcept>

#include "sim/app/config_paths.hpp"
#include "sim/app/config_text.hpp"
#include "sim/app/hardware_choice.hpp"
#include "sim/app/run.hpp"
#include "sim/app/run_stages.hpp"
#include "sim/app/scenario.hpp"
#include "sim/app/trace_memory.hpp"
#include "sim/app/version.hpp"
#include "sim/core/error.hpp"
#include "sim/core/names.hpp"
#include "traces/file/trace_file.hpp"

namespace rooftrace {
namespace {

void refuse_what_the_trace_says(const Options& options) {
  if (!options.arguments.empty()) {
    throw UserError(fmt::format("{}: a scenario beside --trace; the trace is the scenario", quoted_word(options.arguments.front())));
  }
  constexpr std::array kSaid = {"model", "batch", "context", "prompt", "tp", "weights", "kv", "offload"};
  for (const char* name : kSaid) {
    if (options.value(name)) throw UserError(fmt::format("--{}: the trace of --trace says that already; generate another one", name));
  }
  for (const std::string& assignment : options.sets) {
    if (assignment.starts_with("hardware.")) continue;
    throw UserError(fmt::format("--set {}: with --trace only keys that start with \"hardware.\"", quoted_word(assignment)));
  }
}

std::vector<const TraceFileStage*> chosen_stages(const TraceFile& file, const Options& options) {
  const std::string word = options.value("stage").value_or("both");
  std::vector<const TraceFileStage*> chosen;
  for (const TraceFileStage& stage : file.stages) {
    if (word == "both" || name(stage.info.stage) == word) chosen.push_back(&stage);
  }
  if (chosen.empty()) throw UserError(fmt::format("{}: there is no {} stage in this trace", file.path, word));
  return chosen;
}

HardwareChoice machine_of(const Options& options, const ConfigPaths& paths) {
  const auto word = options.value("hardware");
  if (!word) {
    throw UserError(fmt::format("which hardware? Give --hardware NAME ({})", fmt::join(paths.names(ConfigKind::hardware), ", ")));
  }
  return choose_hardware(*word, sets_below(options.sets, "hardware."), paths);
}

std::string config_text(const TraceFile& file, const RunResult& result, const std::string& hardware) {
  std::string text = fmt::format("trace: {}\n", yaml_scalar(file.path));
  for (const char* key : {"source", "command"}) {
    if (const std::string note = file.note(key); !note.empty()) text += fmt::format("trace_{}: {}\n", key, yaml_scalar(note));
  }
  text += fmt::format("start: {}\nlayers: {}\nfidelity: {}\n", result.start_state, result.layers, name(result.fidelity));
  return text + fmt::format("hardware:\n  name: {}\n", yaml_scalar(result.hardware)) + indented(hardware, 2);
}

void describe(const std::vector<const TraceFileStage*>& stages, RunResult& result) {
  const TraceStageInfo& first = stages.front()->info;
  result.seed = first.seed;
  result.model = first.model.empty() ? "unknown" : first.model;
  result.tp = first.gpus;
  result.batch = first.batch;
  result.weights = first.weights.empty() ? "unknown" : first.weights;
  result.kv = first.kv.empty() ? "unknown" : first.kv;
  // Of the first stage of each kind; 0 when there is none.
  for (auto stage = stages.rbegin(); stage != stages.rend(); ++stage) {
    const TraceStageInfo& info = (*stage)->info;
    (info.stage == Stage::decode ? result.context : result.prompt) = info.stage == Stage::decode ? info.context : info.prompt;
  }
}

void check_machine(const MachineSpec& machine, const TraceFile& file, const TraceStageInfo& info) {
  if (info.gpus <= machine.node.gpus) return;
  throw UserError(fmt::format("{}: traced on {} GPUs, more than the {} of a {} node (hardware.node.gpus)", file.path, info.gpus,
                              machine.node.gpus, machine.name));
}

}  // namespace

RunResult simulate_trace(const Options& options, unsigned threads) {
  refuse_what_the_trace_says(options);
  const ConfigPaths paths = ConfigPaths::of_process(options.value("configs").value_or(""));
  const HardwareChoice hardware = machine_of(options, paths);
  const TraceFile file = open_trace_file(*options.value("trace"));
  const std::vector<const TraceFileStage*> stages = chosen_stages(file, options);

  RunResult result;
  result.command = options.command;
  result.version = version();
  result.commit = commit();
  result.hardware = hardware.machine.name;
  result.machine = hardware.machine;
  result.fidelity = *fidelity_from(options.value("fidelity").value_or("des"));
  result.layers = options.value("layers").value_or("auto");
  result.start_state = options.value("start").value_or("cold");
  describe(stages, result);
  result.config = config_text(file, result, hardware.yaml);

  for (const TraceFileStage* stage : stages) {
    check_machine(result.machine, file, stage->info);
    check_trace_memory(result.machine, file, static_cast<std::size_t>(stage - file.stages.data()));
  }
  result.stages = run_stages(stages.size(), threads, [&](std::size_t i) {
    const TraceStageInfo& info = stages[i]->info;
    RunOptions run;
    run.fidelity = result.fidelity;
    run.layers = layers_from(result.layers);
    run.warm = result.start_state == "warm";
    run.group = info.gpus;
    try {
      StageResult stage = run_stage(result.machine, stages[i]->trace, info.stage, info.tokens, run);
      stage.batch = info.batch;
      stage.length = info.stage == Stage::decode ? info.context : info.prompt;
      return stage;
    } catch (const std::invalid_argument& error) {  // A type that this machine does not compute.
      throw UserError(fmt::format("{}: {}", file.path, error.what()));
    }
  });
  return result;
}

}  // namespace rooftrace
