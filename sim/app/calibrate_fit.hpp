// The search: one constant after the other, until none of them moves any more.
//
// What is made small: the median of |log(simulated / measured)| over all rows (shares: of |simulated - measured|), which no outlier moves,
// plus a twentieth of the mean, which decides where the median is flat. Each constant is looked for on a coarse grid around its value, then
// by golden section between the neighbours of the best. Promises: deterministic for any number of threads; at most
// kEvaluationsPerKey simulations of all rows per constant; the result is never worse than the start; a constant on which nothing depends,
// or that gains less than 0.1 % of error elsewhere, keeps its value. Not found: minima that need two constants to jump at once.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "sim/app/calibrate_keys.hpp"
#include "sim/app/validate_score.hpp"

namespace rooftrace {

inline constexpr std::size_t kEvaluationsPerKey = 48;

struct FittedKey {
  const CalibrateKey* key = nullptr;
  double before = 0, after = 0;
  bool matters = false;  ///< Some row depends on it.
  [[nodiscard]] bool moved() const { return before != after; }
};

struct Calibration {
  MachineSpec machine;
  std::vector<FittedKey> keys;
  std::vector<ScoredRow> before, after;  ///< The same rows.
  std::size_t evaluations = 0;
};

/// All rows on that machine.
using RowsOn = std::function<std::vector<ScoredRow>(const MachineSpec&)>;
/// `evaluation` of at most `most`, the constant that is being changed (null: none yet), its value and the median error (0.05: 5 %) there.
using CalibrationProgress =
    std::function<void(std::size_t evaluation, std::size_t most, const CalibrateKey* key, double value, double error)>;

/// What the search makes small; infinite when no row is scored.
[[nodiscard]] double misfit(const std::vector<ScoredRow>& rows);
/// Median absolute error over all scored rows, as in the tables.
[[nodiscard]] ErrorScore all_errors(const std::vector<ScoredRow>& rows);

/// UserError when no row is scored on the machine as it is.
[[nodiscard]] Calibration calibrate(const MachineSpec& machine, const std::vector<const CalibrateKey*>& keys, const RowsOn& rows_on,
                                    const CalibrationProgress& progress);

}  // namespace rooftrace
