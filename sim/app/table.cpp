// Layout of the tables of table.hpp.
//
// Not modeled: wrapping, multi-byte characters.
#include "sim/app/table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>

namespace rooftrace {
namespace {

constexpr std::size_t kGap = 2;

std::string trimmed(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

/// Digits after the point that leave `digits` significant ones for a value whose first digit stands at 10^exponent.
int decimals(double value, int digits) {
  const int exponent = value == 0 ? 0 : static_cast<int>(std::floor(std::log10(std::abs(value))));
  return std::max(0, digits - 1 - exponent);
}

/// Rounded to `digits` significant digits, so that 999.96 counts as 1000 before a prefix is chosen.
double rounded(double value, int digits) {
  const double scale = std::pow(10.0, digits - 1 - static_cast<int>(std::floor(std::log10(std::abs(value)))));
  return std::round(value * scale) / scale;
}

}  // namespace

void Table::row(std::vector<std::string> cells) {
  if (cells.size() != columns_.size()) throw std::logic_error("Table: a row needs one cell per column");
  rows_.push_back(std::move(cells));
}

void Table::rule() {
  rows_.emplace_back();
}

std::string Table::text(std::string_view indent) const {
  std::vector<std::size_t> width(columns_.size());
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    width[c] = columns_[c].title.size();
    for (const auto& row : rows_) {
      if (!row.empty()) width[c] = std::max(width[c], row[c].size());
    }
  }
  // Neighbours of one group share a header above them; a header wider than its columns widens the last of them.
  std::string groups;
  bool any_group = false;
  for (std::size_t c = 0; c < columns_.size();) {
    std::size_t end = c + 1;
    std::size_t span = width[c];
    while (end < columns_.size() && !columns_[c].group.empty() && columns_[end].group == columns_[c].group) span += kGap + width[end++];
    const std::string& group = columns_[c].group;
    if (group.size() > span) {
      width[end - 1] += group.size() - span;
      span = group.size();
    }
    std::string header = group;
    if (!group.empty() && span >= group.size() + 4) {  // room for "-- group --"
      const std::size_t left = (span - group.size() - 2) / 2;
      header = std::string(left, '-') + " " + group + " " + std::string(span - group.size() - 2 - left, '-');
    }
    groups += (c == 0 ? "" : std::string(kGap, ' ')) + fmt::format("{:<{}}", header, span);
    any_group = any_group || !group.empty();
    c = end;
  }

  std::string out;
  const auto line = [&](const auto& cell_of) {
    std::string text;
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      text += c == 0 ? fmt::format("{:<{}}", cell_of(c), width[c]) : std::string(kGap, ' ') + fmt::format("{:>{}}", cell_of(c), width[c]);
    }
    out += std::string(indent) + trimmed(text) + "\n";
  };
  if (any_group) out += std::string(indent) + trimmed(groups) + "\n";
  line([&](std::size_t c) { return columns_[c].title; });
  std::size_t full = kGap * (columns_.size() - 1);
  for (std::size_t w : width) full += w;
  for (const auto& row : rows_) {
    if (row.empty()) {
      out += std::string(indent) + std::string(full, '-') + "\n";
    } else {
      line([&](std::size_t c) { return row[c]; });
    }
  }
  return out;
}

std::string si(double value, std::string_view unit, int digits) {
  if (value == 0 || !std::isfinite(value)) return "-";
  constexpr std::array<std::string_view, 11> prefixes = {"p", "n", "u", "m", "", "k", "M", "G", "T", "P", "E"};
  constexpr int one = 4;  // index of the empty prefix
  const double shown = rounded(value, digits);
  int step = static_cast<int>(std::floor(std::log10(std::abs(shown)) / 3 + 1e-12));
  step = std::clamp(step, -one, static_cast<int>(prefixes.size()) - 1 - one);
  const double scaled = shown / std::pow(1000.0, step);
  return fmt::format("{:.{}f} {}{}", scaled, decimals(scaled, digits), prefixes[static_cast<std::size_t>(step + one)], unit);
}

std::string si_whole(std::uint64_t value, std::string_view unit, int digits) {
  if (value != 0 && value < 1000) return fmt::format("{} {}", value, unit);
  return si(static_cast<double>(value), unit, digits);
}

std::string number(double value, int digits) {
  if (!std::isfinite(value)) return "-";
  if (value == 0) return "0";
  const double shown = rounded(value, digits);
  if (std::abs(shown) >= 1e6 || std::abs(shown) < 1e-3) return fmt::format("{:.{}e}", value, digits - 1);
  return fmt::format("{:.{}f}", shown, decimals(shown, digits));
}

std::string percent(double share) {
  return fmt::format("{:.1f} %", share * 100);
}

}  // namespace rooftrace
