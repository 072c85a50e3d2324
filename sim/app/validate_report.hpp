// The scores of a validation as text for people, as JSON, and the rows as CSV.
//
// Promise: the same rows give the same bytes. Errors are printed in per cent (points for shares).
#pragma once

#include <string>
#include <vector>

#include "sim/app/validate_score.hpp"

namespace rooftrace {

[[nodiscard]] std::string validation_text(const Scores& scores);
/// {"schema": "rooftrace-validation", "groups": [...], "knees": [...], "skips": [...], "totals": {...}}; numbers that do not exist are
/// null.
[[nodiscard]] std::string validation_json(const Scores& scores);
/// One line per row: id, kind, hardware, quantity, measured, low, high, simulated, bound, roofline_baseline, rel_error, status, reason,
/// and what the baselines and groups are made of.
[[nodiscard]] std::string validation_rows(const std::vector<ScoredRow>& rows);

}  // namespace rooftrace
