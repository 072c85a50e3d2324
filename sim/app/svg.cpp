#include "sim/app/svg.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "sim/app/report_hdf5_file.hpp"
#include "sim/app/table.hpp"
#include "sim/core/units.hpp"

namespace rooftrace::svg {
namespace {

using Ticks = std::vector<std::pair<double, std::string>>;

constexpr double kRoom = 0.04;  ///< Of the length, at each end.

std::string tick_text(double value, Numbers numbers) {
  if (numbers == Numbers::bytes) return format_binary_bytes(value, 3);
  if (value >= 1e4 || value < 1e-3) {  // "20 k", "5 M"
    for (const auto& [factor, prefix] : {std::pair{1e12, " T"}, {1e9, " G"}, {1e6, " M"}, {1e3, " k"}}) {
      if (value >= factor * 0.999) return fmt::format("{:.3g}{}", value / factor, prefix);
    }
  }
  return fmt::format("{:.6g}", value);
}

/// All round values of one density between low and high.
Ticks candidates(double low, double high, Numbers numbers, int density) {
  Ticks ticks;
  const auto add = [&](double value) {
    if (value >= low && value <= high) ticks.emplace_back(value, tick_text(value, numbers));
  };
  if (numbers == Numbers::bytes) {
    const int every = density == 0 ? 1 : 1 << (density - 1);
    for (int power = 0; power < 60; power += every) add(std::exp2(power));
    return ticks;
  }
  for (int decade = -12; decade <= 18; ++decade) {
    const double ten = std::pow(10.0, decade);
    if (density == 0) {
      for (const double mantissa : {1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0}) add(mantissa * ten);
    } else if (density == 1) {
      for (const double mantissa : {1.0, 1.5, 2.0, 3.0, 5.0, 7.0}) add(mantissa * ten);
    } else if (density == 2) {
      for (const double mantissa : {1.0, 2.0, 5.0}) add(mantissa * ten);
    } else if (decade % (density - 2) == 0) {
      add(ten);
    }
  }
  return ticks;
}

}  // namespace

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : h5::valid_utf8(text)) {
    const bool control = static_cast<unsigned char>(c) < 0x20;
    out += c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '&' ? "&amp;" : c == '"' ? "&quot;" : std::string(1, control ? '?' : c);
  }
  return out;
}

std::string words(double x, double y, const std::string& anchor, const std::string& text) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n", x, y, anchor, escaped(text));
}

Axis Axis::logarithmic(const std::vector<double>& values, double from, double to, Numbers numbers) {
  double low = std::numeric_limits<double>::infinity(), high = 0;
  for (const double value : values) {
    if (!(value > 0) || !std::isfinite(value)) continue;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  if (!(low <= high)) low = high = 1;
  constexpr double kLeast = 2;  // A factor of less than two would print the same numbers again and again.
  if (high / low < kLeast) {
    const double middle = std::sqrt(low) * std::sqrt(high);
    low = middle / std::sqrt(kLeast);
    high = middle * std::sqrt(kLeast);
  }
  const double room = std::pow(high / low, kRoom);
  Axis axis;
  axis.low_ = low / room;
  axis.high_ = high * room;
  axis.from_ = from;
  axis.to_ = to;
  axis.log_ = true;
  axis.numbers_ = numbers;
  return axis;
}

Axis Axis::shares(double from, double to) {
  Axis axis;
  axis.from_ = from;
  axis.to_ = to;
  return axis;
}

double Axis::at(double value) const {
  const double share = log_ ? std::log(value / low_) / std::log(high_ / low_) : (value - low_) / (high_ - low_);
  return from_ + share * (to_ - from_);
}

Ticks Axis::ticks(double apart) const {
  if (!log_) {
    Ticks ticks;
    for (const double share : {0.0, 0.2, 0.4, 0.6, 0.8, 1.0}) ticks.emplace_back(share, fmt::format("{:.1f}", share));
    return ticks;
  }
  Ticks ticks;
  for (int density = 0; density < 8; ++density) {
    ticks = candidates(low_, high_, numbers_, density);
    bool fits = true;
    for (std::size_t i = 1; i < ticks.size(); ++i) {
      fits = fits && std::abs(at(ticks[i].first) - at(ticks[i - 1].first)) >= apart;
    }
    if (fits) break;
  }
  return ticks;
}

}  // namespace rooftrace::svg
