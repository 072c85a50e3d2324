// sweep.h5: a SweepTable as one HDF5 file, and back. Schema "rooftrace-sweep/1".
//
// The root group has the axes of the sweep as dimensions with coordinates (a sample: the one dimension "point", its keys as variables over
// it), and over them: status (u8: not_run, left_out by a filter, done, failed), point_id, message_id (an index into the dimension message;
// 0 is no message); with the dimension stage behind the axes the numbers of kSweepColumns and binding; with stage, level and role q. What
// was not run is NaN. Promises: the same points give the same bytes, however they were run (no date, host or command is in the file; the
// attribute shard is 0/1 in a file of the whole sweep); everything else as in report_hdf5_file.hpp.
#pragma once

#include <string>

#include "sim/app/sweep_table.hpp"

namespace rooftrace {

[[nodiscard]] std::string sweep_h5(const SweepTable& table);
/// UserError when `path` is not the file of a sweep.
[[nodiscard]] SweepTable read_sweep_h5(const std::string& path);

}  // namespace rooftrace
