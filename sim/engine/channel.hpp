// A first-come-first-served pipe with a rate: the only place where bytes (or work) become time.
//
// Promise: the end of a busy period is the sum of all costs sent in it, kept with 16 binary digits below the picosecond, so many small
// sends drift by less than 1e-7 of the total (truncating each 32 B transfer to whole picoseconds would make a 5.5 TB/s L2 14 % too fast).
// Not modeled: priorities, sharing between flows (n equal flows are served in turn), latency (the caller adds it once per access).
#pragma once

#include <cstdint>

#include "sim/core/time.hpp"

namespace rooftrace {

class Channel {
 public:
  static constexpr int kFraction = 16;  ///< Binary digits below the picosecond.
  using Cost = std::uint64_t;           ///< Time on the pipe in units of 2^-kFraction ps.

  /// Cost of `amount` units at `rate` units per second, rounded to the nearest unit of Cost. A rate of 0 costs nothing (an ideal pipe).
  [[nodiscard]] static Cost cost(double amount, double rate) {
    return rate > 0 ? static_cast<Cost>(amount / rate * 1e12 * (1 << kFraction) + 0.5) : 0;
  }

  /// Queues `cost` at `now` (not before anything sent earlier) and returns when it is through, rounded up to whole picoseconds.
  Time send(Time now, Cost cost) {
    const Cost start = static_cast<Cost>(now) << kFraction;
    end_ = (end_ > start ? end_ : start) + cost;
    return through();
  }

  [[nodiscard]] Time through() const { return static_cast<Time>((end_ + (Cost{1} << kFraction) - 1) >> kFraction); }
  [[nodiscard]] bool idle(Time now) const { return through() <= now; }

 private:
  Cost end_ = 0;
};

/// A channel with its rate: sends amounts instead of costs.
class RatedChannel {
 public:
  explicit RatedChannel(double rate = 0) : rate_(rate) {}
  Time send(Time now, double amount) { return channel_.send(now, Channel::cost(amount, rate_)); }
  [[nodiscard]] double rate() const { return rate_; }

 private:
  Channel channel_;
  double rate_;
};

}  // namespace rooftrace
