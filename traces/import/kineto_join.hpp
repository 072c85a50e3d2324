// Which operator a kernel of a profile belongs to, and which operator stands around which.
//
// The numbers of events are collected as the file is read; join() then sorts the GPU's events by begin, writes `op` of each (by External
// id, its own or that of the runtime call with its correlation) and `parent` of every operator (on its thread, the innermost that begins
// before and ends after it). Calls in the order of the file: the n-th add_operator is operators[n], the n-th add_gpu_event is gpu[n].
#pragma once

#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

#include "traces/import/kineto_events.hpp"

namespace rooftrace {

class KinetoJoin {
 public:
  static constexpr std::uint64_t kNoId = UINT64_MAX;  ///< The event has no such number.

  void add_launch(std::uint64_t correlation, std::uint64_t external) {
    if (correlation != kNoId && external != kNoId) launches_[correlation] = external;
  }
  void add_operator(std::uint64_t external) {
    if (external != kNoId) operators_[external] = count_;
    ++count_;
  }
  void add_gpu_event(std::uint64_t correlation, std::uint64_t external) { keys_.emplace_back(correlation, external); }
  [[nodiscard]] std::size_t launches() const { return launches_.size(); }

  void join(KinetoProfile& profile) const;

 private:
  [[nodiscard]] std::int64_t operator_of(std::uint64_t correlation, std::uint64_t external) const;

  std::int64_t count_ = 0;
  std::unordered_map<std::uint64_t, std::uint64_t> launches_;  ///< Correlation -> External id.
  std::unordered_map<std::uint64_t, std::int64_t> operators_;  ///< External id -> index.
  std::vector<std::pair<std::uint64_t, std::uint64_t>> keys_;  ///< Of GPU events: correlation, External id.
};

}  // namespace rooftrace
