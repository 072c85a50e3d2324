// The kinds of suites, one visible table, and what each makes of a row: a prediction in the row's own unit.
//
// Promise: a prediction never looks at the measured value. Whatever a kind cannot simulate throws RowSkipped with the reason.
#pragma once

#include <limits>
#include <string>
#include <vector>

#include "sim/app/validate_bench.hpp"
#include "sim/app/validate_csv.hpp"

namespace rooftrace {

/// On which side of the bound values must lie.
enum class Side { above, below, none };

struct Prediction {
  static constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  std::string group;         ///< What it is scored with: "time 16 bit".
  std::string goal;          ///< For people: "6 %"; "" when there is none.
  double simulated = kNone;  ///< NaN: this row only tests the bound.
  double bound = kNone;      ///< No machine and no schedule is better than this.
  Side side = Side::none;
  double roofline = kNone;  ///< Baselines: plain roofline,
  double tool = kNone;      ///< roofline at 0.8 of the peaks and 3 us,
  double wave = kNone;      ///< lock-step waves of blocks (moe_gemm).
  bool points = false;      ///< A share: errors are differences, not ratios.
  std::string flag;         ///< Why the row is known to be odd, whatever is simulated or by its method; "" when it is not.
};

struct SuiteKind {
  const char* name;  ///< Of the file, without .csv.
  std::vector<std::string> columns;
  Prediction (*predict)(const SuiteRow& row, Bench& bench);
};
[[nodiscard]] const std::vector<SuiteKind>& suite_kinds();

Prediction predict_attention(const SuiteRow& row, Bench& bench);
Prediction predict_ceiling(const SuiteRow& row, Bench& bench);
Prediction predict_collective(const SuiteRow& row, Bench& bench);
Prediction predict_elementwise(const SuiteRow& row, Bench& bench);
Prediction predict_gemm(const SuiteRow& row, Bench& bench);
Prediction predict_latency(const SuiteRow& row, Bench& bench);
Prediction predict_moe_gemm(const SuiteRow& row, Bench& bench);
Prediction predict_read_bandwidth(const SuiteRow& row, Bench& bench);
Prediction predict_step(const SuiteRow& row, Bench& bench);
Prediction predict_transfer(const SuiteRow& row, Bench& bench);

}  // namespace rooftrace
