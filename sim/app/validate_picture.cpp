#include "sim/app/validate_picture.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "sim/app/validate_picture_frame.hpp"

namespace rooftrace {
namespace {

using Rows = std::vector<const ScoredRow*>;
/// Rows by the text in the legend and by panel; sorted, so that colours do not depend on the order of rows.
using ByName = std::map<std::string, Rows>;

constexpr std::size_t kMostPanels = 12, kMostLegend = 60;  ///< Of one picture: a suite may name anything it likes.

std::string counts_text(const Rows& all) {
  std::size_t ok = 0, flagged = 0, skipped = 0;
  for (const ScoredRow* row : all) {
    ok += row->status == RowStatus::ok ? 1 : 0;
    flagged += row->status == RowStatus::flagged ? 1 : 0;
    skipped += row->status == RowStatus::skipped ? 1 : 0;
  }
  return fmt::format("{} rows: {} scored, {} flagged (hollow), {} skipped (not drawn)", all.size(), ok, flagged, skipped);
}

std::string tip(const ScoredRow& row) {
  return fmt::format("{}: measured {:.4g}, simulated {:.4g} ({:+.1f} {})", row.id, row.measured, row.prediction.simulated, row.error * 100,
                     row.prediction.points ? "points" : "%");
}

/// "20 points; median 3.1 %": what is drawn, and the score of what counts.
std::string legend_text(const std::string& name, const Rows& rows) {
  std::vector<double> errors;
  for (const ScoredRow* row : rows) {
    if (row->status == RowStatus::ok) errors.push_back(row->error);
  }
  const ErrorScore score = error_score(errors);
  const std::string median =
      errors.empty() ? "not scored" : fmt::format("median {:.1f} {}", score.median * 100, rows.front()->prediction.points ? "points" : "%");
  return fmt::format("{}: {} row{}, {}", name, rows.size(), rows.size() == 1 ? "" : "s", median);
}

template <typename Key>
ByName grouped(const Rows& rows, std::size_t most, const Key& key) {
  ByName names;
  for (const ScoredRow* row : rows) names[key(*row)].push_back(row);
  while (names.size() > most) {  // The last ones share a name.
    const auto last = std::prev(names.end());
    auto& before = std::prev(last)->second;
    before.insert(before.end(), last->second.begin(), last->second.end());
    names.erase(last);
  }
  return names;
}

std::map<const ScoredRow*, std::size_t> places(const ByName& names) {
  std::map<const ScoredRow*, std::size_t> place;
  std::size_t number = 0;
  for (const auto& [name, rows] : names) {
    for (const ScoredRow* row : rows) place[row] = number;
    ++number;
  }
  return place;
}

/// y = factor x, or y = x + offset, across the panel.
std::string band(const char* kind, const svg::Axis& x, const svg::Axis& y, double factor, double offset) {
  return fmt::format("<line class=\"{}\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>\n", kind, x.at(x.low()),
                     y.at(x.low() * factor + offset), x.at(x.high()), y.at(x.high() * factor + offset));
}

svg::Numbers numbers_of(const std::string& quantity) {
  return quantity.ends_with("_bytes") ? svg::Numbers::bytes : svg::Numbers::plain;
}

void scatter_panel(PicturePage& page, std::size_t panel, const std::string& quantity, const Rows& rows,
                   const std::map<const ScoredRow*, std::size_t>& series) {
  const PanelPlace place = page.place(panel);
  const bool points = rows.front()->prediction.points;
  std::vector<double> values;
  for (const ScoredRow* row : rows) values.insert(values.end(), {row->measured, row->prediction.simulated});
  const auto axis = [&](double from, double to) {
    return points ? svg::Axis::shares(from, to) : svg::Axis::logarithmic(values, from, to, numbers_of(quantity));
  };
  const svg::Axis x = axis(place.left, place.right), y = axis(place.bottom, place.top);
  page.begin_panel(panel, x, y, "measured " + quantity_label(quantity), "simulated " + quantity_label(quantity));
  for (const double sign : {-1.0, 1.0}) {
    page.draw(band("far", x, y, points ? 1 : 1 + sign * 0.25, points ? sign * 0.10 : 0));
    page.draw(band("near", x, y, points ? 1 : 1 + sign * 0.10, points ? sign * 0.05 : 0));
  }
  page.draw(band("equal", x, y, 1, 0));
  for (const ScoredRow* row : rows) {
    page.draw(
        series_mark(series.at(row), x.at(row->measured), y.at(row->prediction.simulated), row->status == RowStatus::flagged, tip(*row)));
  }
  page.end_panel();
}

/// A short line in the legend.
std::string legend_line(const PicturePage& page, const char* kind) {
  const auto [x, y] = page.next_legend_mark();
  return fmt::format("<line class=\"{}\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>\n", kind, x - 16, y, x + 16, y);
}

std::string scatter(const std::string& kind, const Rows& all, const Rows& drawn) {
  const ByName quantities = grouped(drawn, kMostPanels, [](const ScoredRow& row) { return row.quantity; });
  const ByName groups = grouped(drawn, kMostLegend, [](const ScoredRow& row) { return row.prediction.group + ", " + row.hardware; });
  const auto series = places(groups);
  PicturePage page(kind + ": simulated against measured", counts_text(all), quantities.size());
  std::size_t panel = 0;
  bool shares = false, ratios = false;
  for (const auto& [quantity, rows] : quantities) {
    scatter_panel(page, panel++, quantity, rows, series);
    (rows.front()->prediction.points ? shares : ratios) = true;
  }
  std::size_t number = 0;
  for (const auto& [name, rows] : groups) {
    const auto [x, y] = page.next_legend_mark();
    page.legend(series_mark(number++, x, y, false, ""), legend_text(name, rows));
  }
  const std::string near = ratios ? shares ? "10 % (shares: 0.05)" : "10 %" : "0.05",
                    far = ratios ? shares ? "25 % (shares: 0.10)" : "25 %" : "0.10";
  page.legend(legend_line(page, "equal"), "simulated = measured");
  page.legend(legend_line(page, "near"), "off by " + near);
  page.legend(legend_line(page, "far"), "off by " + far);
  return page.text();
}

void curve_panel(PicturePage& page, std::size_t panel, const CurveShape& shape, const std::string& quantity, const Rows& rows,
                 const ByName& curves) {
  const PanelPlace place = page.place(panel);
  std::vector<double> bytes, values;
  for (const ScoredRow* row : rows) {
    bytes.push_back(row->curve.bytes);
    values.insert(values.end(), {row->measured, row->prediction.simulated});
  }
  const svg::Axis x = svg::Axis::logarithmic(bytes, place.left, place.right, svg::Numbers::bytes);
  const svg::Axis y = svg::Axis::logarithmic(values, place.bottom, place.top, numbers_of(quantity));
  page.begin_panel(panel, x, y, shape.label, quantity_label(quantity));
  std::size_t number = 0;
  for (const auto& [name, members] : curves) {
    Rows here;
    std::copy_if(members.begin(), members.end(), std::back_inserter(here), [&](const ScoredRow* r) { return r->quantity == quantity; });
    std::stable_sort(here.begin(), here.end(), [](const ScoredRow* a, const ScoredRow* b) { return a->curve.bytes < b->curve.bytes; });
    std::string line;
    for (const ScoredRow* row : here) line += fmt::format("{:.1f},{:.1f} ", x.at(row->curve.bytes), y.at(row->prediction.simulated));
    if (here.size() > 1) page.draw(fmt::format("<polyline class=\"line\" stroke=\"{}\" points=\"{}\"/>\n", series_colour(number), line));
    for (const ScoredRow* row : here) {
      page.draw(series_mark(number, x.at(row->curve.bytes), y.at(row->measured), row->status == RowStatus::flagged, tip(*row)));
    }
    ++number;
  }
  page.end_panel();
}

std::string curves(const CurveShape& shape, const Rows& all, const Rows& drawn) {
  const ByName quantities = grouped(drawn, kMostPanels, [](const ScoredRow& row) { return row.quantity; });
  const ByName names = grouped(
      drawn, kMostLegend, [](const ScoredRow& row) { return row.hardware + (row.curve.series.empty() ? "" : ", " + row.curve.series); });
  PicturePage page(fmt::format("{}: curves over the {}", shape.kind, shape.label), "marks: measured, lines: simulated; " + counts_text(all),
                   quantities.size());
  std::size_t panel = 0, number = 0;
  for (const auto& [quantity, rows] : quantities) curve_panel(page, panel++, shape, quantity, rows, names);
  for (const auto& [name, rows] : names) {
    const auto [x, y] = page.next_legend_mark();
    const std::string mark =
        fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"{}\" stroke-width=\"2\"/>\n", x - 16, y, x + 16,
                    y, series_colour(number));
    page.legend(mark + series_mark(number, x, y, false, ""), legend_text(name, rows));
    ++number;
  }
  return page.text();
}

}  // namespace

std::vector<Picture> validation_pictures(const std::vector<ScoredRow>& rows) {
  std::vector<Picture> pictures;
  for (const SuiteKind& kind : suite_kinds()) {
    Rows all, drawn, on_curves;
    for (const ScoredRow& row : rows) {
      if (row.kind != kind.name) continue;
      all.push_back(&row);
      const bool share = row.prediction.points;
      if (row.status == RowStatus::skipped || !std::isfinite(row.error) || !(share || row.prediction.simulated > 0)) continue;
      drawn.push_back(&row);
      if (row.curve.bytes > 0) on_curves.push_back(&row);
    }
    if (!drawn.empty()) pictures.push_back({std::string(kind.name) + ".svg", scatter(kind.name, all, drawn)});
    const CurveShape* const shape = curve_shape(kind.name);
    if (shape != nullptr && !on_curves.empty()) pictures.push_back({std::string(kind.name) + "-curve.svg", curves(*shape, all, on_curves)});
  }
  return pictures;
}

}  // namespace rooftrace
