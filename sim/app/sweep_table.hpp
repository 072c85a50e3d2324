// A sweep and what became of its points; the numbers of the points are elsewhere (a journal, a file), so that a sweep needs a byte here for
// each point and no more.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "sim/app/sweep_blocks.hpp"
#include "sim/app/sweep_point.hpp"
#include "sim/app/sweep_spec.hpp"

namespace rooftrace {

/// Which points a process runs: those whose number leaves the remainder `index` when divided by `count`.
struct SweepShard {
  std::uint32_t index = 0, count = 1;
  [[nodiscard]] bool has(std::uint64_t point) const { return point % count == index; }
};

struct SweepTable {
  SweepSpec spec;
  std::string identity;  ///< Hash of all that decides the points; results of different identity never meet.
  std::string version, commit;
  SweepShard shard;
  std::vector<PointStatus> status;  ///< One for each point of the grid.

  [[nodiscard]] std::uint64_t count(PointStatus of) const;
  [[nodiscard]] SweepBlocks blocks() const;
};

/// Stages and messages of points, in the order in which a file lists them: that of the first point that has them, whoever ran first.
class SweepNames {
 public:
  void note(std::uint64_t point, const std::vector<std::string>& stages, const std::string& message);
  void note(std::uint64_t point, const PointRecord& record);
  [[nodiscard]] std::vector<std::string> stages() const;
  [[nodiscard]] std::vector<std::string> messages() const;  ///< The first is "".

 private:
  std::map<std::string, std::pair<std::uint64_t, std::size_t>> stages_;  ///< Point and place where it was seen first.
  std::map<std::string, std::uint64_t> messages_;
};

/// A number for a point that no other sweep has: from the sweep's identity and what the point sets.
[[nodiscard]] std::uint64_t point_id(const SweepTable& table, std::uint64_t point);
/// "0-3,7,9": ascending numbers as Slurm's --array takes them.
[[nodiscard]] std::string array_expression(const std::vector<std::uint64_t>& numbers);

}  // namespace rooftrace
