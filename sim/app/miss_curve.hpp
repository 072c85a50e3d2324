// Q at HBM as a function of L2 capacity: one functional run of a stage with stack distances, and the real cache at a few capacities.
//
// Exact for a fully associative LRU L2 with the machine's lines and sectors, for every capacity that is a number of lines below 4096 or a
// multiple of 1/2048 of its power of two (others are rounded down to one). Counted: bytes fetched for loads and reduces, booked on the
// class that asks, and dirty bytes written back, booked on the class that wrote them; what is dirty at the end stays. Kernels run one
// after the other in trace order, their blocks in turn, as under fidelity cache; every layer is run. The truth beside it is the machine's
// own L2 (ways, index hash, replacement) given other numbers of sets. Not modeled: time; L2 bandwidth that a larger L2 would have.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/app/scenario.hpp"
#include "sim/machine/distance_memory.hpp"

namespace rooftrace {

/// Bytes at HBM.
struct HbmBytes {
  std::uint64_t fetched = 0, written = 0;
  [[nodiscard]] std::uint64_t total() const { return fetched + written; }
  bool operator==(const HbmBytes&) const = default;
};

struct MissCurve {
  Stage stage = Stage::decode;
  std::uint32_t line = 128, sector = 32;
  std::vector<ReuseCounts> reuse;
  double wall_seconds = 0;

  /// The largest exact capacity that is at most `bytes`.
  [[nodiscard]] std::uint64_t exact_capacity(std::uint64_t bytes) const { return DistanceHistogram::floor_of(bytes / line) * line; }
  [[nodiscard]] HbmBytes at(std::uint64_t capacity_bytes) const;
  [[nodiscard]] HbmBytes at(std::uint64_t capacity_bytes, KernelClass kernel_class) const;
  [[nodiscard]] std::vector<KernelClass> classes() const;  ///< With any bytes, in the order of the enum.
  /// From here on a larger L2 saves nothing.
  [[nodiscard]] std::uint64_t last_change() const;
};

/// Thread-safe, as run_workload is. The trace must be that of the scenario's machine.
[[nodiscard]] MissCurve miss_curve(const Scenario& scenario, const Trace& trace, Stage stage);

/// The machine's own L2 with as many sets as `capacity_bytes` allows (at least one).
struct TruthPoint {
  std::uint64_t capacity = 0, sets = 0;
  HbmBytes bytes;
};
[[nodiscard]] TruthPoint truth_at(const Scenario& scenario, const WorkloadOptions& stage, const Trace& trace, std::uint64_t capacity_bytes);

/// A capacity at which something fits.
struct Knee {
  std::uint64_t capacity = 0;  ///< The smallest exact capacity that has (nearly all of) the drop.
  KernelClass kernel_class = KernelClass::other;
  TensorRole role = TensorRole::activations;
  ReuseScope scope = ReuseScope::same_kernel;
  bool writes = false;      ///< The drop is in write-backs of what this class wrote; else in its fetches.
  std::uint64_t saved = 0;  ///< Bytes of the drop.
};
/// Drops of at least `share` of Q at `smallest` bytes, from there on, most of which falls within an eighth of the capacity; by capacity.
[[nodiscard]] std::vector<Knee> find_knees(const MissCurve& curve, std::uint64_t smallest, double share);
/// "attention: kv read again by the same kernel"
[[nodiscard]] std::string describe(const Knee& knee);

/// Powers of two from `smallest` to where nothing changes any more, and at least to `at_least`; then rounded to exact capacities.
[[nodiscard]] std::vector<std::uint64_t> curve_capacities(const MissCurve& curve, std::uint64_t smallest, std::uint64_t at_least);

}  // namespace rooftrace
