// One run, resolved: machine, model, stages and run options, from a scenario file, from options, or from both.
//
// Order of precedence: the scenario file, then --set, then the other options. Keys of a scenario (all optional, except that hardware and
// model must come from somewhere):
//   hardware, model       a name, a path, or a mapping with changes (hardware_choice.hpp, model_choice.hpp)
//   stages                list of decode, prefill, or {stage, batch, context | prompt}; default: both
//   batch, context, prompt   for the stages that do not say; defaults 1, 4096, 2048 (or what the model holds)
//   tp, weights, kv, activations, page_tokens, kv_splits, attention_engine, offload {weights, kv}, all_reduce, one_shot_below, seed
//   tiling                kernel class -> fields of its GEMM tiling
//   start, layers, fidelity
// Promises: a scenario that loads can run (it obeys the model, the node and the memory); `config` is complete and, read back as a
// scenario, gives the same scenario, and the same `config`, without any other file.
#pragma once

#include <string>
#include <vector>

#include "sim/app/config_paths.hpp"
#include "sim/app/options.hpp"
#include "sim/app/run.hpp"
#include "sim/core/run_record.hpp"
#include "sim/machine/l2.hpp"
#include "sim/machine/machine_spec.hpp"
#include "traces/model_spec.hpp"
#include "traces/workload.hpp"

namespace rooftrace {

struct Scenario {
  MachineSpec machine;
  ModelSpec model;
  std::vector<WorkloadOptions> stages;  ///< At least one; they differ in stage, batch, context and prompt only.
  Fidelity fidelity = Fidelity::des;
  Layers layers = Layers::automatic;
  bool warm = false;
  Contention contention = Contention::pooled;
  std::string config;  ///< The resolved scenario as YAML.
};

[[nodiscard]] Scenario load_scenario(const Options& options, const ConfigPaths& paths);

/// The assignments of --set that begin with `prefix` ("hardware."), without it.
[[nodiscard]] std::vector<std::string> sets_below(const std::vector<std::string>& sets, const std::string& prefix);

}  // namespace rooftrace
