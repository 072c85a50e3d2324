// L2 as slices: the exact form of contention, one line at a time.
//
// Every HBM channel has its slice in front of it, so a line's channel says its slice and its partition. A load goes to a slice of the
// partition beside the SM; where that is not the line's home and copies are kept, it is looked up there and what is missing is asked of the
// home slice, which has a queue for it beside those of its own GPCs. A slice serves its queues in turn (slice_inputs.hpp). A line that
// misses needs a slot until it is there (miss_slots.hpp): one to HBM, whose lack stops the whole slice, or one to another partition, whose
// lack stops what comes from the GPCs (what other partitions ask is still served, or two slices could wait for each other for ever). Hits
// wait behind misses; a hit on a line that is on its way waits for it. So blocks that follow others through the same data gain nothing by
// hitting, SMs of small GPCs and of partitions with fewer GPCs are ahead of the others, and blocks drift apart.
//
// Time goes by windows no longer than the shortest way between two parts (half of the near latency, half of a crossing), so what a part
// does in a window reaches no other before the next one, and slices can be served one after the other, each by its own clock: the order is
// that of single events. Calls of more than kMostOut lines have only so many on their way. Not modeled: queues of finite length, banks
// inside a slice, the fabric's own bandwidth; the ports of SMs and GPCs count a call when it is asked, not line by line.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "sim/engine/channel.hpp"
#include "sim/machine/address_map.hpp"
#include "sim/machine/cache.hpp"
#include "sim/machine/first_touch.hpp"
#include "sim/machine/hbm.hpp"
#include "sim/machine/l2.hpp"
#include "sim/machine/l2_state.hpp"
#include "sim/machine/lines_on_the_way.hpp"
#include "sim/machine/miss_slots.hpp"
#include "sim/machine/slice_calls.hpp"
#include "sim/machine/slice_inputs.hpp"
#include "sim/machine/slice_layout.hpp"

namespace rooftrace {

template <class Cache>
class SliceL2 final : public L2 {
 public:
  SliceL2(const L2Context& context, Cache cache)
      : spec_(*context.spec),
        layout_(spec_, *context.hbm, context.gpc),
        address_end_(context.address_end),
        page_role_(context.page_role),
        line_shift_(static_cast<std::uint32_t>(std::countr_zero(spec_.line))),
        index_(layout_.sets(), spec_.line, spec_.hash == IndexHash::hashed),
        cache_(std::move(cache)),
        first_touch_(context.address_end, spec_.line, spec_.sector),
        hbm_(*context.hbm, spec_.sector),
        lines_(line_shift_, spec_.sector),
        sector_cost_(Channel::cost(spec_.sector, spec_.peak_bandwidth / layout_.slices())),
        near_(from_seconds(spec_.latency_near)),
        crossing_(from_seconds(spec_.latency_far) - near_),
        dram_(from_seconds(context.hbm->latency) - near_) {
    const std::uint32_t slots = spec_.miss_slots != 0 ? spec_.miss_slots : default_miss_slots(spec_, *context.hbm);
    slices_.resize(layout_.slices());
    for (Slice& slice : slices_) {
      slice.in = SliceInputs(layout_.inputs());
      slice.to_dram = slice.to_home = MissSlots(slots);
    }
    ports_.assign(layout_.inputs(), RatedChannel(spec_.bandwidth * layout_.largest_gpc_share()));
    window_ = std::max<Time>(kLeastWindow, layout_.copies() ? std::min(near_ / 2, crossing_ / 2) : near_ / 2);
  }

  Time access(std::span<const Access> accesses, const Requester& who, std::uint32_t partition, Time now) override {
    const std::uint32_t index = calls_.open();
    SliceCall& call = calls_[index];
    call.input = layout_.input(who.sm);
    call.partition = partition < layout_.partitions() ? partition : 0;
    call.ticket = who.ticket;
    call.q = who.q;
    call.cache = who.cache;
    call.op = accesses.front().op;
    call.hint = accesses.front().hint;
    call.role = accesses.front().role;
    call.lines.begin(accesses);
    const std::uint64_t moved = lines_.sectors(accesses) * spec_.sector;
    book(call, moved);
    const std::uint64_t passes = call.op == AccessOp::reduce ? 2 : 1;  // an atomic reads and writes at L2
    call.ready = ports_[call.input].send(now, static_cast<double>(moved * passes)) + near_;
    feed(index, now, kMostOut);
    if (call.left != 0) return kLater;
    const Time ready = call.ready;
    calls_.close(index);
    return ready;
  }

  [[nodiscard]] Time next() const override { return next_; }

  void advance(std::vector<Answer>& answers) override {
    answers_ = &answers;
    window_end_ = next_ + window_;
    next_ = kNever;
    for (std::uint32_t s = 0; s < slices_.size(); ++s) {
      if (slices_[s].next < window_end_) run(s);
      next_ = std::min(next_, slices_[s].next);
    }
    if (calls_.none_open()) {
      for (Slice& slice : slices_) slice.in.start_over();  // so that layers that are alike meet alike turns
    }
  }

  [[nodiscard]] std::uint64_t fingerprint(const LayerFrame& frame) override {
    return fingerprint_of(cache_, spec_.sets(), first_touch_, address_end_, frame,
                          [this](std::uint32_t set, std::uint64_t tag) { return line_at(set, tag) << line_shift_; });
  }
  [[nodiscard]] bool keeps_sets(std::uint64_t bytes) const override { return index_.keeps_sets(bytes, spec_.line); }
  void forget_first_touches() override { first_touch_ = FirstTouch(address_end_, spec_.line, spec_.sector); }
  [[nodiscard]] std::vector<std::uint64_t> resident(std::uint32_t set) override {
    std::vector<std::uint64_t> out;
    for (const ResidentLine& line : cache_.lines(set)) out.push_back(line_at(set, line.tag));
    return out;
  }

 private:
  static constexpr Time kLeastWindow = 1000;          ///< ps; machines without latencies are served to the nanosecond.
  static constexpr std::uint64_t kMostOut = 1 << 16;  ///< Lines of one call on their way.
  static constexpr std::uint32_t kNoSlot = ~std::uint32_t{0};

  /// A request that waits for a slot.
  struct Held {
    LineRequest request;
    bool waits = false;
    bool looked_up = false;  ///< What misses waits to be fetched, a store to be looked up.
  };
  struct Slice {
    SliceInputs in;
    MissSlots to_dram, to_home;
    Held for_dram, for_home;
    Time clock = 0;      ///< Busy until then.
    Time next = kNever;  ///< When there is something to do, as far as known.
  };

  void book(const SliceCall& call, std::uint64_t moved) const {
    if (call.op != AccessOp::store) {
      call.q->at(LevelId::l2, call.role, Direction::read, Cause::requested) += moved;
      call.cache->sectors_read += moved / spec_.sector;
      call.cache->sectors_hit += moved / spec_.sector;  // until it misses
    }
    if (call.op != AccessOp::load) call.q->at(LevelId::l2, call.role, Direction::write, Cause::requested) += moved;
  }

  /// Sends up to `count` more lines of a call on their way.
  void feed(std::uint32_t index, Time now, std::uint64_t count) {
    SliceCall& call = calls_[index];
    LineRequest request;
    request.call = index;
    request.slot = kNoSlot;
    for (; count > 0 && lines_.next(call.lines, request.line, request.sectors); --count) {
      ++call.left;
      const std::uint32_t home = slice_of(request.line);
      request.remote = layout_.partition(home) != call.partition;
      request.at_home = !request.remote || !layout_.copies();
      if (request.at_home) {
        put(home, call.input, now + near_ / 2 + (request.remote ? crossing_ / 2 : 0), request);
      } else {
        put(layout_.beside(home, call.partition), call.input, now + near_ / 2, request);
      }
    }
  }

  [[nodiscard]] std::uint32_t slice_of(std::uint64_t line) const { return hbm_.channel(hbm_.chunk(line << line_shift_)); }

  void put(std::uint32_t s, std::uint32_t input, Time arrival, const LineRequest& request) {
    slices_[s].in.push(input, arrival, request);
    wake(s, arrival);
  }
  void wake(std::uint32_t s, Time at) {
    Slice& slice = slices_[s];
    if (at >= slice.next) return;
    slice.next = at;
    next_ = std::min(next_, at);
  }

  /// The host starts to fetch what serving this request will need.
  void prefetch(std::uint32_t s, const LineRequest& request) const {
    const std::uint32_t partition = layout_.partition(s);
    cache_.prefetch(layout_.begin(partition) + index_.locate(request.line).set);
    on_the_way_.prefetch(request.line, partition);
    if (request.at_home) static_cast<void>(first_touch_.find(request.line));
  }

  /// Serves a slice to the end of the window.
  void run(std::uint32_t s) {
    Slice& slice = slices_[s];
    while (slice.clock < window_end_) {
      if (slice.for_dram.waits) {
        if (!slice.to_dram.free(slice.clock)) {
          slice.clock = slice.to_dram.next();
          continue;
        }
        slice.for_dram.waits = false;
        look_up_home(s, slice.for_dram.request, slice.for_dram.looked_up);
        continue;
      }
      if (slice.for_home.waits && slice.to_home.free(slice.clock)) {
        slice.for_home.waits = false;
        ask_home(s, slice.for_home.request);
      }
      const std::uint32_t first = slice.for_home.waits ? layout_.first_way_in() : 0;
      const std::uint32_t input = slice.in.turn(slice.clock, first);
      if (input == slice.in.inputs()) {
        Time at = slice.in.earliest(first);
        if (slice.for_home.waits) at = std::min(at, slice.to_home.next());
        if (at >= window_end_) {
          slice.next = at;
          return;
        }
        slice.clock = std::max(slice.clock, at);
        continue;
      }
      const LineRequest request = slice.in.take(input);
      if (!slice.in.empty(input)) prefetch(s, slice.in.front(input));
      const auto asked = static_cast<Channel::Cost>(std::popcount(request.sectors));
      slice.clock += static_cast<Time>((asked * sector_cost_ + (Channel::Cost{1} << Channel::kFraction) - 1) >> Channel::kFraction);
      if (request.at_home) {
        look_up_home(s, request, false);
      } else {
        look_up_copy(s, request);
      }
    }
    slice.next = slice.clock;
  }

  /// Beside the requester, in a slice that is not the line's home.
  void look_up_copy(std::uint32_t s, LineRequest request) {
    Slice& slice = slices_[s];
    SliceCall& call = calls_[request.call];
    if (call.op != AccessOp::load) {  // what is written goes home
      request.at_home = true;
      call.cache->fabric_bytes += static_cast<std::uint32_t>(std::popcount(request.sectors)) * spec_.sector;
      put(slice_of(request.line), layout_.way_in(call.partition), slice.clock + crossing_ / 2, request);
      return;
    }
    const SetAndTag where = index_.locate(request.line);
    const std::uint32_t missing = touch(s, layout_.begin(call.partition) + where.set, where.tag, request.sectors, call);
    if (missing == 0) {
      const LinesOnTheWay::Note* note = on_the_way_.find(request.line, call.partition);
      if (note != nullptr && note->until == kLater) {
        on_the_way_.wait(note->slot, request.call, slice.clock);
      } else {
        finish(request.call, std::max(slice.clock, note != nullptr ? note->until : 0) + near_ - near_ / 2);
      }
      return;
    }
    request.sectors = static_cast<std::uint16_t>(missing);
    if (slice.to_home.free(slice.clock)) {
      ask_home(s, request);
    } else {
      slice.for_home = {request, true, true};
    }
  }

  void ask_home(std::uint32_t s, LineRequest request) {
    SliceCall& call = calls_[request.call];
    slices_[s].to_home.take();
    call.cache->fabric_bytes += static_cast<std::uint32_t>(std::popcount(request.sectors)) * spec_.sector;
    request.slot = on_the_way_.open(request.line, call.partition, s);
    request.at_home = true;
    put(slice_of(request.line), layout_.way_in(call.partition), slices_[s].clock + crossing_ / 2, request);
  }

  /// In the line's home. `looked_up`: before, it missed, and has waited for a slot.
  void look_up_home(std::uint32_t s, const LineRequest& request, bool looked_up) {
    Slice& slice = slices_[s];
    SliceCall& call = calls_[request.call];
    const bool writes = call.op != AccessOp::load;
    // A store that pushes dirty lines out, or goes through, needs a slot as a miss does: buffers are finite.
    if (writes && !looked_up && !slice.to_dram.free(slice.clock)) {
      slice.for_dram = {request, true, false};
      return;
    }
    std::uint32_t missing = request.sectors;
    if (!looked_up) {
      const SetAndTag where = index_.locate(request.line);
      const std::uint32_t partition = layout_.partition(s);
      missing = touch(s, layout_.begin(partition) + where.set, where.tag, request.sectors, call);
      for (std::uint32_t p = 0; writes && layout_.copies() && p < layout_.partitions(); ++p) {
        if (p != partition) cache_.drop(layout_.begin(p) + where.set, where.tag);
      }
    }
    if (missing == 0) {
      const LinesOnTheWay::Note* note = on_the_way_.find(request.line, layout_.partition(s));
      answer(request, std::max(slice.clock, note != nullptr && call.op != AccessOp::store ? note->until : 0));
    } else if (call.op == AccessOp::store) {
      static_cast<void>(first_touch_.mark(first_touch_.find(request.line), request.line, missing));
      if (call.hint == CacheHint::no_allocate) write_back(s, request.line, missing, call);
      answer(request, slice.clock);
    } else if (!slice.to_dram.free(slice.clock)) {
      slice.for_dram = {request, true, true};
      slice.for_dram.request.sectors = static_cast<std::uint16_t>(missing);
    } else {
      fetch(s, request, missing);
    }
  }

  void fetch(std::uint32_t s, const LineRequest& request, std::uint32_t missing) {
    Slice& slice = slices_[s];
    SliceCall& call = calls_[request.call];
    const auto sectors = static_cast<std::uint32_t>(std::popcount(missing));
    const auto fresh = static_cast<std::uint32_t>(std::popcount(first_touch_.mark(first_touch_.find(request.line), request.line, missing)));
    call.q->at(LevelId::hbm, call.role, Direction::read, Cause::compulsory) += std::uint64_t{fresh} * spec_.sector;
    call.q->at(LevelId::hbm, call.role, Direction::read, Cause::refetch) += std::uint64_t{sectors - fresh} * spec_.sector;
    call.cache->sectors_hit -= sectors;
    const Time there = hbm_.read_chunk(slice.clock, hbm_.chunk(request.line << line_shift_), hbm_.moved(missing)) + dram_;
    slice.to_dram.take(there);
    on_the_way_.note(request.line, layout_.partition(s), there);
    answer(request, there);
  }

  /// The line is in its home slice at `there`.
  void answer(const LineRequest& request, Time there) {
    const Time rest = near_ - near_ / 2;
    const Time back = there + (request.remote ? crossing_ - crossing_ / 2 : 0);
    finish(request.call, back + rest);
    if (request.slot == kNoSlot) return;
    const std::uint32_t beside = on_the_way_.slice(request.slot);
    slices_[beside].to_home.release(back);
    if (slices_[beside].for_home.waits) wake(beside, back);
    on_the_way_.arrive(request.slot, back, [&](std::uint32_t call, Time since) { finish(call, std::max(since, back) + rest); });
  }

  void finish(std::uint32_t index, Time ready) {
    SliceCall& call = calls_[index];
    call.ready = std::max(call.ready, ready);
    --call.left;
    if (!call.lines.done) feed(index, window_end_, 1);
    if (call.left != 0) return;
    answers_->push_back({call.ticket, call.ready});
    calls_.close(index);
  }

  /// Returns the sectors that were not there.
  std::uint32_t touch(std::uint32_t s, std::uint32_t set, std::uint64_t tag, std::uint32_t sectors, SliceCall& call) {
    const Touch touch = cache_.touch(set, tag, sectors, call.op != AccessOp::load, call.hint);
    if (touch.victim_dirty != 0) write_back(s, line_at(set, touch.victim_tag), touch.victim_dirty, call);
    return sectors & ~touch.valid;
  }

  void write_back(std::uint32_t s, std::uint64_t line, std::uint32_t dirty, SliceCall& call) {
    const std::uint64_t address = line << line_shift_;
    const auto sectors = static_cast<std::uint32_t>(std::popcount(dirty));
    const Time through = hbm_.write(slices_[s].clock, address, hbm_.moved(dirty));
    slices_[s].to_dram.take(through);
    call.ready = std::max(call.ready, through);
    const std::uint64_t page = address / kPageBytes;
    const TensorRole role = page < page_role_->size() ? (*page_role_)[page] : TensorRole::activations;
    call.q->at(LevelId::hbm, role, Direction::write, Cause::write_back) += std::uint64_t{sectors} * spec_.sector;
  }

  [[nodiscard]] std::uint64_t line_at(std::uint32_t set, std::uint64_t tag) const {
    return index_.line(static_cast<std::uint32_t>(set % layout_.sets()), tag);
  }

  L2Spec spec_;
  SliceLayout layout_;
  std::uint64_t address_end_;
  const std::vector<TensorRole>* page_role_;
  std::uint32_t line_shift_;
  IndexMap index_;
  Cache cache_;
  FirstTouch first_touch_;
  Hbm hbm_;
  LineCutter lines_;
  Channel::Cost sector_cost_;
  Time near_, crossing_;  ///< The whole way to a slice beside the SM and back; what another partition adds.
  Time dram_;             ///< From a slice to HBM and back.
  Time window_ = 0, window_end_ = 0;
  Time next_ = kNever;
  std::vector<Slice> slices_;
  std::vector<RatedChannel> ports_;  ///< By input.
  SliceCalls calls_;
  LinesOnTheWay on_the_way_;
  std::vector<Answer>* answers_ = nullptr;
};

}  // namespace rooftrace
