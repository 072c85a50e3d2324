// The fine form of contention in L2: slices with queues and a finite number of outstanding misses.
//
// Every HBM channel has its slice in front of it. A slice serves one line after the other; a line that misses needs one of the slice's miss
// slots, held until DRAM has answered. When none is free the slice stands still, and hits wait behind misses: so a block that follows
// another through the same data gains nothing by hitting, and blocks drift apart as they do on real machines. A hit on a line that is still
// on its way waits for it. L2's sustained bandwidth is shared out to the ports of the GPCs, and a slice takes turns among the GPCs: an SM
// of a large GPC shares port and queue with more SMs and waits longer, in proportion to the number of SMs (the wait of the smallest GPC is
// the slice's own). The cheap form (one pipe for the whole L2) has none of this. Not modeled: the order among requests of one call, banks
// inside a slice, queues of finite length in front of slices.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "sim/core/time.hpp"
#include "sim/engine/channel.hpp"
#include "sim/machine/machine_spec.hpp"

namespace rooftrace {

class SliceQueues {
 public:
  /// `slices`: one per HBM channel. `dram`: from the slice to DRAM and back. `gpc`: by SM, which GPC it is in.
  SliceQueues(const L2Spec& l2, std::uint32_t slices, Time dram, std::vector<std::uint32_t> gpc)
      : slots_(l2.miss_slots),
        dram_(dram),
        sector_cost_(Channel::cost(l2.sector, l2.peak_bandwidth / slices)),
        slices_(slices),
        busy_until_(static_cast<std::size_t>(slices) * slots_),
        in_flight_(kInFlight),
        gpc_(std::move(gpc)) {
    std::vector<std::uint32_t> sms(1);
    for (const std::uint32_t g : gpc_) {
      if (g >= sms.size()) sms.resize(g + 1);
      ++sms[g];
    }
    ports_.assign(sms.size(), RatedChannel(l2.bandwidth / static_cast<double>(sms.size())));
    const std::uint32_t fewest = std::max(1U, *std::min_element(sms.begin(), sms.end()));
    for (const std::uint32_t g : gpc_) waits_.push_back(static_cast<double>(sms[g]) / fewest);
  }

  [[nodiscard]] std::uint32_t slices() const { return static_cast<std::uint32_t>(slices_.size()); }

  /// The port of the requester's GPC: when `bytes` are through. (The copy engine has a port's share to itself: it has none of its own
  /// here.)
  Time port(std::uint32_t sm, Time now, std::uint64_t bytes) {
    return ports_[sm < gpc_.size() ? gpc_[sm] : 0].send(now, static_cast<double>(bytes));
  }
  /// How much longer than a slice's own queue an SM's request waits.
  [[nodiscard]] double wait(std::uint32_t sm) const { return sm < waits_.size() ? waits_[sm] : 1; }

  /// Looks a line up in `slice`: when it is through.
  Time serve(std::uint32_t slice, Time now, std::uint32_t sectors) { return slices_[slice].pipe.send(now, sectors * sector_cost_); }

  /// A free miss slot of `slice`, from `from` on: when it can be used. The slice stands still until then.
  Time take_slot(std::uint32_t slice, Time from) {
    Slice& s = slices_[slice];
    const Time free = busy_until_[slice * slots_ + s.next];
    if (free <= from) return from;
    s.pipe.send(free, 0);
    return free;
  }
  /// The slot taken last is free again at `until`.
  void hold_slot(std::uint32_t slice, Time until) {
    Slice& s = slices_[slice];
    busy_until_[slice * slots_ + s.next] = until;
    s.next = s.next + 1 == slots_ ? 0 : s.next + 1;
  }
  [[nodiscard]] Time dram() const { return dram_; }

  void on_its_way(std::uint64_t line, Time until) { in_flight_[line % kInFlight] = {line, until}; }
  /// When a line that is present can be read: `now`, or when it arrives. (A line whose note was overwritten counts as arrived.)
  [[nodiscard]] Time arrived(std::uint64_t line, Time now) const {
    const Arrival& a = in_flight_[line % kInFlight];
    return a.line == line && a.until > now ? a.until : now;
  }

 private:
  static constexpr std::size_t kInFlight = 1 << 15;  ///< Notes of lines on their way; more than all miss slots together.
  struct Slice {
    Channel pipe;
    std::uint32_t next = 0;  ///< Slots are used in turn.
  };
  struct Arrival {
    std::uint64_t line = ~std::uint64_t{0};
    Time until = 0;
  };

  std::uint32_t slots_;
  Time dram_;
  Channel::Cost sector_cost_;
  std::vector<Slice> slices_;
  std::vector<Time> busy_until_;
  std::vector<Arrival> in_flight_;
  std::vector<std::uint32_t> gpc_;   ///< By SM.
  std::vector<RatedChannel> ports_;  ///< By GPC.
  std::vector<double> waits_;        ///< By SM.
};

}  // namespace rooftrace
