// Configuration files: YAML behind a strict layer, the only place that knows the YAML library.
//
// Promises: every value knows file:line:column; duplicate keys, unknown keys (never read), wrong types, bare numbers where a unit is
// needed, merge keys (<<), tags and aliases that explode are one-line UserErrors; `extends: other` (a sibling file's name without .yaml, or
// a path) is resolved before reading, loops named; `set("a.b=c")` overrides any key of any file; canonical() is the resolved document, so
// that a run can record exactly what it ran with. Bounded: 1 MiB of text, 64 levels, 100,000 nodes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sim/core/error.hpp"
#include "sim/core/units.hpp"

namespace rooftrace {

namespace detail {
struct ConfigValue;  // the parsed tree; in config.cpp
}

/// A view of one value of a document; cheap to copy; valid while the document lives. Reading a value marks it as read.
class ConfigNode {
 public:
  explicit ConfigNode(detail::ConfigValue* value) : value_(value) {}

  [[nodiscard]] ConfigNode operator[](const std::string& key) const;  ///< Missing: UserError at this mapping naming the key.
  [[nodiscard]] std::optional<ConfigNode> find(
      const std::string& key) const;  ///< Absent: nothing. Remembers the key as known, for suggestions.

  [[nodiscard]] std::string string() const;
  [[nodiscard]] double number() const;  ///< Finite.
  [[nodiscard]] double number(double low, double high) const;
  [[nodiscard]] std::int64_t integer(std::int64_t low,
                                     std::int64_t high) const;  ///< Decimal only; outside the range: UserError that states it.
  [[nodiscard]] bool boolean() const;                           ///< true or false only.
  [[nodiscard]] double quantity(Dimension dimension) const;
  [[nodiscard]] std::size_t one_of(
      const std::vector<std::string>& allowed) const;  ///< Index; else UserError with all allowed words and a suggestion.
  [[nodiscard]] std::vector<ConfigNode> items() const;
  [[nodiscard]] std::vector<std::pair<std::string, ConfigNode>> entries() const;
  [[nodiscard]] bool is_map() const;
  [[nodiscard]] bool is_list() const;

  [[nodiscard]] const SourceLocation& where() const;
  [[nodiscard]] const std::string& path() const;             ///< "l2.capacity"
  [[noreturn]] void fail(const std::string& message) const;  ///< UserError at where(), prefixed with the last word of path().

 private:
  friend class ConfigDocument;
  detail::ConfigValue* value_;
};

class ConfigDocument {
 public:
  static ConfigDocument load(const std::string& path);  ///< Missing, unreadable, directory: UserError that says which.
  static ConfigDocument parse(const std::string& text, const std::string& file);
  ConfigDocument(ConfigDocument&&) noexcept;
  ConfigDocument& operator=(ConfigDocument&&) noexcept;
  ~ConfigDocument();
  /// A document of its own with the same values, none of them read yet. Thread-safe as long as nobody changes this one.
  [[nodiscard]] ConfigDocument copy() const;

  /// "path.to.key=value": the value is YAML (a scalar or flow list); creates the key when absent. `origin` is the file name that errors
  /// print ("--set").
  void set(const std::string& assignment, const std::string& origin = "--set");
  /// Lays `mapping` (of another document, which it marks as read) on this one, except its keys `without`: mappings merge deeply, everything
  /// else replaces; every value keeps the place where it was written.
  void overlay(const ConfigNode& mapping, const std::vector<std::string>& without = {});
  [[nodiscard]] ConfigNode root() const;
  [[nodiscard]] bool has(const std::string& dotted_path) const;  ///< Without marking anything as read.
  /// UserError for the first key nobody read, with the closest key that was asked for in the same mapping.
  void check_all_read() const;
  /// The resolved document as YAML, keys in file order, no comments.
  [[nodiscard]] std::string canonical() const;

 private:
  explicit ConfigDocument(std::unique_ptr<detail::ConfigValue> root);
  std::unique_ptr<detail::ConfigValue> root_;
};

}  // namespace rooftrace
