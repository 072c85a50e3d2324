#include "sim/app/sweep_reuse.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>
#include <tuple>
#include <type_traits>

#include "sim/app/model_choice.hpp"
#include "sim/app/run.hpp"
#include "sim/app/run_scenario.hpp"
#include "sim/app/scenario_keys.hpp"

namespace rooftrace {
namespace {

/// Numbers as they are in memory, one after the other.
class Bits {
 public:
  template <typename... T>
  Bits& add(const T&... values) {
    (one(values), ...);
    return *this;
  }
  [[nodiscard]] std::string text() && { return std::move(text_); }

 private:
  template <typename T>
  requires(std::is_arithmetic_v<T> || std::is_enum_v<T>) void one(const T& value) {
    std::array<char, sizeof(T)> bytes;
    std::memcpy(bytes.data(), &value, sizeof(T));
    text_.append(bytes.data(), bytes.size());
  }
  void one(const LinkSpec& link) {
    const auto& [bandwidth, efficiency, latency] = link;
    add(bandwidth, efficiency, latency);
  }
  void one(const std::string& word) {
    add(word.size());
    text_ += word;
  }
  std::string text_;
};

/// What kernels ask for, in the closed form.
struct Asks {
  bool peers = false, host = false, copy_engine = false;
  std::array<bool, std::tuple_size_v<decltype(EngineSpec::tensor_rate)>> tensor{};
};

Asks asks_of(const Trace& trace) {
  Asks asks;
  for (const Kernel& kernel : trace.kernels) {
    asks.peers = asks.peers || kernel.serial_hops > 0;
    asks.copy_engine = asks.copy_engine || kernel.unit == Unit::copy_engine;
    asks.tensor[static_cast<std::size_t>(kernel.tensor_type)] = true;
    for (const Footprint& f : kernel.footprint) {
      asks.peers = asks.peers || f.home == Home::peer;
      asks.host = asks.host || f.home == Home::host;
    }
  }
  return asks;
}

// Structured bindings name every member, so that a new one does not compile; those that are not added are not read.

/// What the memories read of the SMs; the rest of it is in the engine's spec, or only described.
void add_sm(Bits& key, const SmSpec& sm, bool timed) {
  const auto& [count, gpcs, clock, peak_clock, tensor_clock, tensor_share_8bit, tensor_peak, cuda_peak, sfu, shared, shared_per_block, l1,
               l1_latency, port, max_blocks, cluster, async] = sm;
  key.add(count, gpcs);
  if (timed) key.add(port);
}

void add_l2(Bits& key, const L2Spec& l2, bool timed, bool slices) {
  const auto& [capacity, effective, ways, line, sector, partitions, copies, miss_slots, slice_count, bandwidth, peak, near, far, hash,
               policy] = l2;
  static_cast<void>(capacity);     // Of the datasheet.
  static_cast<void>(slice_count);  // Slices are one for each HBM channel.
  key.add(effective, ways, line, sector, partitions, copies, hash, policy);
  if (timed) key.add(bandwidth, near, far);
  if (timed && slices) key.add(miss_slots, peak);
}

void add_hbm(Bits& key, const HbmSpec& hbm, bool timed) {
  const auto& [kind, stacks, channels, bandwidth, latency, capacity, interleave, dram] = hbm;
  static_cast<void>(kind);
  static_cast<void>(stacks);
  static_cast<void>(capacity);  // Whether it is enough is asked when the scenario is loaded.
  key.add(channels, interleave);
  if (!timed) return;
  const auto& [burst, pseudo_channels, banks, groups, row_cycle, activate, same_group, refresh, interval, all, turnaround, batch,
               scheduled] = dram;
  key.add(bandwidth, latency, burst, pseudo_channels, banks, groups, row_cycle, activate, same_group, refresh, interval, all, turnaround,
          batch, scheduled);
}

void add_engine(Bits& key, const EngineSpec& engine, const Asks& asks, bool timed) {
  const auto& [sms, blocks, tensor, cuda, sfu, gap, block_start, copy_start] = engine;
  key.add(sms, blocks);
  for (std::size_t type = 0; type < tensor.size(); ++type) {
    if (!asks.tensor[type]) continue;
    key.add(tensor[type] > 0);  // Else the run is refused.
    if (timed) key.add(tensor[type]);
  }
  if (timed) key.add(cuda, sfu, gap, block_start);
  if (timed && asks.copy_engine) key.add(copy_start);
}

}  // namespace

std::string trace_key(const Scenario& scenario, const WorkloadOptions& stage, bool all) {
  const DeviceShape shape = device_shape(scenario.machine, stage.tp);
  const auto& [sms, shared_sm, shared_block, max_blocks, l2, line, sector, cluster, async, capability, peers, fp8, fp4, rate] = shape;
  const auto& [bandwidth, nvlink, all_to_all, switch_reduces] = peers;
  Bits key;
  key.add(model_yaml(scenario.model), workload_yaml({stage}), sms, shared_sm, shared_block, max_blocks, l2, line, sector, cluster, async,
          capability, fp8, fp4, rate);
  if (all || stage.tp > 1) key.add(bandwidth, nvlink, all_to_all, switch_reduces);
  return std::move(key).text();
}

std::string run_key(const Scenario& scenario, const WorkloadOptions& stage, const Trace& trace) {
  const MachineSpec& machine = scenario.machine;
  const auto& [name, title, arch, sm, l2, hbm, nvlink, pcie, host, node, launch] = machine;
  static_cast<void>(name);
  static_cast<void>(title);
  static_cast<void>(arch);    // In the trace: DeviceShape::compute_capability.
  static_cast<void>(host);    // No run reads host memory but through PCIe.
  static_cast<void>(nvlink);  // Both in the path to the peers.
  static_cast<void>(node);
  static_cast<void>(launch);  // In the engine's spec.
  const Asks asks = asks_of(trace);
  const bool timed = scenario.fidelity == Fidelity::des, bound = scenario.fidelity == Fidelity::bound;
  Bits key;
  key.add(scenario.fidelity, scenario.warm);
  if (asks.peers) {
    const auto& [level, link] = peer_path(machine, stage.tp);
    key.add(level);
    if (timed) key.add(link, nvlink, pcie);
  }
  if (timed && asks.host) key.add(pcie);
  if (bound) {
    key.add(l2.sets(), l2.ways, l2.line);
    return std::move(key).text();
  }
  key.add(scenario.layers, scenario.contention);
  add_sm(key, sm, timed);
  add_engine(key, engine_spec(machine), asks, timed);
  add_l2(key, l2, timed, scenario.contention == Contention::slices);
  add_hbm(key, hbm, timed);
  return std::move(key).text();
}

std::vector<std::size_t> run_order(const SweepSpec& spec) {
  const auto rank = [](const SweepKey& key) {
    if (!key.key.starts_with("hardware.")) return 0;
    return key.units.empty() || key.units == "byte" ? 1 : 2;
  };
  std::vector<std::size_t> order(spec.axes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    const auto rank_of = [&](std::size_t axis) {
      const std::vector<SweepKey>& keys = spec.axes[axis].keys;
      return rank(*std::min_element(keys.begin(), keys.end(), [&](const SweepKey& x, const SweepKey& y) { return rank(x) < rank(y); }));
    };
    return rank_of(a) < rank_of(b);
  });
  return order;
}

std::uint64_t point_in_order(const SweepSpec& spec, const std::vector<std::size_t>& order, std::uint64_t number) {
  std::vector<std::uint64_t> at(order.size());
  for (std::size_t i = order.size(); i-- > 0; number /= spec.axes[order[i]].size()) at[order[i]] = number % spec.axes[order[i]].size();
  std::uint64_t point = 0;
  for (std::size_t axis = 0; axis < at.size(); ++axis) point = point * spec.axes[axis].size() + at[axis];
  return point;
}

std::shared_ptr<const StageResult> SweepReuse::run(const Scenario& scenario, const WorkloadOptions& stage) {
  const std::string key = trace_key(scenario, stage, !on_);
  const std::shared_ptr<const Trace> trace = traces_.get(
      key, [&] { return trace_workload(scenario, stage); }, [](const Trace&) { return true; });
  const auto fresh = [&] { return run_trace(scenario, stage, *trace); };
  if (!on_) return std::make_shared<const StageResult>(fresh());
  const Asks asks = asks_of(*trace);
  const auto kept_to_it = [&](const StageResult& result) {
    return (asks.peers || !result.asked_peers) && (asks.host || !result.asked_host);
  };
  return runs_.get(run_key(scenario, stage, *trace) + key, fresh, kept_to_it);
}

}  // namespace rooftrace
