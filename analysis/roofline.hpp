// The hierarchical roofline of one kernel, or of any sum of kernels, as pure functions.
//
// With W the work in FLOP (tensor and CUDA-core pipes together), Q_l the bytes that crossed level l, pi the peak of the pipes in FLOP/s and
// beta_l the peak bandwidth of level l in B/s:
//   I_l = W / Q_l                      operational intensity, FLOP/B; +infinity when nothing crossed the level
//   ceiling_l = min(pi, I_l * beta_l)  FLOP/s that level l allows
//   bound = max over pipes of W_p / pi_p and over levels of Q_l / beta_l, in seconds: no execution that does W_p and moves Q_l is faster
// Sources: S. Williams, A. Waterman, D. Patterson, "Roofline: an insightful visual performance model for multicore architectures", CACM
// 52(4), 2009 (one level); C. Yang, T. Kurth, S. Williams, "Hierarchical roofline analysis for GPUs", Concurrency and Computation, 2020
// (one intensity and one ceiling per level).
//
// Promise: the bound is never above the time of a machine whose rates do not exceed `Peaks`, provided Q and W are what it moved and did.
// Not modeled: latency, occupancy, waves, launch gaps, read/write turnaround, instruction mix; all of these only make the machine slower.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "sim/core/run_record.hpp"

namespace rooftrace {

inline constexpr int kDataTypes = 9;
static_assert(static_cast<int>(DataType::int4) == kDataTypes - 1, "Peaks has one tensor rate per data type");

/// Whatever can limit a kernel: the pipes in the order of Pipe, then the levels in the order of LevelId.
enum class Resource : std::uint8_t { tensor, cuda, sfu, l2, hbm, nvlink, pcie };
inline constexpr int kResources = kPipes + kLevels;
[[nodiscard]] std::string_view name(Resource resource);  ///< The word of its Pipe or LevelId.
[[nodiscard]] constexpr Resource resource_of(Pipe pipe) {
  return static_cast<Resource>(pipe);
}
[[nodiscard]] constexpr Resource resource_of(LevelId level) {
  return static_cast<Resource>(kPipes + static_cast<int>(level));
}
[[nodiscard]] constexpr bool is_level(Resource resource) {
  return static_cast<int>(resource) >= kPipes;
}
/// L2 and HBM have one rate that reads and writes share; a link has its rate once in each direction.
[[nodiscard]] constexpr bool is_link(LevelId level) {
  return level == LevelId::nvlink || level == LevelId::pcie;
}

/// pi and beta. A rate of 0 means the machine has no such pipe or level.
struct Peaks {
  std::array<double, kDataTypes> tensor{};  ///< FLOP/s, dense, by type.
  double cuda = 0;                          ///< FLOP/s.
  double sfu = 0;                           ///< Operations per second.
  std::array<double, kLevels> beta{};       ///< B/s; L2 and HBM: reads and writes together; NVLink and PCIe: one way.

  [[nodiscard]] double pi(Pipe pipe, DataType type) const;
  [[nodiscard]] double beta_of(LevelId level) const { return beta[static_cast<std::size_t>(level)]; }
};

/// What a kernel asks of the machine. Demands add up, so the same roofline serves a kernel, a class, a stage and a step.
struct Demand {
  Work work{};                                                          ///< FLOP (tensor, cuda) and operations (sfu).
  std::array<double, kPipes> pipe_seconds{};                            ///< W_p / pi_p, each kernel at the rate of its own tensor type.
  std::array<std::array<std::uint64_t, kDirections>, kLevels> bytes{};  ///< Q.

  /// Tensor + CUDA-core work. Special-function operations are not FLOP: they can bind, but they do not count in I.
  [[nodiscard]] double flop() const { return work[static_cast<std::size_t>(Pipe::tensor)] + work[static_cast<std::size_t>(Pipe::cuda)]; }
  /// Bytes that take turns on the level: read + written, or those of the busier direction of a link. Q in I = W/Q and in Q/beta.
  [[nodiscard]] std::uint64_t serial_bytes(LevelId level) const;
  Demand& operator+=(const Demand& other);
};

/// W of the kernel and the bytes it really moved. std::logic_error if it works on a pipe that has no rate.
[[nodiscard]] Demand demand_of(const KernelRecord& kernel, const Peaks& peaks);
/// W of the kernel and its compulsory bytes: what is left with a perfect cache.
[[nodiscard]] Demand compulsory_demand_of(const KernelRecord& kernel, const Peaks& peaks);

struct LevelRoofline {
  std::uint64_t bytes = 0;  ///< Demand::serial_bytes.
  double intensity = 0;     ///< I in FLOP/B; +infinity when bytes == 0.
  double ceiling = 0;       ///< FLOP/s; 0 for a kernel without FLOP.
  bool memory_bound =
      false;  ///< I <= pi/beta: the level takes at least as long as the slowest pipe; the ridge itself counts. No bytes: no.
};

struct Roofline {
  double flop = 0;  ///< W.
  double pi = 0;    ///< FLOP/s at which the pipes can do this mix of work: W / (slowest pipe's seconds); 0 when W == 0.
  std::array<LevelRoofline, kLevels> levels{};  ///< By LevelId.
  std::array<double, kResources> seconds{};     ///< W_p/pi_p and Q_l/beta_l, by Resource.
  std::optional<Resource> binding;  ///< The slowest; on a tie a level before a pipe, the nearer level first. Empty: nothing to do.
  double bound = 0;                 ///< s, seconds of the binding resource.

  [[nodiscard]] const LevelRoofline& level(LevelId id) const { return levels[static_cast<std::size_t>(id)]; }
  [[nodiscard]] double seconds_of(Resource resource) const { return seconds[static_cast<std::size_t>(resource)]; }
};

/// std::logic_error if bytes crossed a level that has no rate.
[[nodiscard]] Roofline roofline(const Demand& demand, const Peaks& peaks);

/// A bound in whole picoseconds, rounded down, to be compared with simulated time.
[[nodiscard]] Time whole_picoseconds(double seconds);

}  // namespace rooftrace
