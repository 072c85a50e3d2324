// HBM: independent channels, each with a data bus, banks and a bus direction.
//
// Bus. Bursts follow each other first come, first served, at the rate of the pins less what refreshes of all banks take and what the
// controller leaves idle (DramTiming::read_share). A piece of a burst costs a whole one.
//
// Banks. An interleave chunk lies in one row of one bank, found by a hash. Its first sector opens the row unless it is the one that the
// bank has open; a bank opens one every row_cycle, a pseudo channel one every `activate`, or `activate_same_group` after one in the same
// bank group. What waits for its row lets others pass on the bus (a controller that reorders without limit). So streams never notice,
// and lone sectors at random are limited by it.
//
// Direction. Writes wait in a buffer and come in batches of write_batch bytes by rows, so they open none here; a batch turns the pins to
// writes and back. In every busy period of a channel as many batches are charged as the rarer direction has, burst by burst (writes
// alone never turn). Sums only, so the order of reads and writes at one time makes no difference, which shortcuts need.
//
// Refresh. Banks that refresh answer nobody: a row opens 0 to `refresh` later than it could, while others use the bus, and the longest of
// many reads at once waits nearly all of it. When an access meets a refresh has nothing to do with its data, so the phase is
// drawn by a hash of the chunk: alike in every layer and run. Source of the numbers: dram_timing.cpp. Not modeled: the order within a
// channel, rows of several chunks, rows that writes open, the phase of one refresh seen by several chunks.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

#include "sim/engine/channel.hpp"
#include "sim/machine/address_map.hpp"
#include "sim/machine/machine_spec.hpp"

namespace rooftrace {

/// What a hash draws for a chunk: how long a read of it waits for a refresh, and its bank. In 32 bits, for loops that the compiler can
/// turn into vectors.
class ChunkHash {
 public:
  explicit ChunkHash(const DramTiming& dram)
      : share_(dram.refresh_interval > 0 ? static_cast<std::uint32_t>(dram.refresh / dram.refresh_interval * 0x1p32) : 0),
        banks_(dram.pseudo_channels * dram.banks),
        interval_(static_cast<std::uint64_t>(from_seconds(dram.refresh_interval))) {}

  [[nodiscard]] static std::uint32_t of(std::uint32_t chunk) {
    std::uint32_t hash = chunk * 0x9E3779B1U;
    hash = (hash ^ hash >> 15) * 0x85EBCA6BU;
    return hash ^ hash >> 13;
  }
  /// What is left of the refresh that the read meets, in units of 2^-32 intervals; 0: it meets none.
  [[nodiscard]] std::uint32_t left(std::uint32_t hash) const { return hash < share_ ? share_ - hash : 0; }
  [[nodiscard]] std::uint32_t bank(std::uint32_t hash) const { return hash & (banks_ - 1); }
  [[nodiscard]] Time wait(std::uint32_t left) const { return static_cast<Time>(left * interval_ >> 32); }
  [[nodiscard]] std::uint32_t banks() const { return banks_; }  ///< Of a channel.

 private:
  std::uint32_t share_;     ///< Of the interval that a refresh takes, times 2^32.
  std::uint32_t banks_;     ///< Of a channel; a power of two.
  std::uint64_t interval_;  ///< ps; less than 2^32.
};

class Hbm {
 public:
  Hbm(const HbmSpec& spec, std::uint32_t sector_bytes);

  /// The interleave chunk of an address: what stays on one channel.
  [[nodiscard]] std::uint64_t chunk(std::uint64_t address) const { return map_.chunk(address); }
  [[nodiscard]] std::uint32_t channel(std::uint64_t chunk) const { return map_.channel_of_chunk(chunk); }
  [[nodiscard]] const ChannelMap& map() const { return map_; }
  [[nodiscard]] const ChunkHash& hash() const { return hash_; }
  /// Sectors that move when those of a line (a mask) are asked for: whole bursts.
  [[nodiscard]] std::uint32_t moved(std::uint32_t mask) const {
    return static_cast<std::uint32_t>(std::popcount(burst_sectors_ == 1 ? mask : whole_bursts(mask)));
  }

  /// For callers that have drawn the chunk's hash and found the channel themselves. `bank`: bank_index(). `sectors`: as moved() counts
  /// them.
  Time read_bank(Time now, std::uint32_t channel, std::uint32_t chunk, std::uint32_t bank, std::uint32_t sectors, std::uint32_t left) {
    const Time moved = buses_[channel].read(now, sectors * sector_cost_, sectors, turn_cost_);
    const Time opened = rows_limited_ ? open_row(now, chunk, bank) : now + burst_;
    const Time there = opened + hash_.wait(left);
    return there > moved ? there : moved;
  }
  /// Of a bank among those of all channels.
  [[nodiscard]] static std::uint32_t bank_index(const ChunkHash& hash, std::uint32_t channel, std::uint32_t drawn) {
    return channel * hash.banks() + hash.bank(drawn);
  }
  Time read_chunk(Time now, std::uint64_t chunk, std::uint32_t sectors) {
    const auto low = static_cast<std::uint32_t>(chunk);
    const std::uint32_t drawn = ChunkHash::of(low), channel = map_.channel_of_chunk(chunk);
    return read_bank(now, channel, low, bank_index(hash_, channel, drawn), sectors, hash_.left(drawn));
  }
  Time write(Time now, std::uint64_t address, std::uint32_t sectors) {
    return buses_[map_.channel(address)].write(now, sectors * sector_cost_, sectors, turn_cost_);
  }

 private:
  /// A pipe (as Channel) that knows how many more sectors it has read than written in this busy period. What evens out the lead of the
  /// other direction pays for turns: min(reads, writes) sectors in all.
  struct Bus {
    Channel::Cost end = 0;
    std::int64_t ahead = 0;

    Time read(Time now, Channel::Cost cost, std::int64_t sectors, Channel::Cost turn) {
      const Channel::Cost start = begin(now);
      if (ahead < 0) cost += static_cast<Channel::Cost>(std::min(-ahead, sectors)) * turn;
      ahead += sectors;
      return through(start + cost);
    }
    Time write(Time now, Channel::Cost cost, std::int64_t sectors, Channel::Cost turn) {
      const Channel::Cost start = begin(now);
      if (ahead > 0) cost += static_cast<Channel::Cost>(std::min(ahead, sectors)) * turn;
      ahead -= sectors;
      return through(start + cost);
    }
    Channel::Cost begin(Time now) {
      const Channel::Cost start = static_cast<Channel::Cost>(now) << Channel::kFraction;
      const bool idle = end <= start;
      ahead = idle ? 0 : ahead;
      return idle ? start : end;
    }
    Time through(Channel::Cost until) {
      end = until;
      return static_cast<Time>((until + (Channel::Cost{1} << Channel::kFraction) - 1) >> Channel::kFraction);
    }
  };
  struct Bank {
    Time free = 0;  ///< When it can open the next row.
    std::uint32_t row = ~std::uint32_t{0};
  };
  struct Rows {
    Time next = 0;  ///< When a pseudo channel can open a row in another bank group than the last one's.
    std::uint32_t group = ~std::uint32_t{0};
  };

  /// Without branches that depend on the hash: no host can predict them.
  Time open_row(Time now, std::uint32_t chunk, std::uint32_t bank) {
    Bank& b = banks_[bank];
    if (b.row == chunk) return std::max(b.free - row_cycle_, now) + burst_;
    b.row = chunk;
    const std::uint32_t group = bank >> group_shift_;
    Rows& rows = rows_[bank >> pseudo_shift_];
    const Time slot = std::max(now, rows.next + (same_group_ & -static_cast<Time>(rows.group == group)));
    rows.next = slot + activate_;
    rows.group = group;
    const Time start = std::max(slot, b.free);
    b.free = start + row_cycle_;
    return start + burst_;
  }
  [[nodiscard]] std::uint32_t whole_bursts(std::uint32_t mask) const;

  ChannelMap map_;
  ChunkHash hash_;
  std::uint32_t burst_sectors_;               ///< At least 1.
  std::uint32_t pseudo_shift_, group_shift_;  ///< From a bank's index to that of its pseudo channel and of its bank group.
  Channel::Cost sector_cost_;
  Channel::Cost turn_cost_;  ///< A written sector's share of its batch's turnaround.
  Time burst_, row_cycle_, activate_;
  Time same_group_;  ///< Beyond activate_.
  bool rows_limited_;
  std::vector<Bus> buses_;
  std::vector<Bank> banks_;
  std::vector<Rows> rows_;  ///< Of every pseudo channel.
};

}  // namespace rooftrace
