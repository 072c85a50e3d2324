// The tree as YAML text.
//
// Promises: parsing the text gives the same tree again: same keys, order, kinds, scalars; numbers and bools stay unquoted, strings that
// were written in quotes stay strings. Everything that is not plainly harmless is put in double quotes. No comments, no line folding.
#include <algorithm>
#include <string_view>

#include "sim/core/config_tree.hpp"

namespace rooftrace::detail {
namespace {

bool harmless(const std::string& text) {
  constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  constexpr std::string_view kDigits = "0123456789";
  if (text.empty() || text.back() == ' ' || text.starts_with("..")) return false;
  if (text == "null" || text == "Null" || text == "NULL") return false;
  const auto is = [](std::string_view set, char c) { return set.find(c) != std::string_view::npos; };
  const char first = text[0];
  const bool starts_number = (first == '-' || first == '+' || first == '.') && text.size() > 1 && (is(kDigits, text[1]) || text[1] == '.');
  if (!is(kLetters, first) && !is(kDigits, first) && first != '_' && first != '/' && !starts_number) return false;
  return std::all_of(text.begin(), text.end(), [&](char c) { return is(kLetters, c) || is(kDigits, c) || is(" ._/+-%()", c); });
}

std::string in_quotes(const std::string& text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      out += "\\x";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string key_text(const std::string& key) {
  return harmless(key) ? key : in_quotes(key);
}

std::string flow(const ConfigValue& value) {
  std::string text;
  switch (value.kind) {
    case ConfigValue::Kind::null:
      return "null";
    case ConfigValue::Kind::scalar:
      return !value.in_quotes && harmless(value.scalar) ? value.scalar : in_quotes(value.scalar);
    case ConfigValue::Kind::list:
      for (const auto& item : value.items) text += (text.empty() ? "" : ", ") + flow(*item);
      return "[" + text + "]";
    case ConfigValue::Kind::map:
      for (const auto& entry : value.entries) text += (text.empty() ? "" : ", ") + key_text(entry.key) + ": " + flow(*entry.value);
      return "{" + text + "}";
  }
  return text;
}

bool full_map(const ConfigValue& value) {
  return value.kind == ConfigValue::Kind::map && !value.entries.empty();
}

void block(const ConfigValue& map, std::size_t indent, std::string& out) {
  const std::string spaces(indent, ' ');
  for (const auto& entry : map.entries) {
    const ConfigValue& value = *entry.value;
    // The first key of a mapping in a list stands behind its dash.
    const bool after_dash = out.ends_with("- ");
    out += (after_dash ? "" : spaces) + key_text(entry.key) + ":";
    const bool list_of_maps = value.kind == ConfigValue::Kind::list && !value.items.empty() &&
                              std::all_of(value.items.begin(), value.items.end(), [](const auto& item) { return full_map(*item); });
    if (full_map(value)) {
      out += "\n";
      block(value, indent + 2, out);
    } else if (list_of_maps) {
      out += "\n";
      for (const auto& item : value.items) {
        out.append(spaces).append("  - ");
        block(*item, indent + 4, out);
      }
    } else {
      out.append(" ").append(flow(value)).append("\n");
    }
  }
}

}  // namespace

std::string to_yaml(const ConfigValue& root) {
  std::string out;
  if (!full_map(root)) return flow(root) + "\n";
  block(root, 0, out);
  return out;
}

}  // namespace rooftrace::detail
