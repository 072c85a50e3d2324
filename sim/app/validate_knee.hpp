// The knee of a read curve: the size of a working set beyond which the last-level cache stops serving it.
//
// A curve is the read_bandwidth rows of one GPU, by size. It has two plateaus: the mean of the rates within 10 % of its highest (the cache)
// and of those within 10 % of its lowest (the memory). The knee is the size at which the rate, going up in size, first falls through their
// arithmetic mean, between two rows by a straight line over the logarithm of the size. Measured and simulated curves are taken at the same
// sizes and each has its own plateaus, so an error in a plateau moves no knee. No knee: fewer than four sizes, plateaus less than a factor
// of 1.5 apart, or a curve that begins below their mean. What lies between two rows is not known: `lower` and `upper` say which they are.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sim/app/validate_score.hpp"

namespace rooftrace {

inline constexpr double kKneeGoal = 0.05;  ///< Of the size.

struct CurvePoint {
  double bytes = 0, rate = 0;
};
/// In any order; points of the same size count as their mean.
[[nodiscard]] std::optional<CurveKnee> knee_of(std::vector<CurvePoint> curve);

/// One for each GPU whose scored rows of read_bandwidth have a knee both measured and simulated; by name.
[[nodiscard]] std::vector<Knee> knees_of(const std::vector<ScoredRow>& rows);

}  // namespace rooftrace
