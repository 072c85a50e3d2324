// The kernels of a trace as a graph: who waits for whom.
//
// An edge says "ends before the other starts": every waits_for, and the previous kernel of the same stream.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sim/core/kernel.hpp"

namespace rooftrace {

class KernelGraph {
 public:
  /// Throws std::invalid_argument when a kernel waits for itself or a later one (traces list kernels in an order that can run).
  explicit KernelGraph(std::span<const Kernel> kernels);

  [[nodiscard]] const std::vector<std::uint32_t>& successors(std::uint32_t kernel) const { return successors_[kernel]; }
  [[nodiscard]] const std::vector<std::uint32_t>& predecessors(std::uint32_t kernel) const { return predecessors_[kernel]; }
  /// Kernels in an order that respects all waits.
  [[nodiscard]] const std::vector<std::uint32_t>& order() const { return order_; }
  /// Longest sum of `durations` along any path: no schedule is shorter.
  [[nodiscard]] double critical_path(std::span<const double> durations) const;

 private:
  std::vector<std::vector<std::uint32_t>> successors_;
  std::vector<std::vector<std::uint32_t>> predecessors_;
  std::vector<std::uint32_t> order_;
};

}  // namespace rooftrace
