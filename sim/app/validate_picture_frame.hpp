// The page that both sorts of pictures draw on: panels two in a row, their axes, and a legend on the right.
#pragma once

#include <string>
#include <vector>

#include "sim/app/svg.hpp"

namespace rooftrace {

/// Colour and shape of the i-th series; they repeat after 40.
[[nodiscard]] std::string series_colour(std::size_t series);
/// A mark of the i-th series; `hollow`: only its outline. `title` is what a browser shows beside the pointer.
[[nodiscard]] std::string series_mark(std::size_t series, double x, double y, bool hollow, const std::string& title);

/// "time_us" -> "time (us)"; a name without a unit stays as it is.
[[nodiscard]] std::string quantity_label(const std::string& quantity);

/// A panel's plot area.
struct PanelPlace {
  double left, top, right, bottom;
};

class PicturePage {
 public:
  PicturePage(std::string title, std::string subtitle, std::size_t panels);
  [[nodiscard]] PanelPlace place(std::size_t panel) const;
  /// Axes, ticks and labels of a panel; what is drawn until end_panel stays inside the plot area.
  void begin_panel(std::size_t panel, const svg::Axis& x, const svg::Axis& y, const std::string& x_label, const std::string& y_label);
  void draw(const std::string& element) { body_ += element; }
  void end_panel() { body_ += "</g>\n"; }
  /// A line of the legend; `mark` is drawn around its middle at the given place.
  [[nodiscard]] std::pair<double, double> next_legend_mark() const;
  void legend(const std::string& mark, const std::string& text);
  [[nodiscard]] std::string text() const;

 private:
  [[nodiscard]] double legend_left() const;
  std::string title_, subtitle_, body_;
  std::size_t panels_, legend_lines_ = 0, legend_characters_ = 0;
};

}  // namespace rooftrace
