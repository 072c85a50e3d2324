// sweep.h5: a sweep with its points as one HDF5 file. Schema "rooftrace-sweep/1"; sweep_file.hpp reads it.
//
// The root group has the axes of the sweep as dimensions with coordinates (a sample: the one dimension "point", its keys as variables over
// it), and over them: status (u8: not_run, left_out by a filter, done, failed), point_id, message_id (an index into the dimension message;
// 0 is no message); with the dimension stage behind the axes the numbers of kSweepColumns and binding; with stage, level and role q. What
// was not run is NaN. Promises: the same points give the same bytes, however they were run (no date, host or command is in the file; the
// attribute shard is 0/1 in a file of the whole sweep); the file is written block by block, so that memory does not grow with it;
// everything else as in report_hdf5_file.hpp and report_hdf5_disk.hpp.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "sim/app/sweep_table.hpp"

namespace rooftrace {

inline constexpr const char* kSweepSchema = "rooftrace-sweep/1";

/// Records of the points of a block, one for each; those that were neither done nor failed may be blank.
using BlockSource = std::function<std::vector<PointRecord>(const SweepBlock&)>;

/// `names` has at least what the records have.
void write_sweep_h5(const std::string& path, const SweepTable& table, const SweepNames& names, const BlockSource& source);

}  // namespace rooftrace
