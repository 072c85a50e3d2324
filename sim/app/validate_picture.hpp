// Pictures of a validation, as SVG: for every suite simulated against measured, and for suites that vary a size the curve over it.
//
// NAME.svg (NAME: the suite): one panel per quantity, both axes logarithmic and alike, with the line of equality and bands of 10 and 25 %
// (shares of one, whose errors are points: linear, bands of 0.05 and 0.10); one colour per group and GPU; flagged rows hollow, skipped rows
// only counted. NAME-curve.svg (read_bandwidth, latency, collective, transfer): dots are measured, lines simulated, over the bytes.
// Promises: the same rows give the same bytes; names from suites are escaped. Rows in the order of their suites.
#pragma once

#include <string>
#include <vector>

#include "sim/app/validate_score.hpp"

namespace rooftrace {

struct Picture {
  std::string file;  ///< "gemm.svg"
  std::string svg;
};

/// Suites without a simulated row have no picture.
[[nodiscard]] std::vector<Picture> validation_pictures(const std::vector<ScoredRow>& rows);

}  // namespace rooftrace
