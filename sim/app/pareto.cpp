#include "sim/app/pareto.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "sim/app/svg.hpp"
#include "sim/app/table.hpp"
#include "sim/core/error.hpp"

namespace rooftrace {
namespace {

using svg::escaped;

constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();

/// Larger is better.
double worth(const Goal& goal, std::uint64_t point) {
  return goal.most ? goal.values[point] : -goal.values[point];
}

bool beats(const std::vector<Goal>& goals, std::uint64_t a, std::uint64_t b) {
  bool better = false;
  for (const Goal& goal : goals) {
    if (worth(goal, a) < worth(goal, b)) return false;
    better = better || worth(goal, a) > worth(goal, b);
  }
  return better;
}

/// From values to pixels, with a little room at both ends.
struct Scale {
  double low = 0, high = 1, from = 0, to = 1;
  [[nodiscard]] double at(double value) const { return from + (value - low) / (high - low) * (to - from); }
};

Scale scale_of(const Goal& goal, double from, double to) {
  Scale scale{std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity(), from, to};
  for (const double value : goal.values) {
    if (!std::isfinite(value)) continue;
    scale.low = std::min(scale.low, value);
    scale.high = std::max(scale.high, value);
  }
  if (!(scale.low <= scale.high)) scale.low = scale.high = 0;
  const double room = scale.high > scale.low ? (scale.high - scale.low) * 0.05 : std::max(std::abs(scale.high) * 0.05, 1e-300);
  const bool positive = scale.low >= 0;
  scale.low -= room;
  scale.high += room;
  if (positive) scale.low = std::max(scale.low, 0.0);  // No axis begins below 0 where no value does.
  return scale;
}

/// Round numbers between the ends: 1, 2 or 5 times a power of ten apart, about five of them.
std::vector<double> round_ticks(const Scale& scale) {
  const double rough = (scale.high - scale.low) / 5, power = std::pow(10, std::floor(std::log10(rough)));
  const double step = power * (rough <= power ? 1 : rough <= 2 * power ? 2 : rough <= 5 * power ? 5 : 10);
  std::vector<double> ticks;
  for (double n = std::ceil(scale.low / step); n * step <= scale.high && ticks.size() < 20; ++n) ticks.push_back(n * step);
  return ticks;
}

/// "4 TB/s" and "20 ms" as a person writes them.
std::string tick_text(double value, const std::string& units) {
  if (value == 0 || units.empty() || units == "1") return fmt::format("{:.4g}", value);
  std::string text = si(value, units == "byte s-1" ? "B/s" : units == "byte" ? "B" : units == "s-1" ? "/s" : units, 4);
  const std::size_t end = text.find(' ');
  if (end == std::string::npos || text.substr(0, end).find('.') == std::string::npos) return text;
  std::string number = text.substr(0, end);
  number.erase(number.find_last_not_of('0') + 1);
  if (number.back() == '.') number.pop_back();
  return number + text.substr(end);
}

std::string label(const Goal& goal) {
  return escaped(goal.column);
}

}  // namespace

Goal find_goal(const SweepSpec& spec, const std::string& column, bool most) {
  Goal goal{column, most, "", {}};
  std::vector<std::string> known;
  for (std::size_t c = 0; c < kSweepColumns.size(); ++c) {
    known.emplace_back(kSweepColumns[c].name);
    if (column != known.back()) continue;
    goal.units = kSweepColumns[c].units;
    goal.of_stage = [c](const StageNumbers& numbers) { return numbers.columns[c]; };
    return goal;
  }
  for (int level = 0; level < kLevels; ++level) {
    known.push_back(fmt::format("q_{}", name(static_cast<LevelId>(level))));
    if (column != known.back()) continue;
    goal.units = "byte";
    goal.of_stage = [level](const StageNumbers& numbers) {
      double sum = 0;
      for (int role = 0; role < kTensorRoles; ++role) sum += numbers.q[static_cast<std::size_t>(level * kTensorRoles + role)];
      return sum;
    };
    return goal;
  }
  for (std::size_t axis = 0; axis < spec.axes.size(); ++axis) {
    for (std::size_t k = 0; k < spec.axes[axis].keys.size(); ++k) {
      const SweepKey& key = spec.axes[axis].keys[k];
      if (!key.numeric) continue;
      known.push_back(key.name);
      if (column != key.name && column != key.key) continue;
      goal.units = key.units;
      goal.axis = axis;
      goal.key = k;
      return goal;
    }
  }
  throw UserError(fmt::format("no column {}{} (columns: {})", quoted_word(column), did_you_mean(column, known), fmt::join(known, ", ")));
}

void fill_goals(std::vector<Goal>& goals, const SweepSpec& spec, const SweepBlock& block, const std::vector<PointRecord>& records,
                const std::string& stage) {
  for (std::uint64_t i = 0; i < block.points; ++i) {
    const auto& stages = records[i].stages;
    const auto numbers = std::find_if(stages.begin(), stages.end(), [&](const StageNumbers& one) { return one.stage == stage; });
    for (Goal& goal : goals) {
      double value = kMissing;
      if (goal.of_stage != nullptr) {
        if (numbers != stages.end()) value = goal.of_stage(*numbers);
      } else if (records[i].status == PointStatus::done) {
        value = spec.axes[goal.axis].keys[goal.key].numbers[spec.position(block.first + i)[goal.axis]];
      }
      goal.values.push_back(value);
    }
  }
}

std::vector<std::uint64_t> pareto_frontier(const std::vector<Goal>& goals) {
  std::vector<std::uint64_t> order;
  for (std::uint64_t i = 0; i < goals.front().values.size(); ++i) {
    if (std::all_of(goals.begin(), goals.end(), [i](const Goal& goal) { return std::isfinite(goal.values[i]); })) order.push_back(i);
  }
  // Best first in every goal: whoever beats a point stands before it.
  std::sort(order.begin(), order.end(), [&](std::uint64_t a, std::uint64_t b) {
    for (const Goal& goal : goals) {
      if (worth(goal, a) != worth(goal, b)) return worth(goal, a) > worth(goal, b);
    }
    return a < b;
  });
  std::vector<std::uint64_t> frontier;
  for (const std::uint64_t point : order) {
    // Late ones are the closest in the first goal, so they are the likeliest to beat it.
    if (std::none_of(frontier.rbegin(), frontier.rend(), [&](std::uint64_t better) { return beats(goals, better, point); })) {
      frontier.push_back(point);
    }
  }
  return frontier;
}

std::string pareto_svg(const std::vector<Goal>& goals, const std::vector<std::uint64_t>& frontier, const std::string& title) {
  if (goals.size() < 2) throw std::invalid_argument("a picture needs two goals");
  constexpr double kWidth = 800, kHeight = 600, kLeft = 110, kRight = 30, kTop = 60, kBottom = 70;
  const Goal& up = goals[0];
  const Goal& right = goals[1];
  const Scale y = scale_of(up, kHeight - kBottom, kTop), x = scale_of(right, kLeft, kWidth - kRight);
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\" font-family=\"sans-serif\" "
      "font-size=\"13\">\n<rect width=\"{0}\" height=\"{1}\" fill=\"white\"/>\n<text x=\"{2}\" y=\"28\" font-size=\"16\">{3}</text>\n",
      kWidth, kHeight, kLeft, escaped(title));
  svg += fmt::format(
      "<text x=\"{}\" y=\"44\" fill=\"#555\">red: no other point is at least as good in everything and better in something</text>\n",
      kLeft);
  for (const double at : round_ticks(x)) {
    svg += fmt::format("<line x1=\"{0:.1f}\" y1=\"{1}\" x2=\"{0:.1f}\" y2=\"{2}\" stroke=\"#ddd\"/>", x.at(at), kTop, kHeight - kBottom);
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n", x.at(at), kHeight - kBottom + 20,
                       escaped(tick_text(at, right.units)));
  }
  for (const double at : round_ticks(y)) {
    svg += fmt::format("<line x1=\"{1}\" y1=\"{0:.1f}\" x2=\"{2}\" y2=\"{0:.1f}\" stroke=\"#ddd\"/>", y.at(at), kLeft, kWidth - kRight);
    svg += fmt::format("<text x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>\n", kLeft - 8, y.at(at) + 4,
                       escaped(tick_text(at, up.units)));
  }
  svg += fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{}, {} is better</text>\n", (kLeft + kWidth - kRight) / 2,
                     kHeight - 20, label(right), right.most ? "more" : "less");
  svg += fmt::format("<text transform=\"translate(24 {:.1f}) rotate(-90)\" text-anchor=\"middle\">{}, {} is better</text>\n",
                     (kTop + kHeight - kBottom) / 2, label(up), up.most ? "more" : "less");
  for (std::size_t i = 0; i < up.values.size(); ++i) {
    if (!std::isfinite(up.values[i]) || !std::isfinite(right.values[i])) continue;
    svg += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\" fill=\"#999\"/>\n", x.at(right.values[i]), y.at(up.values[i]));
  }
  std::string line;
  for (const std::uint64_t i : frontier) line += fmt::format("{:.1f},{:.1f} ", x.at(right.values[i]), y.at(up.values[i]));
  if (goals.size() == 2) svg += fmt::format("<polyline points=\"{}\" fill=\"none\" stroke=\"#c03\" stroke-width=\"1.5\"/>\n", line);
  for (const std::uint64_t i : frontier) {
    svg += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4.5\" fill=\"#c03\"><title>point {}</title></circle>\n",
                       x.at(right.values[i]), y.at(up.values[i]), i);
  }
  return svg + "</svg>\n";
}

}  // namespace rooftrace
