// The points of a sweep that no other point beats in everything that counts, and a picture of them.
//
// Promises: a point is on the frontier when no other point is at least as good in every goal and better in one; equal points are on it
// together; failed points and points without a number for a goal take no part. The picture is SVG without scripts or fonts of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "sim/app/sweep_table.hpp"

namespace rooftrace {

struct Goal {
  std::string column;
  bool most = true;  ///< Maximise; else minimise.
  std::string units;
  std::vector<double> values;  ///< One for each point, NaN where there is none.
  /// What it is of a stage; null: the number that the point sets a key to.
  std::function<double(const StageNumbers&)> of_stage = nullptr;
  std::size_t axis = 0, key = 0;
};

/// A variable of the sweep, q_LEVEL (bytes over all roles), or an axis with numbers; without values. UserError with the list of columns
/// otherwise.
[[nodiscard]] Goal find_goal(const SweepSpec& spec, const std::string& column, bool most);
/// Adds the next points to the goals' values, from the records of a block. `stage`: whose numbers count.
void fill_goals(std::vector<Goal>& goals, const SweepSpec& spec, const SweepBlock& block, const std::vector<PointRecord>& records,
                const std::string& stage);

/// Ascending point numbers of those on the frontier, best in the first goal first. At least one goal; all of the same length.
[[nodiscard]] std::vector<std::uint64_t> pareto_frontier(const std::vector<Goal>& goals);

/// All points grey, the frontier in colour and joined: the first goal upwards, the second to the right.
[[nodiscard]] std::string pareto_svg(const std::vector<Goal>& goals, const std::vector<std::uint64_t>& frontier, const std::string& title);

}  // namespace rooftrace
