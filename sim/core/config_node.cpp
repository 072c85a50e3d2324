// Reading values: the strict conversions, and the messages when they fail.
//
// Promises: a conversion that returns has marked the value as read; one that throws names the place, the last word of the path, what stands
// there and what is needed. Locale-independent. A string in quotes is never a number, a bool or null, except as a quantity ("50 MiB").
#include <algorithm>
#include <charconv>
#include <cmath>
#include <stdexcept>
#include <string_view>

#include "sim/core/config.hpp"
#include "sim/core/config_tree.hpp"

namespace rooftrace {
namespace {

using detail::ConfigValue;

std::string shortest(double value) {
  char text[32];
  const auto [end, error] = std::to_chars(text, text + sizeof text, value);
  return error == std::errc() ? std::string(text, end) : "?";
}

const std::string& scalar(const ConfigNode& node, ConfigValue& value, std::string_view needed, bool quotes_allowed) {
  if (value.kind != ConfigValue::Kind::scalar) node.fail(std::string(needed) + " is needed, not " + detail::describe(value));
  if (value.in_quotes && !quotes_allowed) {
    node.fail(detail::describe(value) + " is a string because of its quotes; " + std::string(needed) + " is needed");
  }
  value.read = true;
  return value.scalar;
}

// "1,000", "1_000" and "+1000" with what they mean; "" when the text is no such thing.
std::string plain_digits(const std::string& text) {
  std::string digits;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    if (digit) {
      digits += text[i];
    } else if (text[i] != ',' && text[i] != '_' && (text[i] != '+' || i != 0)) {
      return "";
    }
  }
  if (digits.empty()) return "";
  const std::size_t first = std::min(digits.find_first_not_of('0'), digits.size() - 1);
  return "; did you mean \"" + digits.substr(first) + "\"?";
}

}  // namespace

ConfigNode ConfigNode::operator[](const std::string& key) const {
  if (const std::optional<ConfigNode> found = find(key)) return *found;
  std::vector<std::string> unknown;  // Keys that nobody asked for: one of them may be this one, misspelled.
  for (const auto& entry : value_->entries) {
    if (value_->asked.count(entry.key) == 0) unknown.push_back(entry.key);
  }
  const std::string near = closest(key, unknown);
  std::string hint;
  if (!near.empty()) {
    const SourceLocation& there = value_->entries[value_->index.at(near)].where;
    hint = "; is " + quoted_word(near) + (there.line > 0 ? " on line " + std::to_string(there.line) : "") + " meant to be it?";
  }
  fail("the key " + quoted_word(key) + " is missing" + hint);
}

std::optional<ConfigNode> ConfigNode::find(const std::string& key) const {
  if (value_->kind != ConfigValue::Kind::map) fail("a mapping is needed, not " + detail::describe(*value_));
  value_->read = true;
  value_->asked.insert(key);
  ConfigValue* const found = value_->find(key);
  if (found == nullptr) return std::nullopt;
  return ConfigNode(found);
}

std::string ConfigNode::string() const {
  return scalar(*this, *value_, "a text", true);
}

double ConfigNode::number() const {
  const std::string& text = scalar(*this, *value_, "a number", false);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole_text = end == text.data() + text.size();
  if (whole_text && error == std::errc::result_out_of_range) fail(quoted_word(text) + " is out of range");
  if (!whole_text || error != std::errc() || !std::isfinite(value)) fail(quoted_word(text) + " is not a number" + plain_digits(text));
  return value;
}

double ConfigNode::number(double low, double high) const {
  const double value = number();
  if (value < low || value > high) fail(value_->scalar + " is outside " + shortest(low) + " to " + shortest(high));
  return value;
}

std::int64_t ConfigNode::integer(std::int64_t low, std::int64_t high) const {
  const std::string& text = scalar(*this, *value_, "a whole number", false);
  const std::string range = " is outside " + std::to_string(low) + " to " + std::to_string(high);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end != text.data() + text.size() || error == std::errc::invalid_argument) {
    fail(quoted_word(text) + " is not a whole number" + plain_digits(text));
  }
  // YAML has read 010 as 8 in some versions and as 10 in others.
  const std::size_t sign = text[0] == '-' ? 1 : 0;
  if (text.size() > sign + 1 && text[sign] == '0') fail(quoted_word(text) + " has a leading zero" + plain_digits(text));
  if (error == std::errc::result_out_of_range || value < low || value > high) {
    constexpr std::size_t kShownDigits = 40;
    fail((text.size() > kShownDigits ? quoted_word(text) : text) + range);
  }
  return value;
}

bool ConfigNode::boolean() const {
  const std::string& text = scalar(*this, *value_, "true or false", false);
  if (text == "true" || text == "false") return text == "true";
  std::string lower = text;
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  std::string meant;
  if (lower == "true" || lower == "yes" || lower == "on" || lower == "y" || lower == "1") meant = "true";
  if (lower == "false" || lower == "no" || lower == "off" || lower == "n" || lower == "0") meant = "false";
  fail(quoted_word(text) + " is not true or false" +
       (meant.empty() ? did_you_mean(text, {"true", "false"}) : "; did you mean \"" + meant + "\"?"));
}

double ConfigNode::quantity(Dimension dimension) const {
  const std::string& text = scalar(*this, *value_, "a number with a unit", true);
  try {
    return parse_quantity(text, dimension);
  } catch (const std::invalid_argument& error) {
    fail(error.what());
  }
}

std::size_t ConfigNode::one_of(const std::vector<std::string>& allowed) const {
  const std::string& text = scalar(*this, *value_, "a word", true);
  const auto found = std::find(allowed.begin(), allowed.end(), text);
  if (found != allowed.end()) return static_cast<std::size_t>(found - allowed.begin());
  std::string words;
  for (const std::string& word : allowed) words += (words.empty() ? "" : ", ") + word;
  fail(quoted_word(text) + " is not one of " + words + did_you_mean(text, allowed));
}

std::vector<ConfigNode> ConfigNode::items() const {
  if (value_->kind != ConfigValue::Kind::list) fail("a list is needed, as in [1, 2], not " + detail::describe(*value_));
  value_->read = true;
  std::vector<ConfigNode> nodes;
  for (const auto& item : value_->items) nodes.emplace_back(item.get());
  return nodes;
}

std::vector<std::pair<std::string, ConfigNode>> ConfigNode::entries() const {
  if (value_->kind != ConfigValue::Kind::map) fail("a mapping is needed, not " + detail::describe(*value_));
  value_->read = true;
  std::vector<std::pair<std::string, ConfigNode>> nodes;
  for (const auto& entry : value_->entries) {
    value_->asked.insert(entry.key);
    nodes.emplace_back(entry.key, ConfigNode(entry.value.get()));
  }
  return nodes;
}

bool ConfigNode::is_map() const {
  return value_->kind == ConfigValue::Kind::map;
}

bool ConfigNode::is_list() const {
  return value_->kind == ConfigValue::Kind::list;
}

const SourceLocation& ConfigNode::where() const {
  return value_->where;
}

const std::string& ConfigNode::path() const {
  return value_->path;
}

void ConfigNode::fail(const std::string& message) const {
  const std::string last = value_->path.substr(value_->path.rfind('.') + 1);  // npos + 1 is 0: the whole path.
  throw UserError(value_->where, last.empty() ? message : last + ": " + message);
}

}  // namespace rooftrace
