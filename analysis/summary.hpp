// From the kernel records of a stage to what a report prints: sums by kernel class, the stage's bound, its ceiling, and how much is
// reached.
//
// Two limits on a stage, both lower bounds on its latency:
//   bound    what this trace on this machine could at best take, given the bytes it really moved: the longest path through the kernel graph
//            (kernels of one stream in order, waits_for across streams) of the kernels' roofline bounds, and not less than the total demand
//            on any one resource, because streams share the machine.
//   ceiling  what no schedule and no cache could beat: total W and total compulsory bytes, every pipe and level busy all the time.
//            tokens / ceiling seconds is the tokens/s ceiling.
// Not modeled: what a roofline does not (see roofline.hpp); that bytes already in L2 at a warm start need not cross HBM is for whoever
// fills in KernelRecord::compulsory.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "analysis/roofline.hpp"

namespace rooftrace {

/// Kernels added up. Times are sums over kernels, so they exceed the stage's where streams overlap.
struct KernelSum {
  KernelClass kernel_class = KernelClass::other;
  std::uint64_t kernels = 0;
  Demand demand;       ///< W and Q.
  ByteCounts q;        ///< Q by role and cause.
  CacheCounts cache;   ///< L2 hits.
  Roofline roofline;   ///< Of the summed demand: I, ceilings, what binds.
  double bound = 0;    ///< s: sum over kernels of each one's roofline bound (>= roofline.bound: kernels may bind at different resources).
  Time simulated = 0;  ///< Sum of end - start; 0 below fidelity des.

  [[nodiscard]] std::optional<double> hit_rate() const;  ///< Sectors found in L2 / sectors loaded; empty: none loaded.
};

struct StageSummary {
  std::vector<KernelSum> classes;          ///< In order of first appearance.
  KernelSum total;                         ///< Over all kernels; its kernel_class means nothing.
  Demand compulsory;                       ///< W and compulsory bytes of all kernels.
  Time longest_path = 0;                   ///< Of whole_picoseconds(kernel bound), so that it compares exactly with simulated time.
  double bound = 0;                        ///< s: max(longest path, total demand on the busiest resource).
  std::optional<Resource> bound_resource;  ///< Set when that resource's total, not the path, makes the bound.
  double ceiling = 0;                      ///< s
  std::optional<Resource> ceiling_binding;
  std::uint64_t tokens = 0;
  Time latency = 0;  ///< 0: not simulated.

  /// Empty where there is no latency (below fidelity des) or no limit.
  [[nodiscard]] std::optional<double> tokens_per_second() const;
  [[nodiscard]] std::optional<double> ceiling_tokens_per_second() const;
  [[nodiscard]] std::optional<double> bound_reached() const;    ///< bound / latency, at most 1.
  [[nodiscard]] std::optional<double> ceiling_reached() const;  ///< tokens/s over its ceiling, at most 1.
};

/// The roofline bounds of the kernels, in seconds, in their order.
[[nodiscard]] std::vector<double> kernel_bounds(std::span<const KernelRecord> kernels, const Peaks& peaks);

/// Longest path of `durations` (one per kernel) over streams and waits_for. std::logic_error if a kernel waits for itself or a later one.
[[nodiscard]] Time longest_path(std::span<const KernelRecord> kernels, std::span<const Time> durations);

[[nodiscard]] StageSummary summarize(std::span<const KernelRecord> kernels, const Peaks& peaks, std::uint64_t tokens, Time latency);

/// All stages of a run one after the other.
struct StepSummary {
  Demand demand;
  Roofline roofline;   ///< Of the summed demand.
  double bound = 0;    ///< s, sum of the stages' bounds.
  double ceiling = 0;  ///< s, sum of the stages' ceilings.
  Time latency = 0;    ///< Sum; 0: not simulated.
};
[[nodiscard]] StepSummary whole_step(std::span<const StageSummary> stages, const Peaks& peaks);

}  // namespace rooftrace
