// The parsed tree behind ConfigNode and ConfigDocument: plain data, with the place where each value was written.
//
// Promises: values never move once they are in a tree (views point at them); every mapping finds a key in constant time, so that a file of
// 100,000 keys is read in a moment. Private to sim/core/config*.cpp; everyone else includes config.hpp.
#pragma once

#include <cstddef>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "sim/core/error.hpp"

namespace rooftrace::detail {

inline constexpr std::size_t kConfigLevels = 64;
inline constexpr std::size_t kConfigNodes = 100'000;
inline constexpr std::size_t kConfigKeyBytes = 200;
inline constexpr std::size_t kConfigExtends = 16;  ///< Files in a chain of `extends`.

struct ConfigValue {
  enum class Kind { null, scalar, list, map };
  struct Entry {
    std::string key;
    SourceLocation where;  ///< Of the key.
    std::unique_ptr<ConfigValue> value;
  };

  Kind kind = Kind::null;
  SourceLocation where;
  std::string path;                                    ///< "l2.capacity", "axes[0].key"; see name_paths.
  std::string scalar;                                  ///< Kind::scalar.
  bool in_quotes = false;                              ///< A scalar that was written as a string: never a number, never a bool.
  std::vector<std::unique_ptr<ConfigValue>> items;     ///< Kind::list.
  std::vector<Entry> entries;                          ///< Kind::map, in file order.
  std::unordered_map<std::string, std::size_t> index;  ///< Key to place in entries.

  bool read = false;            ///< A scalar: converted. A list or mapping: looked into.
  std::set<std::string> asked;  ///< Keys that were looked for in this mapping, there or not.

  [[nodiscard]] ConfigValue* find(const std::string& key) const;
  ConfigValue& add(const std::string& key, const SourceLocation& key_where, std::unique_ptr<ConfigValue> value);
};

/// One YAML document; UserError for everything that is not one. `budget` is the number of values still allowed and is lowered.
/// `fixed` places all values at `file` as a whole (texts from a command line have no lines).
[[nodiscard]] std::unique_ptr<ConfigValue> parse_yaml(const std::string& text, const std::string& file, bool fixed, std::size_t& budget);

/// Deep copy, lowering `budget` by the number of values; throws std::length_error when it is used up.
[[nodiscard]] std::unique_ptr<ConfigValue> clone(const ConfigValue& value, std::size_t& budget);

/// Lays `over` on `base`: mappings merge deeply, everything else replaces.
void overlay(ConfigValue& base, std::unique_ptr<ConfigValue> over);

/// Writes `path` of `value` and everything below it.
void name_paths(ConfigValue& value, const std::string& path);

/// As block YAML; see ConfigDocument::canonical.
[[nodiscard]] std::string to_yaml(const ConfigValue& root);

/// "a list", "a mapping", "empty" or the quoted scalar: what a message says is there.
[[nodiscard]] std::string describe(const ConfigValue& value);

}  // namespace rooftrace::detail
