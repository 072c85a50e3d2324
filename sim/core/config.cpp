// A whole document: overrides, the search for keys that nobody read, the canonical text.
//
// Promises: set() changes nothing when it throws. Not modeled: setting one element of a list.
#include "sim/core/config.hpp"

#include <utility>

#include "sim/core/config_tree.hpp"

namespace rooftrace {
namespace {

using detail::ConfigValue;

std::vector<std::string> split_path(const std::string& dotted) {
  std::vector<std::string> words(1);
  for (const char c : dotted) {
    if (c == '.') {
      words.emplace_back();
    } else {
      words.back() += c;
    }
  }
  return words;
}

std::string in_mapping(const ConfigValue& map) {
  return map.path.empty() ? "" : " in " + map.path;
}

[[noreturn]] void refuse_unread(const ConfigValue& map, const ConfigValue::Entry& entry) {
  if (map.asked.count(entry.key) != 0) {
    throw UserError(entry.where, "the key " + quoted_word(entry.key) + in_mapping(map) + " has no effect here: nothing reads it");
  }
  const std::vector<std::string> known(map.asked.begin(), map.asked.end());
  std::string hint = did_you_mean(entry.key, known);
  constexpr std::size_t kListed = 16;
  if (hint.empty() && !known.empty() && known.size() <= kListed) {
    for (const std::string& key : known) hint += (hint.empty() ? "; known keys: " : ", ") + key;
  }
  throw UserError(entry.where, "unknown key " + quoted_word(entry.key) + in_mapping(map) + hint);
}

void check_read(const ConfigValue& value) {
  for (const auto& item : value.items) {
    // An element has no key of its own to complain about; the list was asked for, so say what is in the way.
    if (!item->read && item->kind != ConfigValue::Kind::null) {
      throw UserError(item->where, item->path + " has no effect here: nothing reads it");
    }
    check_read(*item);
  }
  for (const auto& entry : value.entries) {
    const bool known_null = entry.value->kind == ConfigValue::Kind::null && value.asked.count(entry.key) != 0;
    if (!entry.value->read && !known_null) refuse_unread(value, entry);
    check_read(*entry.value);
  }
}

}  // namespace

ConfigDocument::ConfigDocument(std::unique_ptr<ConfigValue> root) : root_(std::move(root)) {}
ConfigDocument::ConfigDocument(ConfigDocument&&) noexcept = default;
ConfigDocument& ConfigDocument::operator=(ConfigDocument&&) noexcept = default;
ConfigDocument::~ConfigDocument() = default;

ConfigDocument ConfigDocument::copy() const {
  std::size_t budget = detail::kConfigNodes;
  std::unique_ptr<ConfigValue> root = detail::clone(*root_, budget);
  detail::name_paths(*root, "");
  return ConfigDocument(std::move(root));
}

void ConfigDocument::set(const std::string& assignment, const std::string& origin) {
  const SourceLocation where{origin, 0, 0};
  const auto fail = [&](const std::string& why) { throw UserError(where, quoted_word(assignment) + " " + why); };
  const std::size_t equals = assignment.find('=');
  if (equals == std::string::npos) fail("has no \"=\"; write path.to.key=value");
  const std::vector<std::string> words = split_path(assignment.substr(0, equals));
  for (const std::string& word : words) {
    if (word.empty()) fail(equals == 0 ? "has no key in front of the \"=\"" : "has an empty word in its path");
    if (word.size() > detail::kConfigKeyBytes) fail("has a word in its path that is too long");
  }
  if (words.size() > detail::kConfigLevels) fail("is nested deeper than " + std::to_string(detail::kConfigLevels) + " levels");
  if (words.front() == "extends") fail("comes too late: extends is resolved when the file is read");

  // Read as a file would read it behind its key.
  std::size_t budget = detail::kConfigNodes;
  const std::unique_ptr<ConfigValue> line = detail::parse_yaml("value: " + assignment.substr(equals + 1), origin, true, budget);
  if (line->kind != ConfigValue::Kind::map || line->entries.size() != 1) fail("sets more than one value");
  std::unique_ptr<ConfigValue> value = std::move(line->entries.front().value);
  if (value->kind == ConfigValue::Kind::null) fail("has no value behind the \"=\"");
  if (value->kind == ConfigValue::Kind::map) fail("sets a mapping; set its keys one by one");

  // Walk as far as the path exists, before anything is changed.
  ConfigValue* at = root_.get();
  std::size_t depth = 0;
  for (; depth + 1 < words.size(); ++depth) {
    ConfigValue* const next = at->find(words[depth]);
    if (next == nullptr) break;
    if (next->kind == ConfigValue::Kind::list)
      fail("goes through " + next->path + ", which is a list; set the list as a whole, as in [1, 2]");
    if (next->kind == ConfigValue::Kind::scalar)
      fail("goes through " + next->path + ", which is " + detail::describe(*next) + " and no mapping");
    at = next;
  }
  if (at->kind == ConfigValue::Kind::null) at->kind = ConfigValue::Kind::map;
  for (; depth + 1 < words.size(); ++depth) {
    auto created = std::make_unique<ConfigValue>();
    created->kind = ConfigValue::Kind::map;
    created->where = where;
    at = &at->add(words[depth], where, std::move(created));
  }
  if (ConfigValue* const old = at->find(words.back())) {
    *old = std::move(*value);
    at->entries[at->index.at(words.back())].where = where;
  } else {
    at->add(words.back(), where, std::move(value));
  }
  detail::name_paths(*root_, "");
}

ConfigNode ConfigDocument::root() const {
  return ConfigNode(root_.get());
}

bool ConfigDocument::has(const std::string& dotted_path) const {
  const ConfigValue* at = root_.get();
  for (const std::string& word : split_path(dotted_path)) {
    at = at->find(word);
    if (at == nullptr) return false;
  }
  return true;
}

void ConfigDocument::check_all_read() const {
  check_read(*root_);
}

std::string ConfigDocument::canonical() const {
  return detail::to_yaml(*root_);
}

}  // namespace rooftrace
