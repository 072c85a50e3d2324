// result.h5: a whole run in one self-describing file that h5py, xarray, netCDF4 and ncdump open. The schema is in analysis/README.md.
//
// Promises: every number of the RunResult and of its roofline is in it, in base units, with the command, the version and the resolved
// config that made it; the same result gives the same bytes (no times of day, no host, no wall time). What was not simulated is NaN, never
// 0. The file appears whole or not at all (atomic_file.hpp; its UserErrors pass through).
#pragma once

#include <string>

#include "sim/app/result.hpp"

namespace rooftrace {

/// The bytes of the file.
[[nodiscard]] std::string result_h5(const RunResult& result);

void write_result_h5(const RunResult& result, const std::string& path);

}  // namespace rooftrace
