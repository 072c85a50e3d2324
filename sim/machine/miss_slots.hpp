// The miss slots of an L2 slice: a finite number of lines that can be on their way to it.
//
// A slot is held from the miss on until the line is there. That time may be known when the slot is taken (HBM answers at once in this
// simulator) or later (the line's home is another slice). Little's law: line bytes x slots / time under way is the most a slice can fetch.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "sim/core/time.hpp"

namespace rooftrace {

class MissSlots {
 public:
  explicit MissSlots(std::uint32_t slots = 1) : slots_(slots) {}

  /// Gives back what has come by `now`; then: is one free?
  [[nodiscard]] bool free(Time now) {
    while (first_ < until_.size() && until_[first_] <= now) ++first_;
    if (first_ == until_.size()) {
      until_.clear();
      first_ = 0;
    }
    return held() < slots_;
  }
  /// When the next slot is given back, as far as that is known; kNever: it is not.
  [[nodiscard]] Time next() const { return first_ < until_.size() ? until_[first_] : kNever; }
  [[nodiscard]] std::size_t held() const { return open_ + until_.size() - first_; }

  /// Takes a slot until a time that release() will say.
  void take() { ++open_; }
  void release(Time until) {
    --open_;
    take(until);
  }
  /// Takes a slot until then. (More than there are: a write-back that nobody could foresee; the next taker waits longer.)
  void take(Time until) {
    if (first_ > 4 * slots_) {
      until_.erase(until_.begin(), until_.begin() + static_cast<std::ptrdiff_t>(first_));
      first_ = 0;
    }
    until_.insert(std::upper_bound(until_.begin() + static_cast<std::ptrdiff_t>(first_), until_.end(), until), until);
  }

 private:
  std::uint32_t slots_;
  std::size_t open_ = 0;     ///< Held, the end not known yet.
  std::vector<Time> until_;  ///< Held until then, sorted, from first_ on.
  std::size_t first_ = 0;
};

}  // namespace rooftrace
