// Points of a sweep that need the same trace, or give the same run, do it once.
//
// Argument. A trace depends on the model, the stage and the DeviceShape, of which the peers are read by collectives only: without a group
// (tp 1) there are none. A run is a function of the trace, the options and what it reads of the machine, so where all of that is equal,
// bit by bit, its records are equal:
//   bound  reads the capacity of L2 (the closed form of compulsory bytes);
//   cache  reads geometry: SMs, GPCs, blocks per SM, L2, HBM's channels. run_functional deals blocks in turn and asks the memory at time 0;
//          channels only add up times that nobody asks for. So points that differ in rates, latencies and launch costs share their bytes;
//   des    reads the rates as well, because the order of accesses depends on them. What is left out is what the trace never asks for:
//          peers or host when no kernel's footprint is there (that the run kept to it is checked afterwards), the copy engine's start,
//          rates of tensor types that no kernel computes in, slices with pooled contention; and of any trace the datasheet numbers that
//          only the roofline reads (L2's and HBM's datasheet sizes, peaks that are no rate of the engine).
// Rooflines, bounds and ceilings are computed anew for every point. A member that a spec gets later breaks the build here until somebody
// has decided whether a run reads it. Promises: the same bits as without (the switch; tests/unit/app/sweep_reuse_test.cpp); a run that
// fails is not shared, so that every point has its own message; at most `kept` traces and `kept` runs are in memory; thread-safe: who
// needs what another thread is at waits for it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "sim/app/result.hpp"
#include "sim/app/scenario.hpp"
#include "sim/app/sweep_spec.hpp"

namespace rooftrace {

/// The last few values by key, most recently used first.
template <typename T>
class RecentlyUsed {
 public:
  explicit RecentlyUsed(std::size_t kept) : kept_(kept) {}

  /// The value of `key`, from `make` unless it is there or being made; an exception goes to whoever made it, and the others try anew.
  /// `keep` says whether a value may be given to others.
  std::shared_ptr<const T> get(const std::string& key, const std::function<T()>& make, const std::function<bool(const T&)>& keep);

 private:
  using Value = std::shared_ptr<const T>;  ///< Null: could not be made, or is not for others.
  std::size_t kept_;
  std::mutex mutex_;
  std::deque<std::pair<std::string, std::shared_future<Value>>> values_;
};

class SweepReuse {
 public:
  /// `kept`: traces, and runs. Off: nothing but traces is shared, and these only between points whose DeviceShape is the same to the last
  /// bit.
  SweepReuse(std::size_t kept, bool on) : on_(on), traces_(kept), runs_(kept) {}

  [[nodiscard]] std::shared_ptr<const StageResult> run(const Scenario& scenario, const WorkloadOptions& stage);

 private:
  bool on_;
  RecentlyUsed<Trace> traces_;
  RecentlyUsed<StageResult> runs_;
};

/// Axes in the order to run points in, slowest first: those that change the trace, those that change the geometry of a machine, those that
/// change rates only (by their units). So points that share something come one after the other.
[[nodiscard]] std::vector<std::size_t> run_order(const SweepSpec& spec);
/// The point that comes as number `number` in that order.
[[nodiscard]] std::uint64_t point_in_order(const SweepSpec& spec, const std::vector<std::size_t>& order, std::uint64_t number);

/// What a trace depends on. `all`: with what no generator reads.
[[nodiscard]] std::string trace_key(const Scenario& scenario, const WorkloadOptions& stage, bool all);
/// What a run of `trace` reads beside it.
[[nodiscard]] std::string run_key(const Scenario& scenario, const WorkloadOptions& stage, const Trace& trace);

template <typename T>
std::shared_ptr<const T> RecentlyUsed<T>::get(const std::string& key, const std::function<T()>& make,
                                              const std::function<bool(const T&)>& keep) {
  std::promise<Value> promise;
  std::shared_future<Value> known;
  {
    const std::lock_guard lock(mutex_);
    const auto found = std::find_if(values_.begin(), values_.end(), [&](const auto& entry) { return entry.first == key; });
    if (found != values_.end()) {
      known = found->second;
      values_.erase(found);
    }
    values_.emplace_front(key, known.valid() ? known : promise.get_future().share());
    if (values_.size() > kept_) values_.pop_back();
  }
  if (known.valid()) {
    if (Value value = known.get()) return value;
    return std::make_shared<const T>(make());
  }
  try {
    Value made = std::make_shared<const T>(make());
    promise.set_value(keep(*made) ? made : nullptr);
    return made;
  } catch (...) {
    promise.set_value(nullptr);
    throw;
  }
}

}  // namespace rooftrace
