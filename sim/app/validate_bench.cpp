// Running experiments once each, and the plain roofline of a trace.
#include "sim/app/validate_bench.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <new>

#include "analysis/summary.hpp"
#include "sim/app/model_choice.hpp"
#include "sim/app/peaks.hpp"
#include "sim/core/error.hpp"

namespace rooftrace {
namespace {

constexpr double kMostLines = 5e8;  ///< About 10 s of simulation.
constexpr double kMostSteps = 3e8;
constexpr std::int32_t kSimulatedLayers = 2;  ///< Of a kind, unless all are (Layers::sample; automatic takes about as many).

double steps_of(const Kernel& kernel) {
  return static_cast<double>(kernel.grid) * kernel.program->steps(0);
}

/// Every byte of the operands once through HBM or its link, all work at its peak, per kernel; what a kernel made for another stays on chip.
double plain_roofline(const Trace& trace, const MachineSpec& machine, const PeerPath& peers) {
  const Peaks peaks = peaks_of(machine);
  Demand all;
  for (const Kernel& kernel : trace.kernels) {
    KernelRecord record;
    record.tensor_type = kernel.tensor_type;
    record.work = kernel.work;
    record.compulsory = compulsory_bytes(kernel, machine, peers, true);  // for the links
    for (int role = 0; role < kTensorRoles; ++role)
      record.compulsory.bytes[static_cast<std::size_t>(LevelId::hbm)][static_cast<std::size_t>(role)] = {};
    record.compulsory.bytes[static_cast<std::size_t>(LevelId::l2)] = {};
    for (const Footprint& f : kernel.footprint) {
      if (f.home != Home::local || f.produced) continue;
      record.compulsory.at(LevelId::hbm, f.role, Direction::read, Cause::compulsory) += f.read;
      record.compulsory.at(LevelId::hbm, f.role, Direction::write, Cause::write_back) += f.written;
    }
    all += compulsory_demand_of(record, peaks);
  }
  return roofline(all, peaks).bound;
}

void check_size(const Trace& trace, Layers layers) {
  double lines = 0, steps = 0;
  for (const Kernel& kernel : trace.kernels) {
    if (layers != Layers::exact && kernel.layer >= kSimulatedLayers) continue;
    lines += estimated_lines(kernel);
    steps += steps_of(kernel);
  }
  if (!(lines <= kMostLines && steps <= kMostSteps)) throw RowSkipped(fmt::format("too long: {:.2g} cache lines to simulate", lines));
}

Outcome simulate(const MachineSpec& machine, const Experiment& experiment, Fidelity fidelity, Contention contention, Layers layers) {
  const Trace trace = experiment.trace(device_shape(machine, experiment.group));
  if (fidelity != Fidelity::bound) check_size(trace, layers);
  RunOptions options;
  options.fidelity = fidelity;
  options.contention = contention;
  options.warm = experiment.warm;
  options.layers = layers;
  options.group = experiment.group;
  const StageResult result = run_stage(machine, trace, experiment.stage, experiment.tokens, options);
  Outcome outcome;
  for (const KernelRecord& record : result.kernels) {
    outcome.q += record.q;
    outcome.compulsory += record.compulsory;
    outcome.cache += record.cache;
  }
  for (const Kernel& kernel : trace.kernels) {
    for (const Footprint& f : kernel.footprint) {
      if (f.home == Home::local && !f.produced) outcome.footprint_read += f.read;
    }
  }
  const StageSummary summary = summarize(result.kernels, peaks_of(machine), experiment.tokens, result.latency);
  outcome.bound = summary.ceiling;
  outcome.roofline = plain_roofline(trace, machine, peer_path(machine, experiment.group));
  outcome.seconds = fidelity == Fidelity::bound ? summary.ceiling : to_seconds(result.latency);
  const KernelRecord& last = result.kernels.back();
  if (fidelity == Fidelity::des) {
    const bool copies = trace.kernels.back().unit == Unit::copy_engine;
    outcome.last_seconds =
        to_seconds(last.end - last.start) - (copies ? machine.launch.copy_start : machine.launch.kernel_gap) - machine.launch.block_start;
  }
  return outcome;
}

}  // namespace

double estimated_lines(const Kernel& kernel) {
  const std::uint32_t steps = kernel.program->steps(0);
  double bytes = 0;
  // First, middle and last step stand for all: loads differ at the ends.
  for (const std::uint32_t step : {0U, steps / 2, steps - 1}) {
    Step content;
    kernel.program->fill(0, step, content);
    double here = 0;
    for (const Access& access : content.loads) here += static_cast<double>(access.bytes()) / access.multicast;
    for (const Access& access : content.stores) here += static_cast<double>(access.bytes());
    bytes += step == steps / 2 ? here * std::max(1.0, static_cast<double>(steps) - 2) : here;
  }
  return bytes / 128 * kernel.grid;
}

Bench::Bench(const ConfigPaths& paths, Fidelity fidelity, std::optional<Contention> contention, Layers layers)
    : paths_(paths), fidelity_(fidelity), contention_(contention), layers_(layers) {}

template <typename Value, typename Make>
const Value& Bench::once(Memo<Value>& memo, const std::string& key, const Make& make) {
  Once<Value>* entry = nullptr;
  {
    const std::lock_guard lock(mutex_);
    auto& slot = memo[key];
    if (!slot) slot = std::make_unique<Once<Value>>();
    entry = slot.get();
  }
  std::call_once(entry->flag, [&] {
    try {
      entry->value = make();
    } catch (const std::bad_alloc&) {
      entry->skipped = "not enough memory to simulate it";
    } catch (const std::exception& error) {
      entry->skipped = error.what();
    }
  });
  if (!entry->skipped.empty()) throw RowSkipped(entry->skipped);
  return entry->value;
}

const HardwareChoice& Bench::choice(const std::string& name) {
  return once(machines_, name, [&] {
    const std::vector<std::string> known = paths_.names(ConfigKind::hardware);
    if (std::find(known.begin(), known.end(), name) == known.end()) throw RowSkipped("no hardware file for " + quoted_word(name));
    return choose_hardware(name, {}, paths_);
  });
}

const MachineSpec& Bench::machine(const std::string& name) {
  return choice(name).machine;
}

const std::string& Bench::machine_text(const std::string& name) {
  return choice(name).yaml;
}

void Bench::use(const MachineSpec& machine, const std::string& text) {
  static_cast<void>(once(machines_, machine.name, [&] { return HardwareChoice{machine, text}; }));
}

const ModelSpec& Bench::model(const std::string& name) {
  return once(models_, name, [&] {
    const std::vector<std::string> known = paths_.names(ConfigKind::model);
    if (std::find(known.begin(), known.end(), name) == known.end()) throw RowSkipped("no model file for " + quoted_word(name));
    return choose_model(name, {}, paths_);
  });
}

const Outcome& Bench::run(const MachineSpec& machine, const Experiment& experiment) {
  const Fidelity fidelity = experiment.closed_form ? Fidelity::bound : fidelity_;
  const Contention contention = contention_.value_or(experiment.contention);
  const std::string key = fmt::format("{}|{}|{}|{}", machine.name, name(fidelity), name(contention), experiment.key);
  return once(outcomes_, key,
              [&] { return simulate(machine, experiment, fidelity, contention, experiment.whole_step ? layers_ : Layers::exact); });
}

}  // namespace rooftrace
