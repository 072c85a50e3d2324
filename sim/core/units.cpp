// Quantities from text and to text.
//
// Promises: "3.35 TB/s" is exactly the double nearest to 3.35e12, because a decimal prefix is added to the exponent before the digits are
// converted, never multiplied after; locale-independent both ways. Not modeled: sums ("1 m 3 s"), bits (refused with the bytes they would
// be), any dimension that is not listed here.
#include "sim/core/units.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <stdexcept>
#include <vector>

#include "sim/core/error.hpp"

namespace rooftrace {
namespace {

struct Prefix {
  std::string_view text;
  int power = 0;  ///< Of ten, or of two when binary.
  bool binary = false;
};

// Larger first; the plain unit last, so that a suggestion prefers "MB" to "B" for "M".
constexpr std::array kUp = {Prefix{"E", 18}, Prefix{"P", 15}, Prefix{"T", 12}, Prefix{"G", 9},
                            Prefix{"M", 6},  Prefix{"k", 3},  Prefix{"", 0}};
constexpr std::array kBinary = {Prefix{"Pi", 50, true}, Prefix{"Ti", 40, true}, Prefix{"Gi", 30, true}, Prefix{"Mi", 20, true},
                                Prefix{"Ki", 10, true}};
constexpr std::array kDown = {Prefix{"", 0}, Prefix{"m", -3}, Prefix{"u", -6}, Prefix{"n", -9}, Prefix{"p", -12}};

struct Kind {
  Dimension dimension;
  std::string_view base;     ///< Unit without prefix.
  std::string_view noun;     ///< "a bandwidth"
  std::string_view example;  ///< What would do.
  bool down = false;         ///< Prefixes below one, instead of above.
  bool binary = false;       ///< Binary prefixes as well.
  int largest = 18;          ///< Power of ten of the largest prefix that anyone needs.
};

constexpr std::array kKinds = {
    Kind{Dimension::bytes, "B", "a size", "50 MiB", false, true},
    Kind{Dimension::bytes_per_second, "B/s", "a bandwidth", "3.35 TB/s", false, true},
    Kind{Dimension::hertz, "Hz", "a frequency", "1.98 GHz", false, false, 12},
    Kind{Dimension::seconds, "s", "a time", "265 ns", true},
    Kind{Dimension::flop_per_second, "FLOP/s", "a rate of work", "989.4 TFLOP/s"},
    Kind{Dimension::watts, "W", "a power", "700 W", false, false, 6},
};

const Kind& kind_of(Dimension dimension) {
  return kKinds.at(static_cast<std::size_t>(dimension));
}

std::vector<Prefix> decimal(const Kind& kind) {
  std::vector<Prefix> all;
  if (kind.down) return {kDown.begin(), kDown.end()};
  for (const Prefix& prefix : kUp) {
    if (prefix.power <= kind.largest) all.push_back(prefix);
  }
  return all;
}

std::vector<Prefix> prefixes(const Kind& kind) {
  std::vector<Prefix> all = decimal(kind);
  if (kind.binary) all.insert(all.end() - 1, kBinary.begin(), kBinary.end());
  return all;
}

std::vector<std::string> units(const Kind& kind) {
  std::vector<std::string> all;
  for (const Prefix& prefix : prefixes(kind)) all.push_back(std::string(prefix.text).append(kind.base));
  return all;
}

std::string units_text(const Kind& kind) {
  return fmt::format("{}", fmt::join(units(kind), ", "));
}

std::optional<Prefix> prefix_of(std::string_view unit, const Kind& kind) {
  for (const Prefix& prefix : prefixes(kind)) {
    if (unit.size() == prefix.text.size() + kind.base.size() && unit.starts_with(prefix.text) && unit.ends_with(kind.base)) return prefix;
  }
  return std::nullopt;
}

// The micro sign and the Greek letter mu are both in use.
std::string plain_micro(std::string_view unit) {
  for (const std::string_view micro : {"\u00b5", "\u03bc"}) {
    if (unit.starts_with(micro)) return std::string("u").append(unit.substr(micro.size()));
  }
  return std::string(unit);
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

[[noreturn]] void refuse(std::string_view text, const std::string& why) {
  throw std::invalid_argument(quoted_word(text) + " " + why);
}

struct Number {
  std::string_view digits;  ///< "3.35"
  int exponent = 0;
  std::string_view rest;  ///< The unit.
};

// Splits "1.5e3 GHz" into 1.5, 3 and GHz; the caller has seen that the text starts like a number.
Number split(std::string_view text) {
  std::size_t end = 0;
  while (end < text.size() && is_digit(text[end])) ++end;
  if (end < text.size() && text[end] == '.') {
    ++end;
    while (end < text.size() && is_digit(text[end])) ++end;
  }
  Number number{text.substr(0, end), 0, {}};
  // "2EB" is two exabytes, "2E3" two thousand: an exponent is an e with digits behind it.
  if (end < text.size() && (text[end] == 'e' || text[end] == 'E')) {
    std::size_t from = end + 1;
    if (from < text.size() && text[from] == '+') ++from;
    const auto [stop, error] = std::from_chars(text.data() + from, text.data() + text.size(), number.exponent);
    if (error == std::errc::result_out_of_range || std::abs(number.exponent) > 9999) number.exponent = number.exponent < 0 ? -9999 : 9999;
    if (error != std::errc::invalid_argument) end = static_cast<std::size_t>(stop - text.data());
  }
  while (end < text.size() && text[end] == ' ') ++end;
  number.rest = text.substr(end);
  return number;
}

std::optional<double> value_of(const Number& number, int more) {
  const std::string text = fmt::format("{}e{}", number.digits, number.exponent + more);
  double value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || stop != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

// A comma among the digits: a thousands separator when three digits follow it, else a decimal comma.
void check_comma(std::string_view text, const Number& number) {
  if (number.rest.size() < 2 || number.rest[0] != ',' || !is_digit(number.rest[1])) return;
  std::string meant(text);
  bool thousands = true;
  for (std::size_t at = meant.find(','); at != std::string::npos; at = meant.find(',', at + 1)) {
    std::size_t run = 0;
    while (at + 1 + run < meant.size() && is_digit(meant[at + 1 + run])) ++run;
    thousands = thousands && run == 3;
  }
  if (thousands) {
    meant.erase(std::remove(meant.begin(), meant.end(), ','), meant.end());
  } else {
    std::replace(meant.begin(), meant.end(), ',', '.');
  }
  refuse(text, "has a comma in the number; did you mean " + quoted_word(meant) + "?");
}

// Bits where bytes are asked for: "Tb/s", "Tbps" may be either and are refused, "Gbit/s" is certain and gets its value in bytes.
void check_bits(std::string_view text, std::string_view shown, const Number& number, const Kind& kind) {
  if (kind.base[0] != 'B') return;
  const std::string_view unit = number.rest;
  for (const Prefix& prefix : prefixes(kind)) {
    if (!unit.starts_with(prefix.text)) continue;
    const std::string_view tail = unit.substr(prefix.text.size());
    const std::string meant = std::string(prefix.text).append(kind.base);
    if (tail == "b" || tail == "b/s" || tail == "bps") {
      refuse(text, fmt::format("is ambiguous: \"b\" may be bits or bytes; did you mean \"{} {}\"?", shown, meant));
    }
    const bool bits = tail == "bit" || tail == "bits" || tail == "bit/s" || tail == "bits/s";
    const std::optional<double> value = value_of(number, 0);
    if (bits && value) refuse(text, fmt::format("is in bits; in bytes it would be \"{} {}\"", *value / 8, meant));
  }
}

// The unit that was probably meant, or "". Words become symbols first ("TByte/sec", "msec", a prefix alone); after that it must begin with
// the same letter, because a suggestion of another magnitude would do harm: "teraflops" is never "EFLOP/s".
std::string meant_unit(std::string_view unit, const Kind& kind) {
  using Pair = std::pair<std::string_view, std::string_view>;
  constexpr std::array kWords = {Pair{"bytes", "B"},     Pair{"byte", "B"},   Pair{"/second", "/s"}, Pair{"/sec", "/s"},
                                 Pair{"seconds", "s"},   Pair{"second", "s"}, Pair{"secs", "s"},     Pair{"sec", "s"},
                                 Pair{"hertz", "Hz"},    Pair{"watts", "W"},  Pair{"watt", "W"},     Pair{"flops/s", "FLOP/s"},
                                 Pair{"flops", "FLOP/s"}};
  if (unit.find(' ') != std::string_view::npos) return "";
  std::string symbols;
  for (const char c : unit) symbols += lower(c);
  for (const auto& [word, symbol] : kWords) {
    const std::size_t at = symbols.find(word);
    if (at != std::string::npos) symbols.replace(at, word.size(), symbol);
  }
  if (symbols == "min") return "";  // Minutes, not "ms".
  std::vector<std::string> candidates;
  for (const Prefix& prefix : prefixes(kind)) {
    const std::string candidate = std::string(prefix.text).append(kind.base);
    if (!prefix.text.empty() && unit == prefix.text) return candidate;
    if (lower(candidate[0]) == lower(symbols[0])) candidates.push_back(candidate);
  }
  return closest(symbols, candidates);
}

[[noreturn]] void refuse_unit(std::string_view text, const Number& number, const Kind& kind) {
  std::string_view shown = text.substr(0, text.size() - number.rest.size());
  while (shown.ends_with(' ')) shown.remove_suffix(1);
  if (number.rest.empty()) refuse(text, "has no unit; units that would do: " + units_text(kind));
  check_comma(text, number);
  check_bits(text, shown, number, kind);
  if (kind.binary && number.rest == std::string("K").append(kind.base)) {
    refuse(text, fmt::format("is ambiguous; did you mean \"{0} Ki{1}\" (1024) or \"{0} k{1}\" (1000)?", shown, kind.base));
  }
  for (const Kind& other : kKinds) {
    const bool fits = &other != &kind && prefix_of(number.rest, other);
    if (fits) refuse(text, fmt::format("is {}, but {} is needed, as in \"{}\"", other.noun, kind.noun, kind.example));
  }
  const std::string meant = meant_unit(number.rest, kind);
  if (meant.empty()) refuse(text, "has no unit I know; units that would do: " + units_text(kind));
  refuse(text, fmt::format("has no unit I know; did you mean \"{} {}\"?", shown, meant));
}

// `scaled` with `digits` significant digits, never fewer than the digits before the point, without trailing zeros.
std::string significant(double scaled, int digits) {
  const int before = scaled == 0 ? 1 : static_cast<int>(std::floor(std::log10(std::abs(scaled)))) + 1;
  std::string text = fmt::format("{:.{}f}", scaled, std::clamp(digits - before, 0, 300));
  if (text.find('.') != std::string::npos) {
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') text.pop_back();
  }
  return text;
}

// `scales` from large to small. The last scale at which the rounded number is still at least 1 wins: 999.96 GB/s is "1 TB/s".
std::string format_with(double value, std::string_view base, const std::vector<Prefix>& scales, int digits) {
  if (!std::isfinite(value)) return fmt::format("{} {}", value, base);
  std::string text;
  for (const Prefix& prefix : scales) {
    const double scaled = prefix.binary ? std::ldexp(value, -prefix.power) : value / std::pow(10.0, prefix.power);
    text = significant(scaled, std::max(digits, 1));
    double rounded = 0;
    std::from_chars(text.data(), text.data() + text.size(), rounded);
    const bool large_enough = std::abs(rounded) >= 1;
    text += fmt::format(" {}{}", prefix.text, base);
    if (large_enough) break;
  }
  return value == 0 ? fmt::format("0 {}", base) : text;
}

}  // namespace

double parse_quantity(std::string_view text, Dimension dimension) {
  const Kind& kind = kind_of(dimension);
  std::string_view trimmed = text;
  while (trimmed.starts_with(' ')) trimmed.remove_prefix(1);
  while (trimmed.ends_with(' ')) trimmed.remove_suffix(1);
  if (trimmed.starts_with('-') && trimmed.size() > 1 && (is_digit(trimmed[1]) || trimmed[1] == '.')) refuse(trimmed, "is negative");
  const bool starts_like_number =
      !trimmed.empty() && (is_digit(trimmed[0]) || (trimmed[0] == '.' && trimmed.size() > 1 && is_digit(trimmed[1])));
  if (!starts_like_number) {
    refuse(trimmed, fmt::format("is not a number with a unit; {} is needed, as in \"{}\"", kind.noun, kind.example));
  }
  Number number = split(trimmed);
  const std::string unit = plain_micro(number.rest);
  const std::optional<Prefix> prefix = prefix_of(unit, kind);
  if (!prefix) refuse_unit(trimmed, number, kind);
  const std::optional<double> value = value_of(number, prefix->binary ? 0 : prefix->power);
  const double result = value ? (prefix->binary ? std::ldexp(*value, prefix->power) : *value) : HUGE_VAL;
  if (!std::isfinite(result)) refuse(trimmed, "is out of range");
  return result;
}

std::string format_quantity(double value, Dimension dimension, int digits) {
  const Kind& kind = kind_of(dimension);
  return format_with(value, kind.base, decimal(kind), digits);
}

std::string format_binary_bytes(double bytes, int digits) {
  std::vector<Prefix> scales(kBinary.begin(), kBinary.end());
  scales.push_back(Prefix{});
  return format_with(bytes, "B", scales, digits);
}

}  // namespace rooftrace
