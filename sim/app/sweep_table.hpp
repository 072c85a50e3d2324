// A sweep with the records of its points: what a journal collects, sweep.h5 stores, merge puts together and pareto reads.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

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
  std::vector<PointRecord> points;  ///< One for each point of the grid.

  [[nodiscard]] std::uint64_t count(PointStatus status) const;
};

/// A number for a point that no other sweep has: from the sweep's identity and what the point sets.
[[nodiscard]] std::uint64_t point_id(const SweepTable& table, std::uint64_t point);
/// "0-3,7,9": ascending numbers as Slurm's --array takes them.
[[nodiscard]] std::string array_expression(const std::vector<std::uint64_t>& numbers);

}  // namespace rooftrace
