#include "sim/app/sweep_table.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "sim/app/sha1.hpp"

namespace rooftrace {

std::uint64_t SweepTable::count(PointStatus of) const {
  return static_cast<std::uint64_t>(std::count(status.begin(), status.end(), of));
}

SweepBlocks SweepTable::blocks() const {
  std::vector<std::uint64_t> extent;
  for (const SweepAxis& axis : spec.axes) extent.push_back(axis.size());
  return SweepBlocks(extent);
}

void SweepNames::note(std::uint64_t point, const std::vector<std::string>& stages, const std::string& message) {
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const std::pair at(point, i);
    const auto [entry, fresh] = stages_.emplace(stages[i], at);
    if (!fresh) entry->second = std::min(entry->second, at);
  }
  if (message.empty()) return;
  const auto [entry, fresh] = messages_.emplace(message, point);
  if (!fresh) entry->second = std::min(entry->second, point);
}

void SweepNames::note(std::uint64_t point, const PointRecord& record) {
  std::vector<std::string> stages;
  for (const StageNumbers& stage : record.stages) stages.push_back(stage.stage);
  note(point, stages, record.message);
}

std::vector<std::string> SweepNames::stages() const {
  std::map<std::pair<std::uint64_t, std::size_t>, std::string> ordered;
  for (const auto& [stage, at] : stages_) ordered.emplace(at, stage);
  std::vector<std::string> names;
  for (const auto& [at, stage] : ordered) names.push_back(stage);
  return names;
}

std::vector<std::string> SweepNames::messages() const {
  std::map<std::uint64_t, std::string> ordered;
  for (const auto& [message, point] : messages_) ordered.emplace(point, message);
  std::vector<std::string> all = {""};
  for (const auto& [point, message] : ordered) all.push_back(message);
  return all;
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
