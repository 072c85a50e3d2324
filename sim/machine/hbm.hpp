// HBM: independent channels, each a first-come-first-served pipe of whole sectors.
//
// A read sector costs sector / (channel bandwidth * read_efficiency), a written one sector / (channel bandwidth * write_efficiency): the
// constant stands for activates, refresh and read/write turnaround. Not modeled: banks, rows, the order within a channel, the cost of lone
// 32 B sectors.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/engine/channel.hpp"
#include "sim/machine/address_map.hpp"
#include "sim/machine/machine_spec.hpp"

namespace rooftrace {

class Hbm {
 public:
  Hbm(const HbmSpec& spec, std::uint32_t sector_bytes)
      : map_(spec.channels, spec.interleave),
        channels_(spec.channels),
        read_cost_(Channel::cost(sector_bytes, spec.bandwidth / spec.channels * spec.read_efficiency)),
        write_cost_(Channel::cost(sector_bytes, spec.bandwidth / spec.channels * spec.write_efficiency)) {}

  /// The interleave chunk of an address: what stays on one channel.
  [[nodiscard]] std::uint64_t chunk(std::uint64_t address) const { return map_.chunk(address); }
  [[nodiscard]] const ChannelMap& map() const { return map_; }
  Time read_channel(Time now, std::uint32_t channel, std::uint32_t sectors) { return channels_[channel].send(now, sectors * read_cost_); }
  Time read_chunk(Time now, std::uint64_t chunk, std::uint32_t sectors) {
    return channels_[map_.channel_of_chunk(chunk)].send(now, sectors * read_cost_);
  }
  Time write(Time now, std::uint64_t address, std::uint32_t sectors) {
    return channels_[map_.channel(address)].send(now, sectors * write_cost_);
  }

 private:
  ChannelMap map_;
  std::vector<Channel> channels_;
  Channel::Cost read_cost_;
  Channel::Cost write_cost_;
};

}  // namespace rooftrace
