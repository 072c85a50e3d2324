// The bench on which rows are simulated: machines and models by name, and every distinct experiment run once.
//
// Promises: thread-safe; an experiment asked for by several rows (the same kernel's bytes and time) is simulated once, whoever asks first;
// answers do not depend on the order of asking. An unknown name, a kernel this machine cannot run and one of too many lines throw
// RowSkipped with the reason.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "sim/app/config_paths.hpp"
#include "sim/app/hardware_choice.hpp"
#include "sim/app/run.hpp"
#include "sim/app/validate_csv.hpp"
#include "traces/model_spec.hpp"

namespace rooftrace {

/// What an experiment gave.
struct Outcome {
  double seconds = 0;     ///< Simulated, launches included; at fidelity bound the bound; 0: fidelity cache has no time.
  double bound = 0;       ///< s, closed form, what no cache and no schedule beats (analysis/summary.hpp: ceiling).
  double roofline = 0;    ///< s, plain roofline: every byte of the operands through HBM once, work at the datasheet's peak.
  ByteCounts q;           ///< Simulated (or, at fidelity bound, compulsory) bytes of all kernels.
  ByteCounts compulsory;  ///< Closed form.
  CacheCounts cache;
  std::uint64_t footprint_read = 0;  ///< Distinct local bytes the kernels read, nothing of it in the cache before.
  double last_seconds = 0;           ///< Of the last kernel alone, its launch and block start not counted.
};

struct Experiment {
  std::string key;  ///< Distinct for distinct experiments on one machine.
  std::function<Trace(const DeviceShape&)> trace;
  Stage stage = Stage::other;
  std::uint64_t tokens = 1;
  bool warm = false;
  bool whole_step = false;   ///< Of layers that may be sampled (Bench).
  bool closed_form = false;  ///< The bound alone, whatever the fidelity.
  /// What makes requests of L2 wait for each other, unless the bench was told: slices where the quantity is decided by it.
  Contention contention = Contention::pooled;
  std::uint32_t group = 1;
};

class Bench {
 public:
  Bench(const ConfigPaths& paths, Fidelity fidelity, std::optional<Contention> contention = {}, Layers layers = Layers::sample);

  [[nodiscard]] const MachineSpec& machine(const std::string& name);
  /// The machine's resolved file.
  [[nodiscard]] const std::string& machine_text(const std::string& name);
  /// From now on `machine.name` means this one, whatever its file says. Before the first row is run.
  void use(const MachineSpec& machine, const std::string& text = "");
  [[nodiscard]] const ModelSpec& model(const std::string& name);
  [[nodiscard]] const Outcome& run(const MachineSpec& machine, const Experiment& experiment);
  [[nodiscard]] Fidelity fidelity() const { return fidelity_; }

 private:
  template <typename Value>
  struct Once {
    std::once_flag flag;
    Value value{};
    std::string skipped;  ///< Why there is no value; "" when there is one.
  };
  template <typename Value>
  using Memo = std::map<std::string, std::unique_ptr<Once<Value>>>;
  [[nodiscard]] const HardwareChoice& choice(const std::string& name);
  template <typename Value, typename Make>
  const Value& once(Memo<Value>& memo, const std::string& key, const Make& make);

  ConfigPaths paths_;
  Fidelity fidelity_;
  std::optional<Contention> contention_;  ///< For all experiments.
  Layers layers_;
  std::mutex mutex_;  ///< Guards the maps, not what is in them.
  Memo<HardwareChoice> machines_;
  Memo<ModelSpec> models_;
  Memo<Outcome> outcomes_;
};

/// Lines that simulating this kernel takes, from its first block; for refusing what would take minutes.
[[nodiscard]] double estimated_lines(const Kernel& kernel);

}  // namespace rooftrace
