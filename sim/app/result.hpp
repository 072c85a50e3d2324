// The result of a run as a value: what every report prints and result.h5 stores.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/core/run_record.hpp"
#include "sim/machine/machine_spec.hpp"

namespace rooftrace {

struct StageResult {
  Stage stage = Stage::decode;
  std::uint32_t batch = 0, length = 0;  ///< Sequences; tokens cached in each (decode) or prompt of each (prefill); 0: not known.
  std::uint64_t tokens = 0;  ///< Tokens this step makes or takes in, all GPUs together: batch (decode), batch * prompt (prefill).
  std::vector<KernelRecord> kernels;
  Time latency = 0;         ///< Simulated time from the first launch to the last byte; 0 below fidelity des.
  double wall_seconds = 0;  ///< What the simulation itself took.
  /// Whether a simulated access went to a peer, or to the host.
  bool asked_peers = false, asked_host = false;
};

struct RunResult {
  std::string command;          ///< The command line as given.
  std::string version, commit;  ///< Of rooftrace.
  std::string config;           ///< Resolved scenario, machine and model as one YAML text.
  std::uint64_t seed = 0;
  std::string hardware, model;  ///< Names.
  std::uint32_t tp = 1;
  std::uint32_t batch = 1;                ///< Of the first stage.
  std::uint32_t context = 0, prompt = 0;  ///< Of the first stage of each kind.
  std::string weights, kv;                ///< Data types.
  Fidelity fidelity = Fidelity::des;
  std::string layers;                 ///< "exact", "auto" or "sample".
  std::string start_state;            ///< "cold" or "warm".
  std::string contention = "pooled";  ///< "pooled" or "slices".
  MachineSpec machine;
  std::vector<StageResult> stages;
};

}  // namespace rooftrace
