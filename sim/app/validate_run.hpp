// Suites from files, and their rows through the bench in parallel.
//
// Promise: the result does not depend on the number of threads; rows come back in the order of the suites.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "sim/app/validate_score.hpp"

namespace rooftrace {

inline constexpr std::size_t kSuiteLimit = 16 << 20;  ///< Bytes of one suite.

/// Suites named as files or as folders of *.csv (sorted by name). UserError: no such file, a name that is no kind, a folder without suites.
[[nodiscard]] std::vector<Suite> load_suites(const std::vector<std::string>& paths);

/// `only_hardware` "": all rows. `progress` (rows done, of) may be called from any thread, one at a time.
[[nodiscard]] std::vector<ScoredRow> run_suites(const std::vector<Suite>& suites, const std::string& only_hardware, Bench& bench,
                                                unsigned threads, const std::function<void(std::size_t, std::size_t)>& progress);

}  // namespace rooftrace
