// The JSON library forgets where a value stood, so the text is walked a second time; that is only done when there is an error to tell.
#include "traces/config_json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

namespace rooftrace {
namespace {

using Json = nlohmann::json;

constexpr int kMaxDepth = 64;
constexpr std::size_t kLongestQuote = 60;  // Of a wrong value, in an error message.

std::size_t skip_string(const std::string& text, std::size_t quote) {
  std::size_t i = quote + 1;
  while (i < text.size() && text[i] != '"') i += text[i] == '\\' ? 2 : 1;
  return std::min(text.size(), i + 1);
}

std::size_t skip_blank(const std::string& text, std::size_t i) {
  return std::min(text.size(), text.find_first_not_of(" \t\r\n", i));
}

/// Where the first bracket beyond the allowed depth stands.
std::optional<std::size_t> too_deep(const std::string& text) {
  int depth = 0;
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (c == '"') {
      i = skip_string(text, i);
      continue;
    }
    if (c == '{' || c == '[') ++depth;
    if (c == '}' || c == ']') --depth;
    if (depth > kMaxDepth) return i;
    ++i;
  }
  return std::nullopt;
}

std::string quoted(const Json& value) {
  std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() > kLongestQuote) text = text.substr(0, kLongestQuote) + "...";
  return text;
}

}  // namespace

struct ConfigJson::Document {
  Json root;
};

ConfigJson::ConfigJson(std::string text, std::string file) : text_(std::move(text)), file_(std::move(file)) {
  if (text_.size() > kMostConfigText) {
    throw UserError(SourceLocation{file_}, fmt::format("{} bytes; a config.json has at most {}", text_.size(), kMostConfigText));
  }
  if (const auto offset = too_deep(text_)) throw UserError(at(*offset), fmt::format("nested deeper than {} levels", kMaxDepth));
  try {
    json_ = std::make_unique<Document>(Document{Json::parse(text_)});
  } catch (const Json::parse_error& error) {
    // "[json.exception.parse_error.101] parse error at line 3, column 5: what": only what; the place is ours (byte counts from 1).
    const std::string what = error.what();
    const std::size_t colon = what.find(": ");
    throw UserError(at(error.byte == 0 ? 0 : error.byte - 1), "not JSON: " + (colon == std::string::npos ? what : what.substr(colon + 2)));
  } catch (const Json::out_of_range& error) {  // A number beyond double.
    throw UserError(SourceLocation{file_}, fmt::format("not JSON: {}", error.what()));
  }
  if (!json_->root.is_object()) throw UserError(at(skip_blank(text_, 0)), "not an object { ... } as a config.json is");
}

ConfigJson::~ConfigJson() = default;

SourceLocation ConfigJson::at(std::size_t offset) const {
  offset = std::min(offset, text_.size());
  SourceLocation place{file_, 1, 1};
  for (std::size_t i = 0; i < offset; ++i) {
    ++place.column;
    if (text_[i] == '\n') {
      ++place.line;
      place.column = 1;
    }
  }
  return place;
}

/// Where the value of the last outermost `key` starts; the text is known to be valid JSON.
std::size_t ConfigJson::value_of(const std::string& key) const {
  const std::string quoted = "\"" + key + "\"";
  std::size_t found = 0;
  int depth = 0;
  for (std::size_t i = 0; i < text_.size();) {
    const char c = text_[i];
    if (c != '"') {
      if (c == '{' || c == '[') ++depth;
      if (c == '}' || c == ']') --depth;
      ++i;
      continue;
    }
    const std::size_t end = skip_string(text_, i);
    const std::size_t colon = skip_blank(text_, end);
    const bool is_key = depth == 1 && colon < text_.size() && text_[colon] == ':';
    if (is_key && text_.compare(i, end - i, quoted) == 0) found = skip_blank(text_, colon + 1);
    i = end;
  }
  return found;
}

std::string ConfigJson::name_of(const std::string& key) const {
  for (std::size_t from = 0;;) {
    const std::size_t bar = key.find('|', from);
    const std::string one = key.substr(from, bar - from);
    const auto found = json_->root.find(one);
    if (found != json_->root.end() && !found->is_null()) return one;
    if (bar == std::string::npos) return key.substr(0, key.find('|'));
    from = bar + 1;
  }
}

void ConfigJson::fail(const std::string& key, const std::string& message) const {
  const std::string name = name_of(key);
  throw UserError(at(value_of(name)), name + ": " + message);
}

void ConfigJson::require(const std::string& key) const {
  const std::string name = name_of(key);
  if (!json_->root.contains(name)) throw UserError(at(skip_blank(text_, 0)), fmt::format("missing key \"{}\"", name));
}

bool ConfigJson::given(const std::string& key) const {
  const auto found = json_->root.find(name_of(key));
  return found != json_->root.end() && !found->is_null();
}

std::uint32_t ConfigJson::integer(const std::string& key, std::int64_t high) const {
  require(key);
  const Json& value = json_->root[name_of(key)];
  if (!value.is_number_integer()) fail(key, fmt::format("{} is not an integer", quoted(value)));
  const bool huge = value.is_number_unsigned() && value.get<std::uint64_t>() > static_cast<std::uint64_t>(high);
  const std::int64_t number = huge ? std::numeric_limits<std::int64_t>::max() : value.get<std::int64_t>();
  if (number < 1 || number > high) fail(key, fmt::format("{} is outside 1 to {}", quoted(value), high));
  return static_cast<std::uint32_t>(number);
}

bool ConfigJson::boolean(const std::string& key, bool absent) const {
  if (!given(key)) return absent;
  require(key);
  const Json& value = json_->root[name_of(key)];
  if (!value.is_boolean()) fail(key, fmt::format("{} is neither true nor false", quoted(value)));
  return value.get<bool>();
}

double ConfigJson::number(const std::string& key, double low, double high, double absent) const {
  if (!given(key)) return absent;
  require(key);
  const Json& value = json_->root[name_of(key)];
  if (!value.is_number()) fail(key, fmt::format("{} is not a number", quoted(value)));
  const double number = value.get<double>();
  if (!(number >= low && number <= high)) fail(key, fmt::format("{} is outside {} to {}", quoted(value), low, high));
  return number;
}

std::string ConfigJson::word(const std::string& key, const std::string& absent) const {
  if (!given(key)) return absent;
  require(key);
  const Json& value = json_->root[name_of(key)];
  if (!value.is_string()) fail(key, fmt::format("{} is not a word", quoted(value)));
  return value.get<std::string>();
}

bool ConfigJson::is(const std::string& key, std::int64_t value) const {
  require(key);
  return json_->root[name_of(key)] == value;
}

bool ConfigJson::is_empty_list(const std::string& key) const {
  require(key);
  const Json& value = json_->root[name_of(key)];
  return value.is_array() && value.empty();
}

std::vector<std::string> ConfigJson::words(const std::string& key) const {
  require(key);
  std::vector<std::string> out;
  const Json& list = json_->root[name_of(key)];
  if (!list.is_array()) return out;
  for (const Json& word : list) {
    if (!word.is_string()) return {};
    out.push_back(word.get<std::string>());
  }
  return out;
}

std::string ConfigJson::shown(const std::string& key) const {
  require(key);
  return quoted(json_->root[name_of(key)]);
}

}  // namespace rooftrace
