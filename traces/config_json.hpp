// A Hugging Face config.json as text, as JSON, and as places: every mistake is one UserError with file:line:column.
//
// Promises: text beyond 1 MiB or nested deeper than 64 levels is refused before it is parsed. A key given twice is tolerated (the last one
// counts), as it is by everybody else who reads these files. Absent and null are the same to those who write them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sim/core/error.hpp"

namespace rooftrace {

inline constexpr std::size_t kMostConfigText = 1U << 20;

class ConfigJson {
 public:
  /// `file` is the path that errors print. UserError for broken JSON and for anything but an object.
  ConfigJson(std::string text, std::string file);
  ~ConfigJson();
  ConfigJson(const ConfigJson&) = delete;
  ConfigJson& operator=(const ConfigJson&) = delete;

  // A key may have several names, "n_layer|num_hidden_layers": the first that is given counts, and errors name the first.

  [[nodiscard]] bool given(const std::string& key) const;
  /// UserError when the key is missing; null is there.
  void require(const std::string& key) const;
  /// The value is this integer. UserError when the key is missing.
  [[nodiscard]] bool is(const std::string& key, std::int64_t value) const;
  [[nodiscard]] bool is_empty_list(const std::string& key) const;
  /// A list of words; empty for anything else.
  [[nodiscard]] std::vector<std::string> words(const std::string& key) const;
  /// The value as an error message quotes it, cut short.
  [[nodiscard]] std::string shown(const std::string& key) const;
  /// From 1 to `high`; UserError otherwise.
  [[nodiscard]] std::uint32_t integer(const std::string& key, std::int64_t high) const;
  [[nodiscard]] bool boolean(const std::string& key, bool absent) const;
  [[nodiscard]] double number(const std::string& key, double low, double high, double absent) const;
  [[nodiscard]] std::string word(const std::string& key, const std::string& absent) const;

  [[noreturn]] void fail(const std::string& key, const std::string& message) const;

 private:
  struct Document;  ///< The parsed text: only config_json.cpp knows the JSON library.
  [[nodiscard]] SourceLocation at(std::size_t offset) const;
  [[nodiscard]] std::size_t value_of(const std::string& key) const;
  [[nodiscard]] std::string name_of(const std::string& key) const;  ///< The name that is given, or the first.

  std::string text_, file_;
  std::unique_ptr<Document> json_;
};

}  // namespace rooftrace
