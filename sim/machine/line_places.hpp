// Where a line may lie in an L2 of several partitions: at home, and as copies beside the SMs that read it.
//
// The index gives each line one set, and so one home partition: the one whose range of sets it falls into. With copies, an SM looks first
// into the partition beside it, where a line of another partition may lie as a copy in the set of the same number; the low bits of the
// stored tag say how many partitions further round the home is (0: this is it). Copies are clean, take part in replacement like any line,
// and are dropped when the line is written. Source: NVIDIA A100 whitepaper (each partition caches for the GPCs beside it); that copies
// compete with homes on equal terms is what the measured curve of read bandwidth against working set shows (validation/DEVIATIONS.md).
// Not modeled: which addresses belong to which partition of any GPU (that map is secret).
#pragma once

#include <bit>
#include <cstdint>

#include "sim/machine/address_map.hpp"
#include "sim/machine/machine_spec.hpp"

namespace rooftrace {

class LinePlaces {
 public:
  explicit LinePlaces(const L2Spec& spec)
      : partitions_(spec.partitions),
        sets_(static_cast<std::uint32_t>(spec.sets() / spec.partitions)),
        copies_(spec.copies && spec.partitions > 1),
        tag_shift_(copies_ ? static_cast<std::uint32_t>(std::bit_width(spec.partitions - 1U)) : 0) {}

  [[nodiscard]] bool copies() const { return copies_; }
  [[nodiscard]] std::uint32_t tag_shift() const { return tag_shift_; }  ///< Bits that a stored tag has below the index's tag.
  [[nodiscard]] std::uint32_t sets() const { return sets_; }            ///< Of one partition.
  [[nodiscard]] std::uint32_t begin(std::uint32_t partition) const { return partition * sets_; }
  [[nodiscard]] std::uint32_t partition(std::uint32_t set) const { return set / sets_; }

  /// Set and stored tag of the copy in `partition` of the line at `home` (its home, with the stored tag); the home itself for its
  /// partition.
  [[nodiscard]] SetAndTag copy(const SetAndTag& home, std::uint32_t partition) const {
    const std::uint32_t at = partitions_ == 2 ? (home.set >= sets_ ? 1 : 0) : home.set / sets_;
    const std::uint32_t further = at >= partition ? at - partition : at + partitions_ - partition;
    return {home.set - at * sets_ + partition * sets_, home.tag | further};
  }
  [[nodiscard]] std::uint64_t home_tag(std::uint64_t tag) const { return tag & ~low_mask(); }
  [[nodiscard]] std::uint32_t home_set(std::uint32_t set, std::uint64_t tag) const {
    const auto further = static_cast<std::uint32_t>(tag & low_mask());
    if (further == 0) return set;
    const std::uint32_t moved = set + further * sets_;
    return moved >= partitions_ * sets_ ? moved - partitions_ * sets_ : moved;
  }

 private:
  [[nodiscard]] std::uint64_t low_mask() const { return (std::uint64_t{1} << tag_shift_) - 1; }

  std::uint32_t partitions_, sets_;
  bool copies_;
  std::uint32_t tag_shift_;
};

}  // namespace rooftrace
