// Which suites are curves: their rows differ in a number of bytes, and whoever looks at them wants to see the knee.
#pragma once

#include <string>
#include <vector>

#include "sim/app/validate_csv.hpp"

namespace rooftrace {

struct CurveShape {
  const char* kind;                 ///< Suite.
  const char* column;               ///< Of the bytes.
  const char* label;                ///< Of the x axis.
  std::vector<std::string> series;  ///< Columns that, with the GPU, tell curves apart.
  const char* only_column = "";     ///< When not "": only rows where this column ...
  const char* only_value = "";      ///< ... says this.
};
[[nodiscard]] const std::vector<CurveShape>& curve_shapes();
/// Null: the suite is no curve.
[[nodiscard]] const CurveShape* curve_shape(const std::string& kind);

/// Where a row lies: on which curve of its GPU ("8, ring"), at which bytes.
struct CurvePlace {
  std::string series;
  double bytes = 0;  ///< 0: on no curve.
};
/// Never throws for what a row says.
[[nodiscard]] CurvePlace curve_place(const std::string& kind, const SuiteRow& row);

}  // namespace rooftrace
