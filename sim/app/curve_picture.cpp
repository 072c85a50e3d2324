// The picture of curve_report.hpp: plain SVG, one panel per stage.
//
// Promises: every text from outside is escaped; the same report gives the same bytes. The line is drawn through the rows of the text and
// 16 more capacities per octave, all exact.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "sim/app/curve_report.hpp"
#include "sim/app/svg.hpp"
#include "sim/app/table.hpp"
#include "sim/core/units.hpp"

namespace rooftrace {
namespace {

using svg::escaped;
using svg::words;

constexpr double kWidth = 860, kPanel = 360, kLeft = 90, kRight = 30, kTop = 50, kBottom = 50;
constexpr int kPerOctave = 16;
constexpr double kHeadroom = 1.15;  ///< Room above and below the curve, as a factor.

/// Capacity and bytes to places on the page, both logarithmic.
class Axes {
 public:
  Axes(const CurveReport& report, double top) : top_(top) {
    low_x_ = std::log2(static_cast<double>(report.capacities.front()));
    high_x_ = std::max(std::log2(static_cast<double>(report.capacities.back())), low_x_ + 1);
    double least = static_cast<double>(std::max<std::uint64_t>(report.curve.at(report.capacities.back()).total(), 1));
    double most = static_cast<double>(std::max<std::uint64_t>(report.curve.at(report.capacities.front()).total(), 1));
    for (const TruthPoint& point : report.truth) {
      least = std::min(least, static_cast<double>(std::max<std::uint64_t>(point.bytes.total(), 1)));
      most = std::max(most, static_cast<double>(point.bytes.total()));
    }
    low_y_ = std::log(least / kHeadroom);
    high_y_ = std::log(most * kHeadroom);
  }
  [[nodiscard]] double x(std::uint64_t capacity) const {
    return kLeft + (std::log2(static_cast<double>(capacity)) - low_x_) / (high_x_ - low_x_) * (kWidth - kLeft - kRight);
  }
  [[nodiscard]] double y(std::uint64_t bytes) const {
    const double share = (std::log(static_cast<double>(std::max<std::uint64_t>(bytes, 1))) - low_y_) / (high_y_ - low_y_);
    return top_ + kPanel - kBottom - share * (kPanel - kTop - kBottom);
  }
  [[nodiscard]] bool holds(std::uint64_t capacity) const {
    const double at = std::log2(static_cast<double>(capacity));
    return at >= low_x_ && at <= high_x_;
  }
  [[nodiscard]] double low_bytes() const { return std::exp(low_y_); }
  [[nodiscard]] double high_bytes() const { return std::exp(high_y_); }
  [[nodiscard]] double bottom() const { return top_ + kPanel - kBottom; }
  [[nodiscard]] double ceiling() const { return top_ + kTop; }

 private:
  double top_, low_x_, high_x_, low_y_, high_y_;
};

std::string grid(const CurveReport& report, const Axes& axes) {
  std::string out;
  const std::uint64_t first = std::uint64_t{1} << static_cast<int>(std::ceil(std::log2(static_cast<double>(report.capacities.front()))));
  for (std::uint64_t capacity = first; axes.holds(capacity); capacity *= 4) {
    const double x = axes.x(capacity);
    out += fmt::format("<line class=\"grid\" x1=\"{0:.1f}\" y1=\"{1:.1f}\" x2=\"{0:.1f}\" y2=\"{2:.1f}\"/>\n", x, axes.ceiling(),
                       axes.bottom());
    out += words(x, axes.bottom() + 16, "middle", format_binary_bytes(static_cast<double>(capacity), 3));
  }
  constexpr int kLines = 4;
  for (int i = 0; i <= kLines; ++i) {
    const double bytes = axes.low_bytes() * std::pow(axes.high_bytes() / axes.low_bytes(), double(i) / kLines);
    const double y = axes.y(static_cast<std::uint64_t>(bytes));
    out += fmt::format("<line class=\"grid\" x1=\"{0:.1f}\" y1=\"{2:.1f}\" x2=\"{1:.1f}\" y2=\"{2:.1f}\"/>\n", kLeft, kWidth - kRight, y);
    out += words(kLeft - 8, y + 4, "end", si(bytes, "B", 3));
  }
  return out;
}

std::string panel(const CurveReport& report, double top) {
  const Axes axes(report, top);
  std::vector<std::uint64_t> capacities = report.capacities;
  const double steps = std::log2(static_cast<double>(capacities.back()) / static_cast<double>(capacities.front())) * kPerOctave;
  for (int i = 1; i < static_cast<int>(steps); ++i) {
    const double at = static_cast<double>(report.capacities.front()) * std::exp2(double(i) / kPerOctave);
    capacities.push_back(report.curve.exact_capacity(static_cast<std::uint64_t>(at)));
  }
  std::sort(capacities.begin(), capacities.end());

  std::string out = words(kLeft, top + 28, "start", fmt::format("{}: Q at HBM over L2 capacity", name(report.stage.stage)));
  out += grid(report, axes);
  out += "<polyline class=\"curve\" points=\"";
  for (const std::uint64_t capacity : capacities)
    out += fmt::format("{:.1f},{:.1f} ", axes.x(capacity), axes.y(report.curve.at(capacity).total()));
  out += "\"/>\n";
  for (const Knee& knee : report.knees) {
    if (!axes.holds(knee.capacity)) continue;
    out += fmt::format("<circle class=\"knee\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4\"><title>{}</title></circle>\n", axes.x(knee.capacity),
                       axes.y(report.curve.at(knee.capacity).total()),
                       escaped(format_binary_bytes(static_cast<double>(knee.capacity), 4) + " " + describe(knee)));
  }
  for (const TruthPoint& point : report.truth) {
    if (!axes.holds(point.capacity)) continue;
    out += fmt::format("<rect class=\"truth\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"8\" height=\"8\"/>\n", axes.x(point.capacity) - 4,
                       axes.y(point.bytes.total()) - 4);
  }
  return out;
}

}  // namespace

std::string curve_svg(const CurveHeader& header, const std::vector<CurveReport>& reports) {
  const double height = kTop + kPanel * static_cast<double>(reports.size());
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:.0f}\" height=\"{1:.0f}\" viewBox=\"0 0 {0:.0f} {1:.0f}\">\n"
      "<style>text{{font:13px sans-serif;fill:#222}}.grid{{stroke:#ddd}}.curve{{fill:none;stroke:#1f5fa8;stroke-width:2}}"
      ".knee{{fill:#c0392b}}.truth{{fill:none;stroke:#222;stroke-width:1.5}}</style>\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
      kWidth, height);
  out += words(kLeft, 24, "start", header.scenario->model.name + " on " + header.scenario->machine.name);
  out += words(kLeft, 42, "start", "line: fully associative LRU; dots: knees; squares: the machine's own sets");
  double top = kTop;
  for (const CurveReport& report : reports) {
    out += panel(report, top);
    top += kPanel;
  }
  return out + "</svg>\n";
}

}  // namespace rooftrace
