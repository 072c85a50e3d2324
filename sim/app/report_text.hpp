// The report for people: a RunResult as text.
//
// Per stage: W and Q per kernel class, the hierarchical roofline per class, then latency, tokens/s, its ceiling, and the HBM bytes by
// tensor role and cause. Promises: at most 150 columns, ASCII, no colour, the same text for the same RunResult; every number follows from
// the RunResult alone; "-" where there is nothing or nothing was simulated. Not for machines: report_json and result.h5 carry full
// precision.
#pragma once

#include <string>

#include "sim/app/result.hpp"

namespace rooftrace {

[[nodiscard]] std::string report_text(const RunResult& result);

}  // namespace rooftrace
