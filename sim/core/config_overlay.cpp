// A mapping of one document laid on another: how a scenario changes a machine that has a file of its own.
#include <algorithm>
#include <stdexcept>
#include <utility>

#include "sim/core/config.hpp"
#include "sim/core/config_tree.hpp"

namespace rooftrace {
namespace {

using detail::ConfigValue;

/// Whoever lays a mapping elsewhere hands over the question whether its keys are known.
void mark_read(ConfigValue& value) {
  value.read = true;
  for (const auto& item : value.items) mark_read(*item);
  for (const auto& entry : value.entries) {
    value.asked.insert(entry.key);
    mark_read(*entry.value);
  }
}

}  // namespace

void ConfigDocument::overlay(const ConfigNode& mapping, const std::vector<std::string>& without) {
  if (!mapping.is_map()) mapping.fail("a mapping is needed");
  ConfigValue& over = *mapping.value_;
  auto kept = std::make_unique<ConfigValue>();
  kept->kind = ConfigValue::Kind::map;
  kept->where = over.where;
  std::size_t budget = detail::kConfigNodes;
  try {
    for (const auto& entry : over.entries) {
      if (std::find(without.begin(), without.end(), entry.key) != without.end()) continue;
      kept->add(entry.key, entry.where, detail::clone(*entry.value, budget));
    }
  } catch (const std::length_error&) {
    mapping.fail("holds too many values");
  }
  mark_read(over);
  detail::overlay(*root_, std::move(kept));
  detail::name_paths(*root_, "");
}

}  // namespace rooftrace
