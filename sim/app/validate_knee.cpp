#include "sim/app/validate_knee.hpp"

#include <algorithm>
#include <cmath>
#include <map>

namespace rooftrace {
namespace {

constexpr double kPlateau = 1.1;   ///< Rates of a plateau lie within this factor of its extreme.
constexpr double kDistinct = 1.5;  ///< Plateaus nearer to each other than this have no knee between them.
constexpr std::size_t kLeastSizes = 4;

double mean_between(const std::vector<CurvePoint>& curve, double low, double high) {
  double sum = 0;
  std::size_t count = 0;
  for (const CurvePoint& point : curve) {
    if (point.rate < low || point.rate > high) continue;
    sum += point.rate;
    ++count;
  }
  return sum / static_cast<double>(count);
}

}  // namespace

std::optional<CurveKnee> knee_of(std::vector<CurvePoint> points) {
  std::map<double, std::pair<double, double>> sizes;  // Sum and count of the rates.
  for (const CurvePoint& point : points) {
    if (!(point.bytes > 0) || !(point.rate > 0) || !std::isfinite(point.rate)) continue;
    sizes[point.bytes].first += point.rate;
    sizes[point.bytes].second += 1;
  }
  if (sizes.size() < kLeastSizes) return std::nullopt;
  std::vector<CurvePoint> curve;
  for (const auto& [bytes, rates] : sizes) curve.push_back({bytes, rates.first / rates.second});
  const auto [lowest, highest] =
      std::minmax_element(curve.begin(), curve.end(), [](const CurvePoint& a, const CurvePoint& b) { return a.rate < b.rate; });
  const double cache = mean_between(curve, highest->rate / kPlateau, highest->rate);
  const double memory = mean_between(curve, lowest->rate, lowest->rate * kPlateau);
  if (cache < kDistinct * memory) return std::nullopt;
  const double middle = (cache + memory) / 2;
  for (std::size_t i = 0; i < curve.size(); ++i) {
    if (curve[i].rate >= middle) continue;
    if (i == 0) return std::nullopt;
    const CurvePoint &above = curve[i - 1], &below = curve[i];
    const double share = (above.rate - middle) / (above.rate - below.rate);
    return CurveKnee{above.bytes * std::pow(below.bytes / above.bytes, share), above.bytes, below.bytes};
  }
  return std::nullopt;
}

std::vector<Knee> knees_of(const std::vector<ScoredRow>& rows) {
  std::map<std::string, std::pair<std::vector<CurvePoint>, std::vector<CurvePoint>>> curves;
  for (const ScoredRow& row : rows) {
    if (row.kind != "read_bandwidth" || row.status != RowStatus::ok || !(row.curve.bytes > 0)) continue;
    auto& [measured, simulated] = curves[row.hardware];
    measured.push_back({row.curve.bytes, row.measured});
    simulated.push_back({row.curve.bytes, row.prediction.simulated});
  }
  std::vector<Knee> knees;
  for (const auto& [hardware, curve] : curves) {
    const auto measured = knee_of(curve.first), simulated = knee_of(curve.second);
    if (measured && simulated) knees.push_back({hardware, *measured, *simulated});
  }
  return knees;
}

}  // namespace rooftrace
