// Who is where in an L2 of slices: slices in partitions, GPCs at their inputs.
//
// One slice per HBM channel. The partitions own consecutive channels, as equally many as can be. A slice has an input for each GPC, one for
// the copy engine, and one for each partition that asks it for lines (an L2 that cannot be divided so
// counts as one partition). A line of another partition is looked up beside the requester in the
// slice of the same number there.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "sim/machine/machine_spec.hpp"

namespace rooftrace {

/// Lines that one slice can have on their way where the machine's file does not say: twice what Little's law asks for to keep HBM busy
/// (its rate x the time in DRAM), because a slice's requests come unevenly. Assumed; no vendor says.
[[nodiscard]] inline std::uint32_t default_miss_slots(const L2Spec& l2, const HbmSpec& hbm) {
  const double under_way = hbm.bandwidth * std::max(0.0, hbm.latency - l2.latency_near) / l2.line / hbm.channels;
  return static_cast<std::uint32_t>(std::clamp(std::ceil(2 * under_way), 1.0, 65536.0));
}

class SliceLayout {
 public:
  /// `gpc`: by SM, which GPC it is in; empty: one GPC.
  SliceLayout(const L2Spec& l2, const HbmSpec& hbm, std::vector<std::uint32_t> gpc)
      : partitions_(hbm.channels >= l2.partitions && l2.sets() % l2.partitions == 0 ? l2.partitions : 1),
        slices_(hbm.channels),
        sets_(static_cast<std::uint32_t>(l2.sets() / partitions_)),
        copies_(l2.copies && partitions_ > 1),
        gpc_(std::move(gpc)) {
    std::vector<std::uint32_t> sms(1);
    for (const std::uint32_t g : gpc_) {
      if (g >= sms.size()) sms.resize(g + 1);
      ++sms[g];
    }
    gpcs_ = static_cast<std::uint32_t>(sms.size());
    if (!gpc_.empty())
      largest_gpc_share_ = static_cast<double>(*std::max_element(sms.begin(), sms.end())) / static_cast<double>(gpc_.size());
    for (std::uint32_t s = 0; s < slices_; ++s)
      partition_of_.push_back(static_cast<std::uint32_t>(std::uint64_t{s} * partitions_ / slices_));
    for (std::uint32_t p = 0; p <= partitions_; ++p) {
      first_slice_.push_back(
          static_cast<std::uint32_t>(std::lower_bound(partition_of_.begin(), partition_of_.end(), p) - partition_of_.begin()));
    }
  }

  [[nodiscard]] std::uint32_t partitions() const { return partitions_; }
  [[nodiscard]] bool copies() const { return copies_; }
  [[nodiscard]] std::uint32_t slices() const { return slices_; }
  [[nodiscard]] std::uint32_t sets() const { return sets_; }  ///< Of one partition.
  [[nodiscard]] std::uint32_t begin(std::uint32_t partition) const { return partition * sets_; }
  [[nodiscard]] std::uint32_t partition(std::uint32_t slice) const { return partition_of_[slice]; }
  /// The slice of `partition` in which a copy of a line of the slice `home` is kept.
  [[nodiscard]] std::uint32_t beside(std::uint32_t home, std::uint32_t partition) const {
    const std::uint32_t number = home - first_slice_[partition_of_[home]];
    const std::uint32_t there = first_slice_[partition + 1] - first_slice_[partition];
    return first_slice_[partition] + (number < there ? number : number % there);
  }

  // Inputs of every slice: the GPCs, the copy engine, the partitions.
  [[nodiscard]] std::uint32_t inputs() const { return first_way_in() + (copies_ ? partitions_ : 0); }
  [[nodiscard]] std::uint32_t first_way_in() const { return gpcs_ + 1; }
  [[nodiscard]] std::uint32_t way_in(std::uint32_t from_partition) const { return first_way_in() + from_partition; }
  [[nodiscard]] std::uint32_t input(std::uint32_t sm) const { return gpc_.empty() ? 0 : sm < gpc_.size() ? gpc_[sm] : gpcs_; }
  /// The SMs of the largest GPC, of all: sustained bandwidth is measured with all SMs reading alike, so the port of a largest GPC, which
  /// ends last, is what it shows.
  [[nodiscard]] double largest_gpc_share() const { return largest_gpc_share_; }

 private:
  std::uint32_t partitions_, slices_, sets_;
  bool copies_;
  std::vector<std::uint32_t> gpc_;  ///< By SM.
  std::uint32_t gpcs_ = 1;
  double largest_gpc_share_ = 1;
  std::vector<std::uint32_t> partition_of_;  ///< By slice.
  std::vector<std::uint32_t> first_slice_;   ///< By partition, and one past the last.
};

}  // namespace rooftrace
