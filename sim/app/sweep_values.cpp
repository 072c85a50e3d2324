#include "sim/app/sweep_values.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <numeric>
#include <stdexcept>

#include "sim/app/sweep_spec.hpp"
#include "sim/core/error.hpp"

namespace rooftrace {
namespace {

constexpr std::int64_t kMostSteps = 100'000;

struct Unit {
  Dimension dimension;
  const char* udunits;
  const char* written;
};
constexpr std::array kUnits = {
    Unit{Dimension::bytes, "byte", "B"}, Unit{Dimension::bytes_per_second, "byte s-1", "B/s"}, Unit{Dimension::hertz, "Hz", "Hz"},
    Unit{Dimension::seconds, "s", "s"},  Unit{Dimension::flop_per_second, "s-1", "FLOP/s"},    Unit{Dimension::watts, "W", "W"}};

struct Range {
  double from = 0, to = 0;
  bool geometric = false, log2 = false, whole = false;
  double multiple = 0;
  std::string unit;       ///< As written: " TB/s", or "".
  std::string base_unit;  ///< " B/s" or "".
  double scale = 1;       ///< One `unit` in base units.

  [[nodiscard]] double at(double share) const { return geometric || log2 ? from * std::pow(to / from, share) : from + (to - from) * share; }
  [[nodiscard]] std::string text(double value) const {
    if (multiple > 0) value = std::max(1.0, std::round(value / multiple)) * multiple;
    if (whole) value = std::round(value);
    std::string written = fmt::format("{:.9g}{}", value / scale, unit);
    double back = 0;
    std::string units;
    // Nine digits of a MiB may be no whole number of bytes.
    if (!whole || (read_number(written, back, units) && back == value)) return written;
    return fmt::format("{:.0f}{}", value, base_unit);
  }
};

Range read_range(const ConfigNode& node) {
  Range range;
  std::string units, other;
  const ConfigNode from = node["from"], to = node["to"];
  if (!read_number(from.string(), range.from, units)) from.fail(quoted_word(from.string()) + " is neither a number nor a quantity");
  if (!read_number(to.string(), range.to, other)) to.fail(quoted_word(to.string()) + " is neither a number nor a quantity");
  if (units != other) to.fail(fmt::format("{} and {} are not of one kind", quoted_word(from.string()), quoted_word(to.string())));
  const auto scale = node.find("scale");
  const std::size_t kind = scale ? scale->one_of({"linear", "log2", "geometric"}) : 0;
  range.log2 = kind == 1;
  range.geometric = kind == 2;
  if (kind != 0 && (range.from <= 0 || range.to <= 0)) from.fail("a log2 or geometric range has ends above 0");
  if (range.log2 && range.to < range.from) to.fail("is below `from`");
  const auto is_whole = [](double value) { return value == std::floor(value); };
  // Whole ends mean whole numbers, unless there are fewer of them than values: 0 to 1 in five steps are shares.
  const auto steps = node.find("steps");
  const double fewest = range.log2 ? 0 : steps ? static_cast<double>(steps->integer(1, kMostSteps)) - 1 : 2;
  const bool plain = units.empty() && is_whole(range.from) && is_whole(range.to) && std::abs(range.to - range.from) >= fewest;
  range.whole = units == "byte" || plain;
  for (const Unit& unit : kUnits) {
    if (units == unit.udunits) range.base_unit = std::string(" ") + unit.written;
  }
  // The user's own unit, of `from`; a number without space before it ("2TB/s") has one as well.
  const std::string word = from.string();
  const std::size_t letter = units.empty() ? std::string::npos : word.find_first_not_of("+-.0123456789 ");
  if (letter != std::string::npos) {
    range.unit = " " + word.substr(letter);
    if (!read_number("1" + range.unit, range.scale, other) || other != units) {
      range.unit = range.base_unit;
      range.scale = 1;
    }
  }
  if (const auto multiple = node.find("multiple_of")) {
    if (!read_number(multiple->string(), range.multiple, other) || other != units || range.multiple <= 0) {
      multiple->fail(quoted_word(multiple->string()) + " is not above 0 and of the kind of `from`");
    }
  }
  return range;
}

}  // namespace

bool read_number(const std::string& text, double& value, std::string& units) {
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error == std::errc() && stop == end) {
    units.clear();
    return std::isfinite(value);
  }
  for (const Unit& unit : kUnits) {
    try {
      value = parse_quantity(text, unit.dimension);
      units = unit.udunits;
      return true;
    } catch (const std::invalid_argument&) {  // Not of this dimension.
    }
  }
  return false;
}

std::vector<std::string> range_values(const ConfigNode& node) {
  const Range range = read_range(node);
  std::vector<std::string> values;
  const auto add = [&](double value) {  // Rounding may make neighbours equal.
    std::string text = range.text(value);
    if (values.empty() || values.back() != text) values.push_back(std::move(text));
  };
  const auto steps = node.find("steps");
  if (range.log2) {
    if (steps) steps->fail("does not go with scale log2, which doubles; use geometric");
    for (double value = range.from; value <= range.to; value *= 2) add(value);
    return values;
  }
  const std::int64_t count = node["steps"].integer(1, kMostSteps);
  for (std::int64_t i = 0; i < count; ++i) {
    const bool last = i + 1 == count && count > 1;
    add(last ? range.to : range.at(count == 1 ? 0 : static_cast<double>(i) / static_cast<double>(count - 1)));
  }
  return values;
}

SweepLabels sampled_range(const ConfigNode& node, const std::vector<double>& shares) {
  const Range range = read_range(node);
  if (node.find("steps")) node["steps"].fail("has no effect in a sample");
  SweepLabels values;
  values.reserve(shares.size());
  for (const double share : shares) values.push_back(range.text(range.at(share)));
  return values;
}

SweepLabels sampled_list(const SweepLabels& labels, const std::vector<double>& shares) {
  SweepLabels values;
  values.reserve(shares.size());
  for (const double share : shares) values.push_back(labels[static_cast<std::size_t>(share * static_cast<double>(labels.size()))]);
  return values;
}

SweepSample::SweepSample(const ConfigNode& node) : random_(0) {
  hypercube_ = node["kind"].one_of({"random", "latin_hypercube"}) == 1;
  points_ = static_cast<std::size_t>(node["points"].integer(1, 1'000'000));
  const auto seed = node.find("seed");
  random_ = SplitMix(seed ? static_cast<std::uint64_t>(seed->integer(0, INT64_MAX)) : 1);
}

std::vector<double> SweepSample::next_axis() {
  std::vector<std::size_t> part(points_);
  std::iota(part.begin(), part.end(), std::size_t{0});
  if (hypercube_) shuffle(part, random_);
  std::vector<double> shares(points_);
  for (std::size_t i = 0; i < points_; ++i) {
    const double inside = static_cast<double>(random_.next() >> 11) * 0x1p-53;
    shares[i] = hypercube_ ? (static_cast<double>(part[i]) + inside) / static_cast<double>(points_) : inside;
    if (shares[i] >= 1) shares[i] = std::nextafter(1.0, 0.0);  // Rounded up in the last part.
  }
  return shares;
}

}  // namespace rooftrace
