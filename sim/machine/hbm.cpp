// Costs of one channel from a machine's numbers.
//
// A sector costs its bytes (a burst's, where that is larger) at the channel's share of the pins' rate. A batch of writes costs one
// turnaround of one pseudo channel's pins, that is 1 / pseudo_channels of the channel, and every sector of it pays alike.
#include "sim/machine/hbm.hpp"

#include <bit>

namespace rooftrace {

Hbm::Hbm(const HbmSpec& spec, std::uint32_t sector_bytes)
    : map_(spec.channels, spec.interleave),
      hash_(spec.dram),
      burst_sectors_(std::max(1U, spec.dram.burst / sector_bytes)),
      pseudo_shift_(static_cast<std::uint32_t>(std::countr_zero(spec.dram.banks))),
      group_shift_(static_cast<std::uint32_t>(std::countr_zero(spec.dram.banks / spec.dram.bank_groups))),
      sector_cost_(Channel::cost(sector_bytes, spec.bandwidth / spec.channels * spec.dram.read_share())),
      turn_cost_(Channel::cost(spec.dram.turnaround * sector_bytes / spec.dram.write_batch / spec.dram.pseudo_channels, 1)),
      burst_(static_cast<Time>((burst_sectors_ * sector_cost_ + (Channel::Cost{1} << Channel::kFraction) - 1) >> Channel::kFraction)),
      row_cycle_(from_seconds(spec.dram.row_cycle)),
      activate_(from_seconds(spec.dram.activate)),
      same_group_(std::max(Time{0}, from_seconds(spec.dram.activate_same_group) - activate_)),
      rows_limited_(row_cycle_ > 0 || activate_ > 0),
      buses_(spec.channels),
      banks_(static_cast<std::size_t>(spec.channels) * hash_.banks()),
      rows_(static_cast<std::size_t>(spec.channels) * spec.dram.pseudo_channels) {}

/// The mask with every burst of which a sector is asked for filled.
std::uint32_t Hbm::whole_bursts(std::uint32_t mask) const {
  for (std::uint32_t step = 1; step < burst_sectors_; step *= 2) {
    std::uint32_t low = 0;  // sectors that are the first half of a pair of `step`
    for (std::uint32_t at = 0; at < 16; at += 2 * step) low |= ((1U << step) - 1) << at;
    mask |= (mask & low) << step | (mask >> step & low);
  }
  return mask;
}

}  // namespace rooftrace
