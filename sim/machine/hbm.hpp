// HBM: independent channels, each a first-come-first-served pipe of whole sectors.
//
// A read sector costs sector / (channel bandwidth * read_efficiency), a written one sector / (channel bandwidth * write_efficiency): these
// constants stand for refresh and read/write turnaround. Every change of a channel's reads to another interleave chunk opens a row, and a
// channel can open one only every `activate` seconds: streams never notice, lone sectors at random are limited by it. Writes wait in
// buffers until they come by rows, so they open none here. Not modeled: banks and their row hits, the
// order within a channel, bursts longer than a sector.
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
        write_cost_(Channel::cost(sector_bytes, spec.bandwidth / spec.channels * spec.write_efficiency)),
        activate_cost_(Channel::cost(spec.activate, 1)),
        rows_(spec.channels) {}

  /// The interleave chunk of an address: what stays on one channel.
  [[nodiscard]] std::uint64_t chunk(std::uint64_t address) const { return map_.chunk(address); }
  [[nodiscard]] std::uint32_t channel(std::uint64_t chunk) const { return map_.channel_of_chunk(chunk); }
  [[nodiscard]] const ChannelMap& map() const { return map_; }
  Time read_channel(Time now, std::uint32_t channel, std::uint64_t chunk, std::uint32_t sectors) {
    return send(now, channel, chunk, sectors * read_cost_);
  }
  Time read_chunk(Time now, std::uint64_t chunk, std::uint32_t sectors) {
    return send(now, map_.channel_of_chunk(chunk), chunk, sectors * read_cost_);
  }
  Time write(Time now, std::uint64_t address, std::uint32_t sectors) {
    return channels_[map_.channel(address)].send(now, sectors * write_cost_);
  }

 private:
  struct Rows {
    Channel activates;  ///< Opens one row after the other.
    std::uint64_t open = ~std::uint64_t{0};
  };

  Time send(Time now, std::uint32_t channel, std::uint64_t chunk, Channel::Cost cost) {
    const Time moved = channels_[channel].send(now, cost);
    Rows& rows = rows_[channel];
    if (rows.open == chunk || activate_cost_ == 0) return moved;
    rows.open = chunk;
    const Time opened = rows.activates.send(now, activate_cost_);
    return opened > moved ? opened : moved;
  }

  ChannelMap map_;
  std::vector<Channel> channels_;
  Channel::Cost read_cost_;
  Channel::Cost write_cost_;
  Channel::Cost activate_cost_;
  std::vector<Rows> rows_;
};

}  // namespace rooftrace
