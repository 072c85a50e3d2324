// Operations on the parsed tree: look up, copy, merge, name.
//
// Promises: all of them are linear in the size of the trees. Depth is bounded by the parser, so recursion is safe.
#include "sim/core/config_tree.hpp"

#include <stdexcept>
#include <utility>

namespace rooftrace::detail {

ConfigValue* ConfigValue::find(const std::string& key) const {
  const auto at = index.find(key);
  return at == index.end() ? nullptr : entries[at->second].value.get();
}

ConfigValue& ConfigValue::add(const std::string& key, const SourceLocation& key_where, std::unique_ptr<ConfigValue> value) {
  index.emplace(key, entries.size());
  entries.push_back({key, key_where, std::move(value)});
  return *entries.back().value;
}

std::unique_ptr<ConfigValue> clone(const ConfigValue& value, std::size_t& budget) {
  if (budget == 0) throw std::length_error("too many values");
  --budget;
  auto copy = std::make_unique<ConfigValue>();
  copy->kind = value.kind;
  copy->where = value.where;
  copy->scalar = value.scalar;
  copy->in_quotes = value.in_quotes;
  for (const auto& item : value.items) copy->items.push_back(clone(*item, budget));
  for (const auto& entry : value.entries) copy->add(entry.key, entry.where, clone(*entry.value, budget));
  return copy;
}

void overlay(ConfigValue& base, std::unique_ptr<ConfigValue> over) {
  if (base.kind != ConfigValue::Kind::map || over->kind != ConfigValue::Kind::map) {
    base = std::move(*over);
    return;
  }
  base.where = over->where;
  for (auto& entry : over->entries) {
    ConfigValue* const below = base.find(entry.key);
    if (below == nullptr) {
      base.add(entry.key, entry.where, std::move(entry.value));
    } else {
      base.entries[base.index.at(entry.key)].where = entry.where;
      overlay(*below, std::move(entry.value));
    }
  }
}

void name_paths(ConfigValue& value, const std::string& path) {
  value.path = path;
  for (std::size_t i = 0; i < value.items.size(); ++i) name_paths(*value.items[i], path + "[" + std::to_string(i) + "]");
  for (auto& entry : value.entries) name_paths(*entry.value, path.empty() ? entry.key : path + "." + entry.key);
}

std::string describe(const ConfigValue& value) {
  switch (value.kind) {
    case ConfigValue::Kind::null:
      return "nothing";
    case ConfigValue::Kind::list:
      return "a list";
    case ConfigValue::Kind::map:
      return "a mapping";
    case ConfigValue::Kind::scalar:
      break;
  }
  return quoted_word(value.scalar);
}

}  // namespace rooftrace::detail
