#include "sim/app/config_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <sstream>

namespace rooftrace {
namespace {

std::string flow(const ConfigNode& node) {
  if (!node.is_list()) return yaml_scalar(node.string());
  std::string text;
  for (const ConfigNode& item : node.items()) {
    if (!text.empty()) text += ", ";
    if (item.is_map()) {
      std::string inner;
      for (const auto& [key, value] : item.entries()) inner += (inner.empty() ? "" : ", ") + key + ": " + flow(value);
      text += "{" + inner + "}";
    } else {
      text += flow(item);
    }
  }
  return "[" + text + "]";
}

void collect(const ConfigNode& map, const std::string& prefix, const std::vector<std::string>& except, std::vector<ConfigLeaf>& out) {
  for (const auto& [key, value] : map.entries()) {
    if (std::find(except.begin(), except.end(), key) != except.end()) continue;
    const std::string path = prefix.empty() ? key : prefix + "." + key;
    if (value.is_map()) {
      collect(value, path, {}, out);
    } else {
      out.push_back({path, flow(value), value.where()});
    }
  }
}

}  // namespace

std::vector<ConfigLeaf> config_leaves(const ConfigNode& map, const std::vector<std::string>& except) {
  std::vector<ConfigLeaf> leaves;
  collect(map, "", except, leaves);
  return leaves;
}

std::string yaml_scalar(const std::string& text) {
  const bool plain = !text.empty() && (std::isalnum(static_cast<unsigned char>(text.front())) != 0 || text.front() == '.' ||
                                       text.front() == '/' || (text.front() == '-' && text.size() > 1 && std::isdigit(text[1]) != 0));
  const bool harmless = std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || std::string_view("_-./+ %()").find(static_cast<char>(c)) != std::string_view::npos;
  });
  if (plain && harmless && text.back() != ' ') return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    if (const auto byte = static_cast<unsigned char>(c); byte < 0x20) {
      quoted += fmt::format("\\x{:02x}", byte);
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

std::string indented(const std::string& text, int columns) {
  std::istringstream lines(text);
  std::string all;
  for (std::string line; std::getline(lines, line);) {
    all += (line.empty() ? "" : std::string(static_cast<std::size_t>(columns), ' ') + line) + "\n";
  }
  return all;
}

}  // namespace rooftrace
