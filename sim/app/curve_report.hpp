// Miss curves as text for people, as JSON for programs, and as a picture.
//
// JSON, version 1: format "rooftrace-curve", format_version 1, rooftrace_version, rooftrace_commit, command, config (resolved, YAML text),
// hardware, model, level "l2", line_bytes, sector_bytes, l2_effective_bytes, stages [{stage, last_change_bytes, points [{capacity_bytes,
// read_bytes, write_bytes, classes {CLASS: {read_bytes, write_bytes}}}], knees [{capacity_bytes, kernel_class, role, scope, direction,
// saved_bytes}], truth [{capacity_bytes, sets, read_bytes, write_bytes, curve_read_bytes, curve_write_bytes}]}]. Host time is in the text
// only, so that documents can be compared byte for byte.
#pragma once

#include <string>
#include <vector>

#include "sim/app/miss_curve.hpp"

namespace rooftrace {

/// A stage's curve with all that is said about it.
struct CurveReport {
  WorkloadOptions stage;
  MissCurve curve;
  std::vector<std::uint64_t> capacities;  ///< Rows: log-spaced, the machine's own, knees; ascending.
  std::vector<Knee> knees;
  std::vector<TruthPoint> truth;  ///< Ascending.
  double truth_seconds = 0;       ///< Host time of all its runs together.
};

struct CurveHeader {
  std::string command;
  const Scenario* scenario = nullptr;
};

[[nodiscard]] std::string curve_text(const CurveHeader& header, const std::vector<CurveReport>& reports);
[[nodiscard]] std::string curve_json(const CurveHeader& header, const std::vector<CurveReport>& reports);
/// An SVG: Q over capacity, both logarithmic, one panel per stage, with knees and the real cache marked.
[[nodiscard]] std::string curve_svg(const CurveHeader& header, const std::vector<CurveReport>& reports);

}  // namespace rooftrace
