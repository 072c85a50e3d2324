// The inner loop of the simulator: L2 over one kind of tag store. Compiled once per kind (l2_portable.cpp, l2_avx512.cpp).
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "sim/machine/address_map.hpp"
#include "sim/machine/cache.hpp"
#include "sim/machine/first_touch.hpp"
#include "sim/machine/hbm.hpp"
#include "sim/machine/l2.hpp"

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
        cache_(std::move(cache)),
        first_touch_(context.address_end, spec_.line, spec_.sector),
        hbm_(*context.hbm, spec_.sector),
        pipe_(spec_.bandwidth) {}

  Time access(std::span<const Access> accesses, const Requester& who, std::uint32_t partition, Time now) override {
    Tally tally;
    tally.now = now;
    const Access& like = accesses.front();
    const bool writes = like.op != AccessOp::load;
    const bool fetches = like.op != AccessOp::store;
    partition_first_set_ = static_cast<std::uint32_t>(index_.sets() * partition / spec_.partitions);
    partition_end_set_ = static_cast<std::uint32_t>(index_.sets() * (partition + 1) / spec_.partitions);
    for (const Access& access : accesses) {
      std::uint64_t row = access.address;
      for (std::uint32_t r = 0; r < access.rows; ++r, row += access.pitch)
        enqueue(row, access.row_bytes, like.hint, writes, fetches, *who.q, tally);
    }
    flush(like.hint, writes, fetches, *who.q, tally);
    return settle(like, who, tally);
  }

  [[nodiscard]] std::uint64_t fingerprint(const LayerFrame& frame) const override;
  [[nodiscard]] bool keeps_sets(std::uint64_t bytes) const override { return index_.keeps_sets(bytes, spec_.line); }
  void forget_first_touches() override { first_touch_ = FirstTouch(address_end_, spec_.line, spec_.sector); }
  [[nodiscard]] std::vector<std::uint64_t> resident(std::uint32_t set) const override {
    std::vector<std::uint64_t> out;
    for (const ResidentLine& line : cache_.lines(set)) out.push_back(index_.line(set, line.tag));
    return out;
  }

 private:
  // Lines wait in a small batch between being located and being looked up, so that the host fetches their sets meanwhile.
  static constexpr std::uint32_t kBatch = 32;
  struct Pending {
    std::uint64_t line;
    std::uint64_t tag;
    std::uint32_t set;
    std::uint32_t sectors;
  };
  struct Tally {
    Time now = 0;
    Time ready = 0;  ///< When HBM is through with this call's sectors; 0: HBM was not asked.
    std::uint64_t asked = 0, missed = 0, compulsory = 0, refetched = 0, lines_far = 0;
    bool fetched = false;
  };

  void enqueue(std::uint64_t address, std::uint32_t bytes, CacheHint hint, bool writes, bool fetches, ByteCounts& q, Tally& tally) {
    const std::uint64_t end = address + bytes;
    std::uint64_t line = address >> line_shift_;
    const std::uint64_t last = (end - 1) >> line_shift_;
    const std::uint32_t full = (1U << sectors_per_line_) - 1;
    for (; line <= last; ++line) {
      std::uint32_t sectors = full;
      const std::uint64_t start = line << line_shift_;
      if (address > start) sectors &= full << ((address - start) >> sector_shift_);
      if (end < start + spec_.line) sectors &= full >> (sectors_per_line_ - 1 - ((end - 1 - start) >> sector_shift_));
      const SetAndTag where = index_.locate(line);
      cache_.prefetch(where.set);
      first_touch_.prefetch(line);
      batch_[pending_++] = {line, where.tag, where.set, sectors};
      if (pending_ == kBatch) flush(hint, writes, fetches, q, tally);
    }
  }

  void flush(CacheHint hint, bool writes, bool fetches, ByteCounts& q, Tally& tally) {
    // First all lookups, then all misses: which line hits is hard to predict, so the misses are gathered without a branch.
    std::array<Pending, kBatch> missed;
    std::uint32_t misses = 0;
    std::uint64_t asked = 0;
    std::uint64_t far = 0;
    const std::uint32_t near_begin = partition_first_set_;
    const std::uint32_t near_sets = partition_end_set_ - partition_first_set_;
    for (std::uint32_t i = 0; i < pending_; ++i) {
      const Pending& p = batch_[i];
      const Touch touch = cache_.touch(p.set, p.tag, p.sectors, writes, hint);
      asked += static_cast<std::uint32_t>(std::popcount(p.sectors));
      far += p.set - near_begin >= near_sets ? 1 : 0;  // unsigned: below the partition wraps round
      if (touch.victim_dirty != 0) write_back(index_.line(p.set, touch.victim_tag), touch.victim_dirty, q, tally);
      const std::uint32_t missing = p.sectors & ~touch.valid;
      missed[misses] = {p.line, p.tag, p.set, missing};
      misses += missing != 0 ? 1 : 0;
    }
    tally.asked += asked;
    tally.lines_far += far;
    pending_ = 0;
    if (misses != 0) serve_misses(std::span(missed.data(), misses), hint, fetches, q, tally);
  }

  void serve_misses(std::span<const Pending> misses, CacheHint hint, bool fetches, ByteCounts& q, Tally& tally) {
    std::uint64_t all = 0;
    std::uint64_t fresh = 0;
    Time ready = tally.ready;
    for (const Pending& p : misses) {
      const auto sectors = static_cast<std::uint32_t>(std::popcount(p.sectors));
      all += sectors;
      fresh += static_cast<std::uint32_t>(std::popcount(first_touch_.mark(p.line, p.sectors)));
      if (fetches) {
        const Time through = hbm_.read(tally.now, p.line << line_shift_, sectors);
        ready = through > ready ? through : ready;
      } else if (hint == CacheHint::no_allocate) {
        write_back(p.line, p.sectors, q, tally);  // A store that leaves no line behind goes straight through.
      }
    }
    tally.missed += all;
    if (!fetches) return;
    tally.ready = ready;
    tally.fetched = true;
    tally.compulsory += fresh;
    tally.refetched += all - fresh;
  }

  void write_back(std::uint64_t line, std::uint32_t dirty, ByteCounts& q, Tally& tally) {
    const std::uint64_t address = line << line_shift_;
    const auto sectors = static_cast<std::uint32_t>(std::popcount(dirty));
    const Time through = hbm_.write(tally.now, address, sectors);
    if (through > tally.ready) tally.ready = through;
    const std::uint64_t page = address / kPageBytes;
    const TensorRole role = page < page_role_->size() ? (*page_role_)[page] : TensorRole::activations;
    q.at(LevelId::hbm, role, Direction::write, Cause::write_back) += std::uint64_t{sectors} * spec_.sector;
  }

  Time settle(const Access& like, const Requester& who, const Tally& tally) {
    const std::uint64_t moved = tally.asked * spec_.sector;
    if (like.op != AccessOp::store) {
      who.q->at(LevelId::l2, like.role, Direction::read, Cause::requested) += moved;
      who.q->at(LevelId::hbm, like.role, Direction::read, Cause::compulsory) += tally.compulsory * spec_.sector;
      who.q->at(LevelId::hbm, like.role, Direction::read, Cause::refetch) += tally.refetched * spec_.sector;
      who.cache->sectors_read += tally.asked;
      who.cache->sectors_hit += tally.asked - tally.missed;
    }
    if (like.op != AccessOp::load) who.q->at(LevelId::l2, like.role, Direction::write, Cause::requested) += moved;
    const std::uint64_t far_bytes = tally.lines_far * spec_.line;
    who.cache->fabric_bytes += far_bytes < moved ? far_bytes : moved;
    const std::uint64_t passes = like.op == AccessOp::reduce ? 2 : 1;  // an atomic reads and writes at L2
    const Time latency = from_seconds(tally.lines_far != 0 ? spec_.latency_far : spec_.latency_near);
    Time ready = pipe_.send(tally.now, static_cast<double>(moved * passes)) + latency;
    if (tally.ready != 0) {
      // HBM's load-to-use latency contains the way through L2; a write-back has no one waiting for an answer.
      const Time through = tally.ready + (tally.fetched ? hbm_latency_ : 0);
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
  Cache cache_;
  FirstTouch first_touch_;
  Hbm hbm_;
  RatedChannel pipe_;
  std::uint32_t partition_first_set_ = 0;
  std::uint32_t partition_end_set_ = 0;
  std::array<Pending, kBatch> batch_{};
  std::uint32_t pending_ = 0;
};

template <class Cache>
std::uint64_t L2Walk<Cache>::fingerprint(const LayerFrame& frame) const {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  const auto add = [&hash](std::uint64_t x) {
    hash ^= x;
    hash *= 0x9E3779B97F4A7C15ULL;
    hash ^= hash >> 29;
  };
  for (std::uint64_t set = 0; set < index_.sets(); ++set) {
    const std::vector<ResidentLine> lines = cache_.lines(static_cast<std::uint32_t>(set));
    add(lines.size());
    for (const ResidentLine& line : lines) {
      std::uint64_t address = index_.line(static_cast<std::uint32_t>(set), line.tag) << line_shift_;
      std::uint64_t layer = ~std::uint64_t{0};
      if (address >= frame.begin && address < frame.end && frame.stride != 0) {
        layer = (address - frame.begin) / frame.stride - static_cast<std::uint64_t>(frame.layer);
        address = (address - frame.begin) % frame.stride;
      }
      add(address);
      add(layer);
      add(line.valid << 4 | line.dirty);
    }
  }
  return hash;
}

}  // namespace rooftrace
