// The inner loop of the simulator: L2 over one kind of tag store. Compiled once per kind (l2_portable.cpp, l2_avx512.cpp), which include
// l2_streams.hpp with the rest of it.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <span>
#include <vector>

#include "sim/machine/address_map.hpp"
#include "sim/machine/cache.hpp"
#include "sim/machine/first_touch.hpp"
#include "sim/machine/hbm.hpp"
#include "sim/machine/l2.hpp"
#include "sim/machine/line_places.hpp"
#include "sim/machine/stream_lines.hpp"

namespace rooftrace {

template <class Cache>
class L2Walk final : public L2 {
 public:
  L2Walk(const L2Context& context, Cache cache)
      : spec_(*context.spec),
        hbm_latency_(from_seconds(context.hbm->latency)),
        address_end_(context.address_end),
        page_role_(context.page_role),
        line_shift_(static_cast<std::uint32_t>(std::countr_zero(spec_.line))),
        sector_shift_(static_cast<std::uint32_t>(std::countr_zero(spec_.sector))),
        sectors_per_line_(spec_.line / spec_.sector),
        index_(spec_.sets(), spec_.line, spec_.hash == IndexHash::hashed),
        places_(spec_),
        cache_(std::move(cache)),
        first_touch_(context.address_end, spec_.line, spec_.sector),
        hbm_(*context.hbm, spec_.sector),
        pipe_(spec_.bandwidth),
        crossing_(from_seconds(spec_.latency_far) - from_seconds(spec_.latency_near)),
        streams_(Cache::kUnnamed && !context.by_line && index_.narrow() && hbm_.map().narrow() && sectors_per_line_ == 4, index_.sets(),
                 context.address_end) {}

  Time access(std::span<const Access> accesses, const Requester& who, std::uint32_t partition, Time now) override {
    const Access& like = accesses.front();
    Call call;
    call.hint = like.hint;
    call.writes = like.op != AccessOp::load;
    call.fetches = like.op != AccessOp::store;
    call.partition = partition;
    call.near_begin = places_.begin(partition);
    call.now = now;
    call.q = who.q;
    const IndexMap index = index_;  // a local copy stays in registers: no store of the lookups can change it
    for (const Access& access : accesses) {
      if constexpr (Cache::kUnnamed) {
        if (streams_.on() && count_stream(access, call)) continue;
        if (streams_.any()) name_if_known(access);
      }
      std::uint64_t row = access.address;
      for (std::uint32_t r = 0; r < access.rows; ++r, row += access.pitch) enqueue(index, row, access.row_bytes, call);
    }
    finish_batches(call);
    return settle(like, who, call);
  }

  [[nodiscard]] std::uint64_t fingerprint(const LayerFrame& frame) override;
  [[nodiscard]] bool keeps_sets(std::uint64_t bytes) const override { return index_.keeps_sets(bytes, spec_.line); }
  void forget_first_touches() override {
    name_all();
    streams_.turn_off();  // From now on a line that was never touched can be there.
    first_touch_ = FirstTouch(address_end_, spec_.line, spec_.sector);
  }
  [[nodiscard]] std::vector<std::uint64_t> resident(std::uint32_t set) override {
    name_all();
    std::vector<std::uint64_t> out;
    for (const ResidentLine& line : cache_.lines(set)) out.push_back(line_at(set, line.tag));
    return out;
  }

 private:
  // Lines wait in two small batches between being located and being looked up: while one fills, the host fetches the sets of the other.
  static constexpr std::uint32_t kBatch = 16;
  static constexpr std::uint32_t kStreamPiece = 128;  ///< Lines of a stream that are located at once.
  struct Pending {
    std::uint64_t line;
    std::uint64_t tag;   ///< Of the place that is looked up first: home, or the copy beside the requester.
    std::uint32_t set;   ///< Of the same place.
    std::uint32_t home;  ///< Set of the home.
    std::uint32_t sectors;
    std::uint32_t remote;  ///< 1: the home is in another partition than the requester.
  };
  using Batch = std::array<Pending, kBatch>;
  struct Miss {
    std::uint64_t line;
    std::uint64_t* touched;  ///< The line's word of first_touch_.
    std::uint32_t sectors;
    std::uint32_t remote;
  };

  /// One call of access(): what is the same for all its lines, and what adds up.
  struct Call {
    CacheHint hint = CacheHint::normal;
    bool writes = false;
    bool fetches = false;
    bool fetched = false;
    std::uint32_t partition = 0;   ///< The requester's.
    std::uint32_t near_begin = 0;  ///< First set of it.
    Time now = 0;
    Time ready = 0;  ///< When HBM, and the way between partitions, is through with this call's sectors; 0: HBM was not asked.
    std::uint64_t chunk = ~std::uint64_t{0};  ///< Fetched last.
    std::uint32_t chunk_far = 0;              ///< Not 0: one of its lines came from behind another partition.
    std::uint64_t asked = 0, missed = 0, compulsory = 0, refetched = 0, crossed = 0;
    ByteCounts* q = nullptr;
  };

  void enqueue(const IndexMap& index, std::uint64_t address, std::uint32_t bytes, Call& call) {
    const std::uint64_t end = address + bytes;
    std::uint64_t line = address >> line_shift_;
    const std::uint64_t last = (end - 1) >> line_shift_;
    const std::uint32_t full = (1U << sectors_per_line_) - 1;
    for (; line <= last; ++line) {
      std::uint32_t sectors = full;
      const std::uint64_t start = line << line_shift_;
      if (address > start) sectors &= full << ((address - start) >> sector_shift_);
      if (end < start + spec_.line) sectors &= full >> (sectors_per_line_ - 1 - ((end - 1 - start) >> sector_shift_));
      const SetAndTag where = index.locate(line);
      // unsigned: below the partition wraps round
      const std::uint32_t remote = where.set - call.near_begin >= places_.sets() ? 1 : 0;
      Pending& p = batches_[current_][pending_++];
      p = {line, where.tag << places_.tag_shift(), where.set, where.set, sectors, remote};
      cache_.prefetch(where.set);
      if (remote != 0 && places_.copies()) {
        const SetAndTag copy = places_.copy({p.set, p.tag}, call.partition);
        cache_.prefetch(copy.set);
        if (!call.writes) {
          p.set = copy.set;
          p.tag = copy.tag;
        }
      }
      if (pending_ < kBatch) continue;
      current_ ^= 1U;
      look_up(batches_[current_], waiting_, call);
      waiting_ = kBatch;
      pending_ = 0;
    }
  }

  void finish_batches(Call& call) {
    look_up(batches_[current_ ^ 1U], waiting_, call);
    look_up(batches_[current_], pending_, call);
    waiting_ = pending_ = 0;
  }

  // l2_streams.hpp
  [[nodiscard]] bool count_stream(const Access& access, Call& call);
  [[nodiscard]] bool never_touched(const Access& access) const;
  void count_lines(std::span<const std::uint64_t> lines, Call& call);
  void push_at_once(std::uint32_t set, Call& call);
  void put_waiting(std::uint32_t set);
  void name_if_known(const Access& access);
  void name_all();
  static void lines_of(const StreamLines::Entry& entry, std::uint64_t begin, std::span<std::uint64_t> lines);
  [[nodiscard]] std::uint32_t lines_wanted(std::span<const std::uint64_t> lines, const std::vector<std::uint32_t>& unnamed,
                                           std::uint32_t partition, std::array<std::uint32_t, kStreamPiece>& wanting) const;
  void fetch_all(std::span<const Miss> misses, Call& call);
  void fetch(std::uint64_t chunk, std::uint32_t sectors, std::uint32_t far, Call& call);

  /// First all lookups, then all misses: which line hits is hard to predict, so the misses are gathered without a branch. A load that
  /// does not find all its sectors in the copy beside it goes on to the line's home.
  void look_up(const Batch& batch, std::uint32_t count, Call& call) {
    std::array<std::uint32_t, kBatch> missing;
    std::array<std::uint32_t, kBatch> onward;
    std::uint32_t goes_on = 0;
    std::uint64_t asked = 0;
    const std::uint32_t first_is_copy = places_.copies() && !call.writes ? 1 : 0;
    for (std::uint32_t i = 0; i < count; ++i) {
      const Pending& p = batch[i];
      missing[i] = touch(p.set, p.tag, p.sectors, call);
      asked += static_cast<std::uint32_t>(std::popcount(p.sectors));
      const std::uint32_t at_copy = p.remote & first_is_copy;
      onward[goes_on] = i;
      goes_on += missing[i] != 0 && at_copy != 0 ? 1 : 0;
      call.crossed += p.remote != 0 && at_copy == 0 ? static_cast<std::uint32_t>(std::popcount(p.sectors)) : 0;
    }
    call.asked += asked;
    if (call.writes && places_.copies()) drop_copies(std::span(batch.data(), count));
    for (std::uint32_t o = 0; o < goes_on; ++o) {
      const Pending& p = batch[onward[o]];
      std::uint32_t& rest = missing[onward[o]];
      call.crossed += static_cast<std::uint32_t>(std::popcount(rest));
      rest = touch(p.home, places_.home_tag(p.tag), rest, call);
    }
    // In the order of the lines, because a channel's rows are opened in the order of the fetches.
    std::array<Miss, kBatch> missed;
    std::uint32_t misses = 0;
    for (std::uint32_t i = 0; i < count; ++i) {
      missed[misses] = {batch[i].line, first_touch_.find(batch[i].line), missing[i], batch[i].remote};
      misses += missing[i] != 0 ? 1 : 0;
    }
    if (misses != 0) serve_misses(std::span(missed.data(), misses), call);
  }

  /// Looks one place up, writing back what it pushes out; returns the sectors that were not there.
  std::uint32_t touch(std::uint32_t set, std::uint64_t tag, std::uint32_t sectors, Call& call) {
    if constexpr (Cache::kUnnamed) {
      if (streams_.counts()) {
        put_waiting(set);
        if (call.writes) streams_.waiting()[set] = StreamLines::kServedAtOnce;
      }
    }
    const Touch touch = cache_.touch(set, tag, sectors, call.writes, call.hint);
    if (touch.victim_dirty != 0) write_back(line_at(set, touch.victim_tag), touch.victim_dirty, call);
    return sectors & ~touch.valid;
  }

  /// What is written at home is no longer true elsewhere.
  void drop_copies(std::span<const Pending> lines) {
    for (const Pending& p : lines) {
      for (std::uint32_t partition = 0; partition < spec_.partitions; ++partition) {
        const SetAndTag copy = places_.copy({p.home, p.tag}, partition);
        if (copy.set == p.home) continue;
        if constexpr (Cache::kUnnamed) {
          if (streams_.counts()) put_waiting(copy.set);
        }
        cache_.drop(copy.set, copy.tag);
      }
    }
  }

  [[nodiscard]] std::uint64_t line_at(std::uint32_t set, std::uint64_t tag) const {
    return index_.line(places_.home_set(set, tag), tag >> places_.tag_shift());
  }

  void serve_misses(std::span<const Miss> misses, Call& call) {
    std::uint64_t all = 0;
    std::uint64_t fresh = 0;
    // Two short loops instead of one long: the host overlaps the waits for `touched` of more lines.
    for (const Miss& miss : misses) {
      all += static_cast<std::uint32_t>(std::popcount(miss.sectors));
      fresh += static_cast<std::uint32_t>(std::popcount(first_touch_.mark(miss.touched, miss.line, miss.sectors)));
    }
    call.missed += all;
    if (call.fetches) {
      fetch_all(misses, call);
      call.compulsory += fresh;
      call.refetched += all - fresh;
    } else if (call.hint == CacheHint::no_allocate) {
      for (const Miss& miss : misses)
        write_back(miss.line, miss.sectors, call);  // A store that leaves no line behind goes straight through.
    }
  }

  void write_back(std::uint64_t line, std::uint32_t dirty, Call& call) {
    const std::uint64_t address = line << line_shift_;
    const auto sectors = static_cast<std::uint32_t>(std::popcount(dirty));
    const Time through = hbm_.write(call.now, address, hbm_.moved(dirty));
    if (through > call.ready) call.ready = through;
    const std::uint64_t page = address / kPageBytes;
    const TensorRole role = page < page_role_->size() ? (*page_role_)[page] : TensorRole::activations;
    call.q->at(LevelId::hbm, role, Direction::write, Cause::write_back) += std::uint64_t{sectors} * spec_.sector;
  }

  Time settle(const Access& like, const Requester& who, const Call& call) {
    const std::uint64_t moved = call.asked * spec_.sector;
    if (like.op != AccessOp::store) {
      who.q->at(LevelId::l2, like.role, Direction::read, Cause::requested) += moved;
      who.q->at(LevelId::hbm, like.role, Direction::read, Cause::compulsory) += call.compulsory * spec_.sector;
      who.q->at(LevelId::hbm, like.role, Direction::read, Cause::refetch) += call.refetched * spec_.sector;
      who.cache->sectors_read += call.asked;
      who.cache->sectors_hit += call.asked - call.missed;
    }
    if (like.op != AccessOp::load) who.q->at(LevelId::l2, like.role, Direction::write, Cause::requested) += moved;
    who.cache->fabric_bytes += call.crossed * spec_.sector;
    const std::uint64_t passes = like.op == AccessOp::reduce ? 2 : 1;  // an atomic reads and writes at L2
    const Time latency = from_seconds(call.crossed != 0 ? spec_.latency_far : spec_.latency_near);
    Time ready = pipe_.send(call.now, static_cast<double>(moved * passes)) + latency;
    if (call.ready != 0) {
      // HBM's load-to-use latency contains the way through L2; a write-back has no one waiting for an answer.
      const Time through = call.ready + (call.fetched ? hbm_latency_ : 0);
      if (through > ready) ready = through;
    }
    return ready;
  }

  L2Spec spec_;
  Time hbm_latency_;
  std::uint64_t address_end_;
  const std::vector<TensorRole>* page_role_;
  std::uint32_t line_shift_;
  std::uint32_t sector_shift_;
  std::uint32_t sectors_per_line_;
  IndexMap index_;
  LinePlaces places_;
  Cache cache_;
  FirstTouch first_touch_;
  Hbm hbm_;
  RatedChannel pipe_;
  Time crossing_;  ///< From one partition to another and back.
  StreamLines streams_;
  std::array<Batch, 2> batches_{};
  std::uint32_t current_ = 0;  ///< The batch that fills.
  std::uint32_t pending_ = 0;  ///< Lines in it.
  std::uint32_t waiting_ = 0;  ///< Lines in the other one: kBatch or none.
};

}  // namespace rooftrace
