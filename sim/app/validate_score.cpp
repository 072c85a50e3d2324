#include "sim/app/validate_score.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <tuple>

#include "sim/app/validate_knee.hpp"

namespace rooftrace {
namespace {

constexpr double kRounding = 1e-9;

bool beyond(double value, const Prediction& p, double tolerance) {
  if (std::isnan(value) || std::isnan(p.bound)) return false;
  if (p.side == Side::above) return value < p.bound * (1 - tolerance - kRounding);
  return p.side == Side::below && value > p.bound * (1 + tolerance + kRounding);
}

double median_of_sorted(const std::vector<double>& sorted) {
  const std::size_t n = sorted.size();
  return n % 2 == 1 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

double error_of(double predicted, const ScoredRow& row) {
  return row.prediction.points ? predicted - row.measured : predicted / row.measured - 1;
}

/// Ranks from 1; equal values share the mean of their places.
std::vector<double> ranks(const std::vector<double>& values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  std::vector<double> rank(values.size());
  for (std::size_t first = 0; first < order.size();) {
    std::size_t last = first;
    while (last + 1 < order.size() && values[order[last + 1]] == values[order[first]]) ++last;
    for (std::size_t i = first; i <= last; ++i) rank[order[i]] = static_cast<double>(first + last) / 2 + 1;
    first = last + 1;
  }
  return rank;
}

void predict(const SuiteKind& kind, const SuiteRow& row, Bench& bench, ScoredRow& out) {
  out.measured = row.number("value");
  if (!(out.measured > 0)) throw RowSkipped("value: not above zero");
  out.low = row.maybe_number("low").value_or(ScoredRow::kNone);
  out.high = row.maybe_number("high").value_or(ScoredRow::kNone);
  const double tolerance = std::clamp(row.maybe_number("tolerance").value_or(0), 0.0, 0.9);
  out.prediction = kind.predict(row, bench);
  const std::string& flag = out.prediction.flag.empty() ? row.text("flag") : out.prediction.flag;
  if (!flag.empty()) {
    out.status = RowStatus::flagged;
    out.reason = flag;
  }
  out.error = error_of(out.prediction.simulated, out);
  out.simulated_beyond_bound = beyond(out.prediction.simulated, out.prediction, 0);
  out.measured_beyond_bound = beyond(out.measured, out.prediction, tolerance);
}

}  // namespace

const char* name(RowStatus status) {
  return status == RowStatus::ok ? "ok" : status == RowStatus::skipped ? "skipped" : "flagged";
}

ScoredRow score_row(const SuiteKind& kind, const SuiteRow& row, std::size_t number, Bench& bench) {
  ScoredRow out;
  out.kind = kind.name;
  out.id = row.has("id") ? row.text("id") : fmt::format("{}-{:04}", kind.name, number);
  out.hardware = row.text("hardware");
  out.quantity = row.has("quantity") ? row.text("quantity") : "value";
  out.curve = curve_place(kind.name, row);
  try {
    predict(kind, row, bench, out);
  } catch (const std::exception& error) {  // RowSkipped, and whatever a generator refuses.
    out.status = RowStatus::skipped;
    out.reason = error.what();
    out.prediction = {};
    out.error = ScoredRow::kNone;
  }
  return out;
}

ErrorScore error_score(const std::vector<double>& errors) {
  ErrorScore s;
  s.rows = errors.size();
  if (errors.empty()) return s;
  std::vector<double> absolute, sorted = errors;
  for (const double e : errors) absolute.push_back(std::abs(e));
  std::sort(absolute.begin(), absolute.end());
  std::sort(sorted.begin(), sorted.end());
  s.median = median_of_sorted(absolute);
  s.mean = std::accumulate(absolute.begin(), absolute.end(), 0.0) / static_cast<double>(absolute.size());
  s.p90 = absolute[(absolute.size() * 9 + 9) / 10 - 1];
  s.max = absolute.back();
  s.bias = median_of_sorted(sorted);
  return s;
}

double rank_correlation(const std::vector<double>& x, const std::vector<double>& y) {
  const std::size_t n = x.size();
  if (n < 3) return ScoredRow::kNone;
  const std::vector<double> a = ranks(x), b = ranks(y);
  const double mean = static_cast<double>(n + 1) / 2;
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < n; ++i) {
    ab += (a[i] - mean) * (b[i] - mean);
    aa += (a[i] - mean) * (a[i] - mean);
    bb += (b[i] - mean) * (b[i] - mean);
  }
  return aa > 0 && bb > 0 ? ab / std::sqrt(aa * bb) : ScoredRow::kNone;
}

Scores score_all(const std::vector<ScoredRow>& rows) {
  Scores scores;
  const auto place = [](const std::string& kind) {
    const auto& kinds = suite_kinds();
    return std::find_if(kinds.begin(), kinds.end(), [&](const SuiteKind& k) { return k.name == kind; }) - kinds.begin();
  };
  std::map<std::tuple<std::ptrdiff_t, std::string, std::string>, std::vector<const ScoredRow*>> groups;
  std::map<std::tuple<std::ptrdiff_t, std::string, std::string>, std::size_t> skips;
  for (const ScoredRow& row : rows) {
    ++scores.rows;
    scores.ok += row.status == RowStatus::ok ? 1 : 0;
    scores.skipped += row.status == RowStatus::skipped ? 1 : 0;
    scores.flagged += row.status == RowStatus::flagged ? 1 : 0;
    if (row.status == RowStatus::skipped) {
      ++skips[{place(row.kind), row.hardware, row.reason}];
    } else {
      groups[{place(row.kind), row.prediction.group, row.hardware}].push_back(&row);
    }
  }
  scores.knees = knees_of(rows);
  for (const auto& [key, count] : skips)
    scores.skips.push_back({suite_kinds()[static_cast<std::size_t>(std::get<0>(key))].name, std::get<1>(key), std::get<2>(key), count});
  for (const auto& [key, members] : groups) {
    GroupScore g;
    g.kind = members.front()->kind;
    g.group = std::get<1>(key);
    g.hardware = std::get<2>(key);
    g.goal = members.front()->prediction.goal;
    g.points = members.front()->prediction.points;
    std::vector<double> measured, simulated, errors, roofline, tool, wave;
    for (const ScoredRow* row : members) {
      if (row->status == RowStatus::flagged) {
        ++g.flagged;
        continue;
      }
      g.simulated_beyond_bound += row->simulated_beyond_bound ? 1 : 0;
      g.measured_beyond_bound += row->measured_beyond_bound ? 1 : 0;
      if (std::isnan(row->error)) {
        ++g.only_bound;
        continue;
      }
      measured.push_back(row->measured);
      simulated.push_back(row->prediction.simulated);
      errors.push_back(row->error);
      const auto baseline = [&](double value, std::vector<double>& into) {
        if (!std::isnan(value)) into.push_back(error_of(value, *row));
      };
      baseline(row->prediction.roofline, roofline);
      baseline(row->prediction.tool, tool);
      baseline(row->prediction.wave, wave);
    }
    g.simulated = error_score(errors);
    g.simulated.rank = rank_correlation(measured, simulated);
    g.roofline = error_score(roofline);
    g.tool = error_score(tool);
    g.wave = error_score(wave);
    scores.simulated_beyond_bound += g.simulated_beyond_bound;
    scores.measured_beyond_bound += g.measured_beyond_bound;
    scores.groups.push_back(std::move(g));
  }
  return scores;
}

}  // namespace rooftrace
