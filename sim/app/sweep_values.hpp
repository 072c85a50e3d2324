// The values of a sweep's axis: ranges with units, and random samples of ranges and lists.
//
// Promises: values are texts with the unit that `from` was written in (in bytes where a whole number of them needs it), rounded to nine
// digits, so that the same file gives the same points on every machine; a sample depends on its seed and on the order of the axes only. A
// Latin hypercube puts exactly one point into each of N equal parts of every axis.
#pragma once

#include <string>
#include <vector>

#include "sim/app/sweep_labels.hpp"
#include "sim/core/config.hpp"
#include "traces/random.hpp"

namespace rooftrace {

/// `range`: {from, to, steps, scale, multiple_of}.
[[nodiscard]] std::vector<std::string> range_values(const ConfigNode& range);
/// The values at `shares` (0 to 1) of the way from one end to the other; `steps` is not needed.
[[nodiscard]] SweepLabels sampled_range(const ConfigNode& range, const std::vector<double>& shares);
[[nodiscard]] SweepLabels sampled_list(const SweepLabels& labels, const std::vector<double>& shares);

/// `sample`: {kind, points, seed}.
class SweepSample {
 public:
  explicit SweepSample(const ConfigNode& node);
  /// Places in [0, 1), one for each point.
  [[nodiscard]] std::vector<double> next_axis();

 private:
  bool hypercube_ = false;
  std::size_t points_ = 0;
  SplitMix random_;
};

}  // namespace rooftrace
