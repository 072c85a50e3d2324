// From predictions and measured values to errors, and from errors to a score per suite, group and GPU.
//
// Error of a row: simulated / measured - 1; for shares the difference. Scores count rows of status ok alone; p90 is the smallest error that
// at least nine of ten rows do not exceed. Flagged rows (known to be odd, by the suite's flag column) are simulated and listed but not
// scored. Below the bound: on the impossible side of it by more than rounding (and, for a measured value, than the row's tolerance).
#pragma once

#include <limits>
#include <string>
#include <vector>

#include "sim/app/validate_csv.hpp"
#include "sim/app/validate_curves.hpp"
#include "sim/app/validate_kinds.hpp"

namespace rooftrace {

enum class RowStatus { ok, skipped, flagged };
[[nodiscard]] const char* name(RowStatus status);

struct ScoredRow {
  static constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  std::string id, kind, hardware, quantity;
  double measured = kNone, low = kNone, high = kNone;
  CurvePlace curve;
  Prediction prediction;
  double error = kNone;
  RowStatus status = RowStatus::ok;
  std::string reason;  ///< Of a status other than ok.
  bool simulated_beyond_bound = false, measured_beyond_bound = false;
};

/// Never throws for what a row says: such a row is skipped.
[[nodiscard]] ScoredRow score_row(const SuiteKind& kind, const SuiteRow& row, std::size_t number, Bench& bench);

struct ErrorScore {
  std::size_t rows = 0;
  double median = ScoredRow::kNone, mean = ScoredRow::kNone, p90 = ScoredRow::kNone, max = ScoredRow::kNone;  ///< Of absolute errors.
  double bias = ScoredRow::kNone;                                                                             ///< Median of signed errors.
  double rank = ScoredRow::kNone;  ///< Spearman's rank correlation; NaN for fewer than three rows or no spread.
};
[[nodiscard]] ErrorScore error_score(const std::vector<double>& errors);
[[nodiscard]] double rank_correlation(const std::vector<double>& x, const std::vector<double>& y);

struct GroupScore {
  std::string kind, group, hardware, goal;
  std::size_t skipped = 0, flagged = 0, only_bound = 0;
  ErrorScore simulated, roofline, tool, wave;
  std::size_t simulated_beyond_bound = 0, measured_beyond_bound = 0;  ///< Flagged rows not counted.
  bool points = false;
};
struct SkipCount {
  std::string kind, hardware, reason;
  std::size_t rows = 0;
};
/// Where a curve of read rates falls from the cache's plateau to the memory's (validate_knee.hpp).
struct CurveKnee {
  double bytes = 0;
  double lower = 0, upper = 0;  ///< Sizes of the rows between which it lies.
};
struct Knee {
  std::string hardware;
  CurveKnee measured, simulated;
  [[nodiscard]] double error() const { return simulated.bytes / measured.bytes - 1; }
};
struct Scores {
  std::vector<GroupScore> groups;  ///< In the order of the kinds' table, then by group and hardware.
  std::vector<SkipCount> skips;
  std::vector<Knee> knees;  ///< Of read_bandwidth, by GPU.
  std::size_t rows = 0, ok = 0, skipped = 0, flagged = 0, simulated_beyond_bound = 0, measured_beyond_bound = 0;
};
[[nodiscard]] Scores score_all(const std::vector<ScoredRow>& rows);

}  // namespace rooftrace
