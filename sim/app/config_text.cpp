// Quoting on the safe side: what is not plainly a word, a number or a path goes into double quotes.
#include "sim/app/config_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <sstream>
#include <string_view>

namespace rooftrace {

std::string yaml_scalar(const std::string& text) {
  const bool plain_start = !text.empty() && (std::isalnum(static_cast<unsigned char>(text.front())) != 0 || text.front() == '/');
  const bool plain =
      plain_start && text != "null" && text != "Null" && text != "NULL" && std::all_of(text.begin(), text.end(), [](unsigned char c) {
        return std::isalnum(c) != 0 || std::string_view("_-./+").find(static_cast<char>(c)) != std::string_view::npos;
      });
  if (plain) return text;
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
