// report.h5: a validation as one self-describing file that h5py, xarray, netCDF4 and ncdump open. The schema is in validation/README.md.
//
// Promises: every row and every score is in it, with the command, the version, the suites and the resolved machines that made them; the
// same rows give the same bytes. A number that does not exist is NaN, never 0. Readers: `xarray.open_dataset("report.h5")` for the rows,
// with group="summary" for the scores.
#pragma once

#include <string>
#include <vector>

#include "sim/app/validate_score.hpp"

namespace rooftrace {

/// What made the rows.
struct ValidationOrigin {
  std::string command;
  std::string fidelity;
  std::vector<std::string> suites;  ///< "FILE sha1", one per suite.
  std::string machines;             ///< The machines of the rows as YAML, one mapping per name.
};

/// The bytes of the file.
[[nodiscard]] std::string validation_h5(const std::vector<ScoredRow>& rows, const Scores& scores, const ValidationOrigin& origin);

}  // namespace rooftrace
