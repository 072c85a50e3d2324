// Arguments of an event, whatever their case and however they are written: numbers come as numbers or, in older files, as text.
#pragma once

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace rooftrace::kineto {

using Json = nlohmann::json;

inline constexpr std::size_t kLongestName = 4096;  ///< What is kept of a text.

[[nodiscard]] inline std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

/// An argument by its lower-case name.
[[nodiscard]] inline const Json* find(const Json& object, std::string_view wanted) {
  if (!object.is_object()) return nullptr;
  for (const auto& [key, value] : object.items()) {
    if (lower(key) == wanted) return &value;
  }
  return nullptr;
}

[[nodiscard]] inline std::optional<double> number(const Json* value) {
  if (value == nullptr) return std::nullopt;
  if (value->is_number()) {
    const double n = value->get<double>();
    return std::isfinite(n) ? std::optional(n) : std::nullopt;
  }
  if (!value->is_string()) return std::nullopt;
  const auto& text = value->get_ref<const std::string&>();
  char* end = nullptr;
  const double n = std::strtod(text.c_str(), &end);
  if (text.empty() || end != text.c_str() + text.size() || !std::isfinite(n)) return std::nullopt;
  return n;
}

[[nodiscard]] inline std::uint64_t whole(const Json* value, std::uint64_t otherwise = 0) {
  const auto n = number(value);
  return n && *n >= 0 && *n < 9e18 ? static_cast<std::uint64_t>(*n) : otherwise;
}

[[nodiscard]] inline std::string text_of(const Json* value, std::size_t longest = kLongestName) {
  if (value == nullptr) return "";
  if (value->is_string()) return value->get_ref<const std::string&>().substr(0, longest);
  if (value->is_boolean()) return value->get<bool>() ? "True" : "False";
  return "";
}

[[nodiscard]] inline std::array<std::uint32_t, 3> sides(const Json* value) {
  std::array<std::uint32_t, 3> out{1, 1, 1};
  if (value == nullptr || !value->is_array()) return out;
  for (std::size_t i = 0; i < 3 && i < value->size(); ++i) {
    out[i] = static_cast<std::uint32_t>(std::clamp<std::uint64_t>(whole(&(*value)[i], 1), 1, UINT32_MAX));
  }
  return out;
}

}  // namespace rooftrace::kineto
