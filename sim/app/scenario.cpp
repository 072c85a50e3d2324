// A scenario document, the options laid on it, and the checks that make it runnable.
#include "sim/app/scenario.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "sim/app/config_text.hpp"
#include "sim/app/hardware_choice.hpp"
#include "sim/app/memory_fit.hpp"
#include "sim/app/model_choice.hpp"
#include "sim/app/scenario_keys.hpp"
#include "sim/core/config.hpp"
#include "sim/core/error.hpp"
#include "sim/core/names.hpp"

namespace rooftrace {
namespace {

/// The scenario's document and the folder that its relative paths count from.
struct Opened {
  ConfigDocument document;
  std::string folder;
};

Opened open_document(const Options& options, const ConfigPaths& paths) {
  if (options.arguments.empty()) return {ConfigDocument::parse("{}", "--set"), ""};
  const ConfigFile file = paths.find(ConfigKind::scenario, options.arguments.front());
  return {paths.document(file.path), std::filesystem::path(file.path).parent_path().string()};
}

/// Options that are a key of the scenario under the same name.
void apply_plain_options(const Options& options, ConfigDocument& document) {
  for (const char* name : {"weights", "kv", "fidelity", "layers", "start", "contention"}) {
    if (const auto text = options.value(name)) document.set(fmt::format("{}={}", name, *text), fmt::format("--{}", name));
  }
  for (const char* name : {"hardware", "model"}) {
    if (const auto text = options.value(name)) document.set(fmt::format("{}={}", name, yaml_scalar(*text)), fmt::format("--{}", name));
  }
  if (const auto text = options.value("tp")) document.set(fmt::format("tp={}", integer_option("tp", *text, 1, kMaxTp)), "--tp");
  if (const auto text = options.value("offload")) {
    for (const auto& [key, share] : offload_option(*text)) document.set(fmt::format("offload.{}={}", key, share), "--offload");
  }
}

bool has_stage(const std::vector<WorkloadOptions>& stages, Stage stage) {
  return std::any_of(stages.begin(), stages.end(), [&](const WorkloadOptions& one) { return one.stage == stage; });
}

/// --stage keeps the stages of that kind and adds one when there is none.
void keep_stage(const std::string& word, std::vector<WorkloadOptions>& stages) {
  const WorkloadOptions like = stages.front();
  const auto wanted = [&](Stage stage) { return word == "both" || *stage_from(word) == stage; };
  stages.erase(std::remove_if(stages.begin(), stages.end(), [&](const WorkloadOptions& one) { return !wanted(one.stage); }), stages.end());
  for (const Stage stage : {Stage::decode, Stage::prefill}) {
    if (wanted(stage) && !has_stage(stages, stage)) stages.emplace_back(like).stage = stage;
  }
}

void apply_stage_options(const Options& options, std::vector<WorkloadOptions>& stages) {
  if (const auto word = options.value("stage")) keep_stage(*word, stages);
  if (const auto text = options.value("batch")) {
    const auto batch = static_cast<std::uint32_t>(integer_option("batch", *text, 1, kMaxBatch));
    for (WorkloadOptions& stage : stages) stage.batch = batch;
  }
  const auto set_tokens = [&](const std::string& option, Stage kind, std::uint32_t WorkloadOptions::*member) {
    const auto text = options.value(option);
    if (!text) return;
    const auto tokens = static_cast<std::uint32_t>(integer_option(option, *text, 1, kMaxTokens));
    if (!has_stage(stages, kind)) throw UserError(fmt::format("--{0}: there is no {1} stage to set; add --stage {1}", option, name(kind)));
    for (WorkloadOptions& stage : stages) {
      if (stage.stage == kind) stage.*member = tokens;
    }
  };
  set_tokens("context", Stage::decode, &WorkloadOptions::context);
  set_tokens("prompt", Stage::prefill, &WorkloadOptions::prompt);
}

std::size_t read_word(const ConfigNode& root, const std::string& key, const std::vector<std::string>& words, std::size_t absent) {
  const auto node = root.find(key);
  return node ? node->one_of(words) : absent;
}

/// Sets that are not for another file.
std::vector<std::string> own_sets(const std::vector<std::string>& sets) {
  std::vector<std::string> own;
  for (const std::string& assignment : sets) {
    if (!assignment.starts_with("hardware.") && !assignment.starts_with("model.")) own.push_back(assignment);
  }
  return own;
}

/// `hardware:` or `model:`, wherever it comes from.
ConfigNode needed(const ConfigNode& root, const std::string& key, ConfigKind kind, const ConfigPaths& paths) {
  if (const auto node = root.find(key)) return *node;
  throw UserError(fmt::format("which {0}? Give --{0} NAME ({1}) or a scenario", key, fmt::join(paths.names(kind), ", ")));
}

/// Paths in a file count from that file's folder, paths on the command line from here.
std::string base_of(const ConfigNode& node, const std::string& folder) {
  return node.where().line > 0 ? folder : "";
}

std::string resolved(const Scenario& scenario, const std::string& hardware_yaml) {
  std::string text = workload_yaml(scenario.stages);
  text += fmt::format("start: {}\nlayers: {}\nfidelity: {}\ncontention: {}\n", scenario.warm ? "warm" : "cold", name(scenario.layers),
                      name(scenario.fidelity), name(scenario.contention));
  text += "model:\n" + indented(model_yaml(scenario.model), 2);
  return text + fmt::format("hardware:\n  name: {}\n", yaml_scalar(scenario.machine.name)) + indented(hardware_yaml, 2);
}

}  // namespace

std::vector<std::string> sets_below(const std::vector<std::string>& sets, const std::string& prefix) {
  std::vector<std::string> below;
  for (const std::string& assignment : sets) {
    if (assignment.starts_with(prefix)) below.push_back(assignment.substr(prefix.size()));
  }
  return below;
}

Scenario load_scenario(const Options& options, const ConfigPaths& paths) {
  Opened opened = open_document(options, paths);
  for (const std::string& assignment : own_sets(options.sets)) opened.document.set(assignment);
  apply_plain_options(options, opened.document);
  const ConfigNode root = opened.document.root();

  Scenario scenario;
  const std::vector<std::string> starts = {"cold", "warm"}, contentions = {"pooled", "slices"}, ladder = fidelity_names();
  scenario.fidelity = static_cast<Fidelity>(read_word(root, "fidelity", ladder, static_cast<std::size_t>(Fidelity::des)));
  scenario.warm = read_word(root, "start", starts, 0) == 1;
  scenario.contention = static_cast<Contention>(read_word(root, "contention", contentions, 0));
  scenario.layers = static_cast<Layers>(read_word(root, "layers", layers_names(), static_cast<std::size_t>(Layers::automatic)));
  scenario.stages = read_stages(root, read_workload(root));
  apply_stage_options(options, scenario.stages);
  const ConfigNode hardware_node = needed(root, "hardware", ConfigKind::hardware, paths);
  const ConfigNode model_node = needed(root, "model", ConfigKind::model, paths);
  HardwareChoice hardware =
      choose_hardware(hardware_node, sets_below(options.sets, "hardware."), paths, base_of(hardware_node, opened.folder));
  scenario.model = choose_model(model_node, sets_below(options.sets, "model."), paths, base_of(model_node, opened.folder));
  opened.document.check_all_read();
  fill_unsaid(scenario.model, scenario.stages);

  scenario.machine = std::move(hardware.machine);
  for (const WorkloadOptions& stage : scenario.stages) check_fit(scenario.machine, scenario.model, stage);
  scenario.config = resolved(scenario, hardware.yaml);
  return scenario;
}

}  // namespace rooftrace
