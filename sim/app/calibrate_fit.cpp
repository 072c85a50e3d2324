#include "sim/app/calibrate_fit.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "sim/core/error.hpp"

namespace rooftrace {
namespace {

constexpr double kMeanWeight = 0.05;
constexpr int kRounds = 4;            ///< Over all constants, at most.
constexpr double kWorthwhile = 1e-3;  ///< Less of a gain (0.1 % of error) does not move a constant: it would follow noise.
constexpr double kSame = 1e-9;        ///< Misfits closer than this are one.
constexpr double kNarrow = 1.002;     ///< Where golden section ends, as a ratio.
constexpr double kGolden = 0.6180339887498949;
constexpr int kShifts = 4;  ///< Of the grid, when its best is at an end.

bool scored(const ScoredRow& row) {
  return row.status == RowStatus::ok && std::isfinite(row.error) && (row.prediction.points || row.prediction.simulated > 0);
}

/// Misfits of a machine with one constant changed, each value simulated once.
class Search {
 public:
  Search(Calibration& out, const RowsOn& rows_on, const CalibrationProgress& progress)
      : out_(out), rows_on_(rows_on), progress_(progress), most_(kEvaluationsPerKey * out.keys.size() + 1) {}

  double evaluate_start() {
    out_.before = run(out_.machine, nullptr, 0);
    out_.after = out_.before;
    best_ = misfit(out_.before);
    return best_;
  }

  /// True when the constant moved.
  bool fit(FittedKey& fitted, bool first_round) {
    const CalibrateKey& key = *fitted.key;
    left_ = first_round ? kEvaluationsPerKey / 2 : std::min(left_ + kEvaluationsPerKey / 8, kEvaluationsPerKey / 8);
    const double start = key.get(out_.machine);
    std::map<double, double> tried = {{start, best_}};
    double spread = first_round ? 2 : 1.05;
    const int half = first_round ? 3 : 1;
    for (int shift = 0; shift < kShifts; ++shift) {
      const double middle = best_of(tried);
      for (int i = -half; i <= half; ++i) attempt(key, middle * std::pow(spread, double(i) / half), tried);
      const double best = best_of(tried);
      if (best != tried.begin()->first && best != tried.rbegin()->first) break;
      if (best == middle) break;  // The end of its range.
    }
    const auto [least, most] =
        std::minmax_element(tried.begin(), tried.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
    if (most->second - least->second < kSame) return false;
    fitted.matters = true;
    golden_section(key, tried);
    const double best = best_of(tried);
    if (best == start || tried.at(best) > best_ - kWorthwhile) return false;
    key.set(out_.machine, best);
    out_.after = rows_.at(best);
    best_ = tried.at(best);
    rows_.clear();
    return true;
  }

 private:
  static double best_of(const std::map<double, double>& tried) {
    return std::min_element(tried.begin(), tried.end(), [](const auto& a, const auto& b) { return a.second < b.second; })->first;
  }

  std::vector<ScoredRow> run(const MachineSpec& machine, const CalibrateKey* key, double value) {
    std::vector<ScoredRow> rows = rows_on_(machine);
    ++out_.evaluations;
    if (progress_) progress_(out_.evaluations, most_, key, value, all_errors(rows).median);
    return rows;
  }

  void attempt(const CalibrateKey& key, double wish, std::map<double, double>& tried) {
    const double value = writable_value(key, out_.machine, std::max(wish, key.low));
    if (left_ == 0 || tried.contains(value)) return;
    --left_;
    MachineSpec machine = out_.machine;
    key.set(machine, value);
    std::vector<ScoredRow> rows = run(machine, &key, value);
    double result = misfit(rows);
    // A value on which rows fall away is no better for it.
    const auto count = [](const std::vector<ScoredRow>& all) { return std::count_if(all.begin(), all.end(), scored); };
    if (count(rows) < count(out_.before)) result = std::numeric_limits<double>::infinity();
    tried[value] = result;
    rows_[value] = std::move(rows);
  }

  void golden_section(const CalibrateKey& key, std::map<double, double>& tried) {
    const auto best = tried.find(best_of(tried));
    double low = best == tried.begin() ? best->first : std::prev(best)->first;
    double high = std::next(best) == tried.end() ? best->first : std::next(best)->first;
    const auto value_at = [&](double wish) {
      const double value = writable_value(key, out_.machine, wish);
      attempt(key, value, tried);
      const auto found = tried.find(value);
      return found == tried.end() ? std::numeric_limits<double>::infinity() : found->second;
    };
    while (left_ > 0 && low > 0 && high / low > kNarrow) {
      const double ratio = std::pow(high / low, kGolden);
      const double a = high / ratio, b = low * ratio;
      const double at_a = value_at(a), at_b = value_at(b);
      (at_a <= at_b ? high : low) = at_a <= at_b ? b : a;
    }
  }

  Calibration& out_;
  const RowsOn& rows_on_;
  const CalibrationProgress& progress_;
  std::size_t most_, left_ = 0;
  double best_ = 0;
  std::map<double, std::vector<ScoredRow>> rows_;  ///< Of the constant that is being fitted.

 public:
  void forget() { rows_.clear(); }
};

}  // namespace

ErrorScore all_errors(const std::vector<ScoredRow>& rows) {
  std::vector<double> errors;
  for (const ScoredRow& row : rows) {
    if (scored(row)) errors.push_back(row.error);
  }
  return error_score(errors);
}

double misfit(const std::vector<ScoredRow>& rows) {
  std::vector<double> distances;
  for (const ScoredRow& row : rows) {
    if (!scored(row)) continue;
    distances.push_back(row.prediction.points ? row.error : std::log(row.prediction.simulated / row.measured));
  }
  if (distances.empty()) return std::numeric_limits<double>::infinity();
  const ErrorScore score = error_score(distances);
  return score.median + kMeanWeight * score.mean;
}

Calibration calibrate(const MachineSpec& machine, const std::vector<const CalibrateKey*>& keys, const RowsOn& rows_on,
                      const CalibrationProgress& progress) {
  Calibration out;
  out.machine = machine;
  for (const CalibrateKey* key : keys) out.keys.push_back({key, key->get(machine), key->get(machine), false});
  Search search(out, rows_on, progress);
  if (!std::isfinite(search.evaluate_start())) {
    const auto skipped = std::find_if(out.before.begin(), out.before.end(), [](const ScoredRow& row) { return !row.reason.empty(); });
    throw UserError("calibrate: no row of " + quoted_word(machine.name) + " can be scored" +
                    (skipped == out.before.end() ? "" : " (" + skipped->id + ": " + skipped->reason + ")"));
  }
  for (int round = 0; round < kRounds; ++round) {
    bool moved = false;
    for (FittedKey& fitted : out.keys) {
      if (round > 0 && !fitted.matters) continue;
      moved = search.fit(fitted, round == 0) || moved;
      search.forget();
    }
    if (!moved || out.keys.size() == 1) break;
  }
  for (FittedKey& fitted : out.keys) fitted.after = fitted.key->get(out.machine);
  return out;
}

}  // namespace rooftrace
