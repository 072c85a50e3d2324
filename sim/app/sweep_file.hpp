// Reading sweep.h5 (report_hdf5_sweep.hpp), block by block.
//
// Promises: a file whose points are not those of the sweep that it names is a UserError; so is any other file. Nothing of the file is kept
// in memory or open between calls but the names of its stages and the messages of its failed points.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/app/sweep_table.hpp"

namespace rooftrace {

class SweepFile {
 public:
  /// Reads what a file says of itself into `table`, with the status of its points when `statuses` is set.
  SweepFile(std::string path, SweepTable& table, bool statuses);

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] const std::vector<std::string>& stages() const { return stages_; }
  /// The records of a block of the table's sweep. `ids`: the point_id of each point. `headers`: status, message and names of stages only.
  [[nodiscard]] std::vector<PointRecord> read(const SweepBlock& block, const std::vector<std::uint64_t>& ids, bool headers = false) const;

 private:
  std::string path_;
  std::vector<std::string> stages_, messages_;
};

/// point_id() of the points of a block.
[[nodiscard]] std::vector<std::uint64_t> point_ids(const SweepTable& table, const SweepBlock& block);

}  // namespace rooftrace
