// HBM: independent channels, each a first-come-first-served pipe of whole sectors.
//
// A read sector costs sector / (channel bandwidth * read_efficiency), a written one sector / (channel bandwidth * write_efficiency): these
// constants stand for refresh and read/write turnaround. Every change of a channel's reads to another interleave chunk opens a row, and a
// channel can open one only every `activate` seconds: streams never notice, lone sectors at random are limited by it. Writes wait in
// buffers until they come by rows, so they open none here.
//
// A channel that refreshes its rows answers nobody: what is read then waits for the end of it, 0 to `refresh` seconds, and the longest of
// many reads at once nearly all of them. When an access meets its channel's refresh has nothing to do with its data, so the phase is drawn
// by a hash of the chunk: alike in every layer and run. Only the wait is added; the share of bandwidth that refresh takes is inside
// read_efficiency. Source: JESD235 (interval and time of a refresh, from memory); the tail of single loads on an idle H100 PCIe
// (tospe/cam_with_gpu calib-fit, lat_hist: 50 % 715, 90 % 791, 99 % 1,038 cycles). Not modeled: banks and their row hits, the order within
// a channel, bursts longer than a sector, the phase of one refresh seen by several chunks.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/engine/channel.hpp"
#include "sim/machine/address_map.hpp"
#include "sim/machine/machine_spec.hpp"

namespace rooftrace {

/// How long a read of a chunk waits for its channel's refresh.
class RefreshWait {
 public:
  RefreshWait(double refresh, double interval)
      : share_(interval > 0 ? static_cast<std::uint32_t>(refresh / interval * 0x1p32) : 0),
        interval_(static_cast<std::uint64_t>(from_seconds(interval))) {}

  /// What is left of the refresh that the read meets, in units of 2^-32 intervals; 0: it meets none. In 32 bits, for loops that the
  /// compiler can turn into vectors.
  [[nodiscard]] std::uint32_t left(std::uint32_t chunk) const {
    std::uint32_t phase = chunk * 0x9E3779B1U;
    phase = (phase ^ phase >> 15) * 0x85EBCA6BU;
    phase ^= phase >> 13;
    return phase < share_ ? share_ - phase : 0;
  }
  [[nodiscard]] Time wait(std::uint32_t left) const { return static_cast<Time>(left * interval_ >> 32); }

 private:
  std::uint32_t share_;     ///< Of the interval that a refresh takes, times 2^32.
  std::uint64_t interval_;  ///< ps; less than 2^32.
};

class Hbm {
 public:
  Hbm(const HbmSpec& spec, std::uint32_t sector_bytes)
      : map_(spec.channels, spec.interleave),
        channels_(spec.channels),
        read_cost_(Channel::cost(sector_bytes, spec.bandwidth / spec.channels * spec.read_efficiency)),
        write_cost_(Channel::cost(sector_bytes, spec.bandwidth / spec.channels * spec.write_efficiency)),
        activate_cost_(Channel::cost(spec.activate, 1)),
        refresh_(spec.refresh, spec.refresh_interval),
        rows_(spec.channels) {}

  /// The interleave chunk of an address: what stays on one channel.
  [[nodiscard]] std::uint64_t chunk(std::uint64_t address) const { return map_.chunk(address); }
  [[nodiscard]] std::uint32_t channel(std::uint64_t chunk) const { return map_.channel_of_chunk(chunk); }
  [[nodiscard]] const ChannelMap& map() const { return map_; }
  [[nodiscard]] const RefreshWait& refresh() const { return refresh_; }
  /// For callers that have found the channel and what is left of a refresh themselves.
  Time read_channel(Time now, std::uint32_t channel, std::uint64_t chunk, std::uint32_t sectors, std::uint32_t left) {
    return send(now, channel, chunk, sectors * read_cost_, left);
  }
  Time read_chunk(Time now, std::uint64_t chunk, std::uint32_t sectors) {
    return send(now, map_.channel_of_chunk(chunk), chunk, sectors * read_cost_, refresh_.left(static_cast<std::uint32_t>(chunk)));
  }
  Time write(Time now, std::uint64_t address, std::uint32_t sectors) {
    return channels_[map_.channel(address)].send(now, sectors * write_cost_);
  }

 private:
  struct Rows {
    Channel activates;  ///< Opens one row after the other.
    std::uint64_t open = ~std::uint64_t{0};
  };

  Time send(Time now, std::uint32_t channel, std::uint64_t chunk, Channel::Cost cost, std::uint32_t left) {
    const Time moved = channels_[channel].send(now, cost) + refresh_.wait(left);
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
  RefreshWait refresh_;
  std::vector<Rows> rows_;
};

}  // namespace rooftrace
