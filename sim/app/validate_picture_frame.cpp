#include "sim/app/validate_picture_frame.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace rooftrace {
namespace {

constexpr double kCellWidth = 440, kCellHeight = 410, kLeft = 84, kRight = 16, kTop = 16, kBottom = 62;
constexpr double kHeader = 62, kLegendLine = 20, kLegendMark = 34, kCharacter = 7;  // Of 13 px sans-serif, widest usual.
// Okabe and Ito's palette: told apart by the colour-blind, too.
constexpr std::array kColours = {"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#7a5c00", "#444444"};
constexpr std::size_t kShapes = 5;

std::size_t columns_of(std::size_t panels) {
  return std::min<std::size_t>(panels, 2);
}

}  // namespace

std::string series_colour(std::size_t series) {
  return kColours[series % kColours.size()];
}

std::string series_mark(std::size_t series, double x, double y, bool hollow, const std::string& title) {
  const std::string colour = series_colour(series);
  const std::string paint = hollow ? fmt::format("fill=\"none\" stroke=\"{}\"", colour) : fmt::format("fill=\"{}\"", colour);
  const std::string say = title.empty() ? "" : "<title>" + svg::escaped(title) + "</title>";
  switch (series / kColours.size() % kShapes) {
    case 0:
      return fmt::format("<circle class=\"mark\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3.5\" {}>{}</circle>\n", x, y, paint, say);
    case 1:
      return fmt::format("<rect class=\"mark\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"7\" height=\"7\" {}>{}</rect>\n", x - 3.5, y - 3.5, paint,
                         say);
    case 2:
      return fmt::format("<path class=\"mark\" d=\"M{:.1f} {:.1f}l4.5 8h-9z\" {}>{}</path>\n", x, y - 5, paint, say);
    case 3:
      return fmt::format("<path class=\"mark\" d=\"M{:.1f} {:.1f}l-4.5 -8h9z\" {}>{}</path>\n", x, y + 5, paint, say);
    default:
      return fmt::format("<path class=\"mark\" d=\"M{:.1f} {:.1f}l5 5l-5 5l-5 -5z\" {}>{}</path>\n", x, y - 5, paint, say);
  }
}

std::string quantity_label(const std::string& quantity) {
  constexpr std::array<std::pair<const char*, const char*>, 7> kUnits = {
      {{"_GBps", "GB/s"}, {"_us", "us"}, {"_ms", "ms"}, {"_bytes", "B"}, {"_cycles", "cycles"}, {"_rate", "share"}, {"_per_s", "1/s"}}};
  std::string name = quantity, unit;
  for (const auto& [suffix, written] : kUnits) {
    if (!quantity.ends_with(suffix)) continue;
    name = quantity.substr(0, quantity.size() - std::string(suffix).size());
    unit = fmt::format(" ({})", written);
    if (std::string(suffix) == "_rate") name += " rate";
  }
  std::replace(name.begin(), name.end(), '_', ' ');
  for (const auto& [word, written] : {std::pair<std::string, const char*>{"l2 ", "L2 "}, {"hbm ", "HBM "}}) {
    if (name.starts_with(word)) name.replace(0, word.size(), written);
  }
  return name + unit;
}

PicturePage::PicturePage(std::string title, std::string subtitle, std::size_t panels)
    : title_(std::move(title)), subtitle_(std::move(subtitle)), panels_(panels) {}

PanelPlace PicturePage::place(std::size_t panel) const {
  const double x = kCellWidth * static_cast<double>(panel % 2), y = kHeader + kCellHeight * static_cast<double>(panel / 2);
  return {x + kLeft, y + kTop, x + kCellWidth - kRight, y + kCellHeight - kBottom};
}

void PicturePage::begin_panel(std::size_t panel, const svg::Axis& x, const svg::Axis& y, const std::string& x_label,
                              const std::string& y_label) {
  const PanelPlace p = place(panel);
  constexpr double kAcross = 62, kDown = 20;  // A label of eight characters and its gap; a line.
  for (const auto& [value, label] : x.ticks(kAcross)) {
    const double at = x.at(value);
    body_ += fmt::format("<line class=\"grid\" x1=\"{0:.1f}\" y1=\"{1:.1f}\" x2=\"{0:.1f}\" y2=\"{2:.1f}\"/>\n", at, p.top, p.bottom);
    body_ += svg::words(at, p.bottom + 18, "middle", label);
  }
  for (const auto& [value, label] : y.ticks(kDown)) {
    const double at = y.at(value);
    body_ += fmt::format("<line class=\"grid\" x1=\"{0:.1f}\" y1=\"{2:.1f}\" x2=\"{1:.1f}\" y2=\"{2:.1f}\"/>\n", p.left, p.right, at);
    body_ += svg::words(p.left - 8, at + 4, "end", label);
  }
  body_ += fmt::format("<rect class=\"frame\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\"/>\n", p.left, p.top,
                       p.right - p.left, p.bottom - p.top);
  body_ += svg::words((p.left + p.right) / 2, p.bottom + 42, "middle", x_label);
  body_ += fmt::format("<text transform=\"translate({:.1f} {:.1f}) rotate(-90)\" text-anchor=\"middle\">{}</text>\n", p.left - kLeft + 18,
                       (p.top + p.bottom) / 2, svg::escaped(y_label));
  body_ += fmt::format(
      "<clipPath id=\"panel{}\"><rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\"/></clipPath>\n"
      "<g clip-path=\"url(#panel{})\">\n",
      panel, p.left, p.top, p.right - p.left, p.bottom - p.top, panel);
}

double PicturePage::legend_left() const {
  return kCellWidth * static_cast<double>(columns_of(panels_)) + 8;
}

std::pair<double, double> PicturePage::next_legend_mark() const {
  return {legend_left() + kLegendMark / 2, kHeader + kTop + 8 + kLegendLine * static_cast<double>(legend_lines_)};
}

void PicturePage::legend(const std::string& mark, const std::string& text) {
  const auto [x, y] = next_legend_mark();
  body_ += mark + svg::words(x + kLegendMark / 2 + 6, y + 4, "start", text);
  ++legend_lines_;
  legend_characters_ = std::max(legend_characters_, text.size());
}

std::string PicturePage::text() const {
  const double rows = static_cast<double>((panels_ + 1) / 2);
  const double height = kHeader + std::max(kCellHeight * rows, kTop + kBottom + kLegendLine * static_cast<double>(legend_lines_));
  const double width = std::max(legend_left() + kLegendMark + 28 + kCharacter * static_cast<double>(legend_characters_),
                                40 + kCharacter * static_cast<double>(std::max(subtitle_.size(), title_.size() * 5 / 4)));
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:.0f}\" height=\"{1:.0f}\" viewBox=\"0 0 {0:.0f} {1:.0f}\">\n"
      "<style>text{{font:13px sans-serif;fill:#222}}.title{{font-size:16px}}.grid{{stroke:#e4e4e4}}.frame{{fill:none;stroke:#888}}"
      ".mark{{fill-opacity:.65}}.equal{{stroke:#222}}.near{{stroke:#666;stroke-dasharray:6 4}}.far{{stroke:#888;stroke-dasharray:2 4}}"
      ".line{{fill:none;stroke-width:2}}</style>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
      width, height);
  out += fmt::format("<text class=\"title\" x=\"20\" y=\"28\" text-anchor=\"start\">{}</text>\n", svg::escaped(title_));
  return out + svg::words(20, 50, "start", subtitle_) + body_ + "</svg>\n";
}

}  // namespace rooftrace
