#include "sim/app/sweep_table.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "sim/app/sha1.hpp"

namespace rooftrace {

std::uint64_t SweepTable::count(PointStatus status) const {
  return static_cast<std::uint64_t>(
      std::count_if(points.begin(), points.end(), [&](const PointRecord& record) { return record.status == status; }));
}

std::uint64_t point_id(const SweepTable& table, std::uint64_t point) {
  std::string text = fmt::format("{}\n{}\n", table.identity, point);
  // As written, not as set: paths depend on the folder that a shard was started in.
  const std::vector<std::size_t> at = table.spec.position(point);
  for (std::size_t i = 0; i < at.size(); ++i) {
    for (const SweepKey& key : table.spec.axes[i].keys) text += fmt::format("{}={}\n", key.key, key.labels[at[i]]);
  }
  return std::stoull(sha1(text).substr(0, 16), nullptr, 16);
}

std::string array_expression(const std::vector<std::uint64_t>& numbers) {
  std::string text;
  for (std::size_t i = 0; i < numbers.size();) {
    std::size_t last = i;
    while (last + 1 < numbers.size() && numbers[last + 1] == numbers[last] + 1) ++last;
    text += fmt::format("{}{}", text.empty() ? "" : ",", numbers[i]);
    if (last > i) text += fmt::format("-{}", numbers[last]);
    i = last + 1;
  }
  return text;
}

}  // namespace rooftrace
