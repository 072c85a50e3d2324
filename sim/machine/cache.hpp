// Set-associative, sectored tag stores without time: which sectors hit, what is evicted.
//
// Two stores with one behaviour. PackedCache: at most 16 ways, 4 sectors per line and 24 bits of tag, LRU or FIFO, fast. ReferenceCache:
// any number of ways and policy, the textbook array with a scan; it says what is right. Both: allocate on miss; a sector miss on a present
// line fetches that sector and counts as a use of the line; stores make sectors valid and dirty without fetching them (partly written
// sectors count as written). Hints: evict_first goes in at the least recent place and is not promoted; no_allocate uses a line when it is
// there and leaves no trace when it is not; evict_last is treated as normal.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "sim/core/access.hpp"
#include "sim/machine/machine_spec.hpp"
#include "sim/machine/packed_set.hpp"

namespace rooftrace {

/// What one touch of a line did.
struct Touch {
  std::uint32_t valid = 0;         ///< Sectors that were present before.
  std::uint32_t victim_dirty = 0;  ///< Dirty sectors of the line that had to leave; 0: nothing to write back.
  std::uint64_t victim_tag = 0;    ///< Only meaningful when victim_dirty != 0.
};

/// One resident line, for inspection.
struct ResidentLine {
  std::uint64_t tag = 0;
  std::uint32_t valid = 0;
  std::uint32_t dirty = 0;
};

template <class Ops>
class PackedCache {
 public:
  PackedCache(std::uint64_t sets, std::uint32_t ways, bool lru) : sets_(sets), last_(ways - 1), lru_(lru) {}

  void prefetch(std::uint32_t set) const { __builtin_prefetch(&sets_[set], 1); }

  /// Touches `sectors` (a mask) of the line. `writes`: mark them dirty.
  Touch touch(std::uint32_t set_index, std::uint64_t tag, std::uint32_t sectors, bool writes, CacheHint hint) {
    PackedSet& set = sets_[set_index];
    const std::uint32_t key = packed_key(tag);
    const std::uint32_t bits = sectors | (writes ? sectors << 4 : 0);
    // Lockstep blocks ask for the same line in turn: most hits find it in front, and then nothing moves.
    const std::uint32_t front = Ops::at(set, 0);
    if ((front & ~0xFFU) == key) {
      if ((front & bits) != bits) Ops::put(set, 0, front | bits);
      return {packed_valid(front), 0, 0};
    }
    const bool promotes = lru_ && (hint == CacheHint::normal || hint == CacheHint::evict_last);
    return promotes ? touch_promoting(set, key, bits) : touch_otherwise(set, key, bits, hint);
  }

  /// Forgets a line without writing it back; the ones behind it move up.
  void drop(std::uint32_t set_index, std::uint64_t tag) {
    PackedSet& set = sets_[set_index];
    const std::uint32_t found = Ops::find(set, packed_key(tag));
    if (found >= kPackedWays) return;
    for (std::uint32_t i = found; i < last_; ++i) Ops::put(set, i, Ops::at(set, i + 1));
    Ops::put(set, last_, 0);
  }

  // Lines without a name (stream_lines.hpp): whole, clean, and known only to be none that the set names.
  static constexpr bool kUnnamed = true;
  [[nodiscard]] std::uint32_t ways() const { return last_ + 1; }
  [[nodiscard]] bool has_dirty(std::uint32_t set) const {
    std::uint32_t any = 0;
    for (const std::uint32_t word : sets_[set].word) any |= word;
    return packed_dirty(any) != 0;
  }
  /// As touch() does with a whole line that is not there.
  Touch push_unnamed(std::uint32_t set_index) {
    PackedSet& set = sets_[set_index];
    const std::uint32_t victim = Ops::at(set, last_);
    Ops::to_front(set, last_, kPackedUnnamed);
    return {0, packed_dirty(victim), packed_tag(victim)};
  }
  void fill_unnamed(std::uint32_t set) {
    for (std::uint32_t i = 0; i <= last_; ++i) sets_[set].word[i] = kPackedUnnamed;
  }
  /// Gives the most recent line without a name this one; false when there is none.
  bool name_first(std::uint32_t set_index, std::uint64_t tag) {
    PackedSet& set = sets_[set_index];
    const std::uint32_t found = Ops::find(set, kPackedUnnamed & ~0xFFU);
    if (found >= kPackedWays) return false;
    Ops::put(set, found, packed_key(tag) | (Ops::at(set, found) & 0xFFU));
    return true;
  }
  [[nodiscard]] std::uint32_t count_unnamed(std::uint32_t set) const {
    std::uint32_t count = 0;
    for (const std::uint32_t word : sets_[set].word) count += (word | 0xFFU) == (kPackedUnnamed | 0xFFU) ? 1 : 0;
    return count;
  }

  /// Lines of a set, first to be kept first.
  [[nodiscard]] std::vector<ResidentLine> lines(std::uint32_t set) const {
    std::vector<ResidentLine> out;
    out.reserve(ways());
    for (std::uint32_t i = 0; i <= last_; ++i) {
      const std::uint32_t word = sets_[set].word[i];
      if (word != 0) out.push_back({packed_tag(word), packed_valid(word), packed_dirty(word)});
    }
    return out;
  }

 private:
  /// The common case without a branch on hit or miss, which no host can predict: on a hit the line itself leaves its place, on a miss the
  /// last one does.
  Touch touch_promoting(PackedSet& set, std::uint32_t key, std::uint32_t bits) {
    const std::uint32_t found = Ops::find(set, key);
    const std::uint32_t place = found < last_ ? found : last_;
    const std::uint32_t leaving = Ops::at(set, place);
    const bool hit = found < kPackedWays;
    Ops::to_front(set, place, key | bits | (hit ? leaving & 0xFFU : 0));
    return {hit ? packed_valid(leaving) : 0, hit ? 0 : packed_dirty(leaving), packed_tag(leaving)};
  }

  Touch touch_otherwise(PackedSet& set, std::uint32_t key, std::uint32_t bits, CacheHint hint) {
    const std::uint32_t found = Ops::find(set, key);
    if (found < kPackedWays) {
      const std::uint32_t word = Ops::at(set, found);
      if (lru_ && hint != CacheHint::evict_first) {
        Ops::to_front(set, found, word | bits);
      } else {
        Ops::put(set, found, word | bits);
      }
      return {packed_valid(word), 0, 0};
    }
    if (hint == CacheHint::no_allocate) return {};
    const std::uint32_t victim = Ops::at(set, last_);
    if (hint == CacheHint::evict_first) {
      // The least recent place: behind all lines, or the first empty way if the set is not full (empty ways are at the back).
      std::uint32_t place = last_;
      while (place > 0 && Ops::at(set, place - 1) == 0) --place;
      Ops::put(set, place, key | bits);
    } else {
      Ops::to_front(set, last_, key | bits);
    }
    return {0, packed_dirty(victim), packed_tag(victim)};
  }

  std::vector<PackedSet> sets_;
  std::uint32_t last_;
  bool lru_;
};

/// The textbook. lru and fifo order by position; random evicts by a hash of (set, number of evictions so far in this set), so the same run
/// gives the same bits. tree keeps every way at the place that the bits give it: the last place is the one they point at, and turning a bit
/// swaps the halves below it, so a used line comes to the first place and its neighbours move with it.
class ReferenceCache {
 public:
  static constexpr bool kUnnamed = false;
  ReferenceCache(std::uint64_t sets, std::uint32_t ways, Replacement policy) : ways_(ways), policy_(policy), sets_(sets) {}

  void prefetch(std::uint32_t /*set*/) const {}
  Touch touch(std::uint32_t set_index, std::uint64_t tag, std::uint32_t sectors, bool writes, CacheHint hint);
  void drop(std::uint32_t set_index, std::uint64_t tag) {
    std::vector<ResidentLine>& lines = sets_[set_index].lines;
    if (policy_ == Replacement::tree) {
      std::replace_if(
          lines.begin(), lines.end(), [tag](const ResidentLine& line) { return line.tag == tag; }, ResidentLine{});
    } else {
      std::erase_if(lines, [tag](const ResidentLine& line) { return line.tag == tag; });
    }
  }
  [[nodiscard]] std::vector<ResidentLine> lines(std::uint32_t set) const {
    std::vector<ResidentLine> out = sets_[set].lines;
    std::erase_if(out, [](const ResidentLine& line) { return line.valid == 0; });
    return out;
  }

 private:
  Touch touch_tree(std::uint32_t set_index, std::uint64_t tag, std::uint32_t sectors, bool writes, CacheHint hint);

  struct Set {
    std::vector<ResidentLine> lines;  ///< First to be kept first; tree: a place per way, without valid sectors where it is empty.
    std::uint64_t evictions = 0;
  };
  std::uint32_t ways_;
  Replacement policy_;
  std::vector<Set> sets_;
};

}  // namespace rooftrace
