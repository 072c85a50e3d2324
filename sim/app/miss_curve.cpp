#include "sim/app/miss_curve.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <span>

#include "sim/app/run.hpp"
#include "sim/app/run_scenario.hpp"
#include "sim/engine/engine.hpp"

namespace rooftrace {
namespace {

/// A knee's drop lies within this factor of capacity ...
constexpr double kKneeWidth = 1.125;
/// ... and is at least half of what is saved within this factor to both sides.
constexpr double kKneeSurroundings = 2;
/// The knee's capacity has this much of its drop: a few stragglers must not move it.
constexpr double kKneeComplete = 0.99;

std::uint64_t missed_bytes(const DistanceHistogram& histogram, std::uint64_t lines, std::uint32_t sector) {
  return static_cast<std::uint64_t>(histogram.missed(lines)) * sector;
}

/// One histogram as capacities (in lines) and the bytes each saves over the one before.
class Drops {
 public:
  Drops(const DistanceHistogram& histogram, std::uint64_t smallest_lines, std::uint32_t sector) {
    for (std::size_t bucket = 0; bucket < histogram.counts().size(); ++bucket) {
      // Distances of this bucket fit when its end does.
      const std::uint64_t lines = DistanceHistogram::first(bucket + 1);
      const std::int64_t count = histogram.counts()[bucket];
      if (count == 0 || lines <= smallest_lines) continue;
      lines_.push_back(lines);
      before_.push_back(sum_);
      sum_ += count * static_cast<std::int64_t>(sector);
    }
    before_.push_back(sum_);
  }

  /// The window with the largest drop, as [first, last) of the capacities; empty when nothing drops.
  struct Window {
    std::size_t first = 0, last = 0;
    std::int64_t saved = 0;
  };
  [[nodiscard]] Window largest(std::size_t from, std::size_t to) const {
    Window best;
    for (std::size_t first = from, last = from; first < to; ++first) {
      while (last < to && static_cast<double>(lines_[last]) <= static_cast<double>(lines_[first]) * kKneeWidth) ++last;
      if (saved(first, last) > best.saved) best = {first, last, saved(first, last)};
    }
    return best;
  }
  [[nodiscard]] bool sharp(const Window& window) const {
    const double low = static_cast<double>(lines_[window.first]) / kKneeSurroundings;
    const double high = static_cast<double>(lines_[window.last - 1]) * kKneeSurroundings;
    const auto first = std::lower_bound(lines_.begin(), lines_.end(), low, [](std::uint64_t at, double x) { return double(at) < x; });
    const auto last = std::upper_bound(lines_.begin(), lines_.end(), high, [](double x, std::uint64_t at) { return x < double(at); });
    return window.saved * 2 >= saved(static_cast<std::size_t>(first - lines_.begin()), static_cast<std::size_t>(last - lines_.begin()));
  }
  /// The capacity that has nearly all of the window's drop.
  [[nodiscard]] std::uint64_t complete(const Window& window) const {
    std::size_t i = window.first;
    while (static_cast<double>(saved(window.first, i + 1)) < static_cast<double>(window.saved) * kKneeComplete) ++i;
    return lines_[i];
  }
  [[nodiscard]] std::size_t size() const { return lines_.size(); }

 private:
  [[nodiscard]] std::int64_t saved(std::size_t first, std::size_t last) const { return before_[last] - before_[first]; }
  std::vector<std::uint64_t> lines_;
  std::vector<std::int64_t> before_;  ///< Saved by all capacities before this one.
  std::int64_t sum_ = 0;
};

/// Knees of [from, to), largest first, then those on both sides of it.
void collect(const Drops& drops, std::size_t from, std::size_t to, std::int64_t threshold, const Knee& like, std::uint32_t line,
             std::vector<Knee>& out) {
  const Drops::Window window = drops.largest(from, to);
  if (window.last == window.first || window.saved < threshold) return;
  if (drops.sharp(window)) {
    Knee knee = like;
    knee.capacity = drops.complete(window) * line;
    knee.saved = static_cast<std::uint64_t>(window.saved);
    out.push_back(knee);
  }
  collect(drops, from, window.first, threshold, like, line, out);
  collect(drops, window.last, to, threshold, like, line, out);
}

}  // namespace

HbmBytes MissCurve::at(std::uint64_t capacity_bytes) const {
  HbmBytes bytes;
  for (const ReuseCounts& counts : reuse) {
    bytes.fetched += missed_bytes(counts.fetched, capacity_bytes / line, sector);
    bytes.written += missed_bytes(counts.written, capacity_bytes / line, sector);
  }
  return bytes;
}

HbmBytes MissCurve::at(std::uint64_t capacity_bytes, KernelClass kernel_class) const {
  HbmBytes bytes;
  for (const ReuseCounts& counts : reuse) {
    if (counts.kernel_class != kernel_class) continue;
    bytes.fetched += missed_bytes(counts.fetched, capacity_bytes / line, sector);
    bytes.written += missed_bytes(counts.written, capacity_bytes / line, sector);
  }
  return bytes;
}

std::vector<KernelClass> MissCurve::classes() const {
  std::vector<KernelClass> out;
  for (const ReuseCounts& counts : reuse) {
    if (out.empty() || out.back() != counts.kernel_class) out.push_back(counts.kernel_class);
  }
  return out;
}

std::uint64_t MissCurve::last_change() const {
  std::size_t buckets = 0;
  for (const ReuseCounts& counts : reuse) buckets = std::max({buckets, counts.fetched.counts().size(), counts.written.counts().size()});
  return DistanceHistogram::first(buckets) * line;
}

MissCurve miss_curve(const Scenario& scenario, const Trace& trace, Stage stage) {
  const auto wall_start = std::chrono::steady_clock::now();
  MissCurve curve;
  curve.stage = stage;
  curve.line = scenario.machine.l2.line;
  curve.sector = scenario.machine.l2.sector;
  const EngineSpec engine = engine_spec(scenario.machine);
  DistanceMemory memory(curve.line, curve.sector);
  KernelRecord scratch;  // The engine wants a place for its books; ours are in `memory`.
  for (int run = scenario.warm ? 0 : 1; run < 2; ++run) {
    for (const Kernel& kernel : trace.kernels) {
      memory.begin_kernel(kernel.kernel_class);
      run_functional(engine, memory, {&kernel, 1}, {&scratch, 1});
    }
    if (run == 0) memory.restart();
  }
  curve.reuse = memory.finish();
  curve.wall_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - wall_start).count();
  return curve;
}

TruthPoint truth_at(const Scenario& scenario, const WorkloadOptions& stage, const Trace& trace, std::uint64_t capacity_bytes) {
  Scenario other = scenario;
  L2Spec& l2 = other.machine.l2;
  const std::uint64_t per_set = std::uint64_t{l2.line} * l2.ways;
  TruthPoint point;
  point.sets = std::max<std::uint64_t>(capacity_bytes / per_set / l2.partitions, 1) * l2.partitions;
  point.capacity = point.sets * per_set;
  l2.effective = l2.capacity = point.capacity;
  other.fidelity = Fidelity::cache;
  const StageResult result = run_trace(other, stage, trace);
  for (const KernelRecord& record : result.kernels) {
    point.bytes.fetched += record.q.total(LevelId::hbm, Direction::read);
    point.bytes.written += record.q.total(LevelId::hbm, Direction::write);
  }
  return point;
}

std::vector<Knee> find_knees(const MissCurve& curve, std::uint64_t smallest, double share) {
  const auto threshold = static_cast<std::int64_t>(static_cast<double>(curve.at(smallest).total()) * share) + 1;
  std::vector<Knee> knees;
  for (const ReuseCounts& counts : curve.reuse) {
    for (const bool writes : {false, true}) {
      const Knee like{0, counts.kernel_class, counts.role, counts.scope, writes, 0};
      const Drops drops(writes ? counts.written : counts.fetched, smallest / curve.line, curve.sector);
      collect(drops, 0, drops.size(), threshold, like, curve.line, knees);
    }
  }
  std::stable_sort(knees.begin(), knees.end(), [](const Knee& a, const Knee& b) { return a.capacity < b.capacity; });
  return knees;
}

std::string describe(const Knee& knee) {
  const std::string what = fmt::format("{}: {}", name(knee.kernel_class), name(knee.role));
  if (knee.writes) return what + " written here, and written again or kept before they leave";
  return what + (knee.scope == ReuseScope::same_kernel ? " read again by the same kernel" : " left by an earlier kernel");
}

std::vector<std::uint64_t> curve_capacities(const MissCurve& curve, std::uint64_t smallest, std::uint64_t at_least) {
  std::vector<std::uint64_t> out;
  const std::uint64_t end = std::max(curve.last_change(), at_least);
  for (std::uint64_t capacity = smallest;; capacity *= 2) {
    out.push_back(curve.exact_capacity(capacity));
    if (capacity >= end) return out;
  }
}

}  // namespace rooftrace
