// How many other lines were used since this one? LRU stack distances in one pass, exact, and their histogram.
//
// A fully associative LRU cache of C lines holds a line exactly if fewer than C other lines were used since its last use, so one pass with
// distances answers for all capacities at once. Time is a row of slots, one per touch; a slot's bit is set while it is the last touch of
// its line; a distance is a count of bits, found over four levels of sums. Slots that nobody will touch yet count as set, so that a touch
// writes only where its line was before. Memory: 8 bytes per line of every 2 MiB touched, and a few bits per line. Not modeled: sets,
// hints, anything but recency.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace rooftrace {

/// How bits are counted: automatic takes what the host does fastest; portable is the switch that turns that off.
enum class BitCounting : std::uint8_t { automatic, portable };

class StackDistances {
 public:
  static constexpr std::uint32_t kNever = ~0U;  ///< The distance of a first touch.

  explicit StackDistances(BitCounting counting = BitCounting::automatic);

  struct Touched {
    std::uint32_t distance;  ///< Distinct other lines since the line's last touch, or kNever.
    bool since_mark;         ///< The last touch came after the last mark().
    std::uint32_t* note;     ///< A word per line that is the caller's, 0 at first; good until the next touch of another line.
  };
  Touched touch(std::uint64_t line) {
    Word& word = find(line);
    if (now_ == slots_) make_room();
    const std::uint32_t previous = word.slot;
    word.slot = now_ + 1;
    if (previous == 0) {
      ++live_;
      ++now_;
      return {kNever, false, &word.note};
    }
    if (previous == now_ && now_ != mark_) {  // The most recent line again: its slot will do.
      word.slot = previous;
      return {0, true, &word.note};
    }
    const std::uint32_t slot = previous - 1;
    const std::uint32_t distance = count_after_(sums_, slot, now_);
    clear(slot);
    ++now_;
    return {distance, slot >= mark_, &word.note};
  }

  /// The host starts to fetch what touch(line) will read.
  void prefetch(std::uint64_t line) { __builtin_prefetch(&find(line), 1); }

  void mark() { mark_ = now_; }
  [[nodiscard]] std::uint32_t lines() const { return live_; }  ///< Distinct lines so far.

  /// Calls visit(line, depth, note) for every line: depth is the distance a touch would find now. In order of lines.
  template <class Visit>
  void for_each_line(Visit&& visit) {
    rank_all();
    for (std::size_t page = 0; page < pages_.size(); ++page) {
      if (!pages_[page]) continue;
      for (std::uint32_t i = 0; i < kPageLines; ++i) {
        const Word& word = pages_[page][i];
        if (word.slot != 0) visit(page * kPageLines + i, live_ - 1 - rank(word.slot - 1), word.note);
      }
    }
  }

 private:
  static constexpr std::uint32_t kPageLines = 1U << 14;
  static constexpr std::uint32_t kGroupBits = 9, kBlockBits = 14, kSuperBits = 19;  ///< log2 of the slots of one sum of each level.
  struct Word {
    std::uint32_t slot = 0;  ///< Of the last touch, plus one; 0: never touched.
    std::uint32_t note = 0;
  };
  /// Set bits among the slots; bits of slots from now_ on are set.
  struct Sums {
    std::vector<std::uint64_t> words;
    std::vector<std::uint16_t> groups, blocks;
    std::vector<std::uint32_t> supers;
  };
  using CountAfter = std::uint32_t (*)(const Sums&, std::uint32_t slot, std::uint32_t now);
  friend struct CountAfterVariants;

  Word& find(std::uint64_t line) {
    const std::uint64_t page = line / kPageLines;
    if (page >= pages_.size()) pages_.resize(page + 1);
    if (!pages_[page]) pages_[page] = std::make_unique<Word[]>(kPageLines);
    return pages_[page][line % kPageLines];
  }
  void clear(std::uint32_t slot) {
    sums_.words[slot / 64] &= ~(std::uint64_t{1} << (slot % 64));
    --sums_.groups[slot >> kGroupBits];
    --sums_.blocks[slot >> kBlockBits];
    --sums_.supers[slot >> kSuperBits];
  }
  void make_room();  ///< More slots, or the old ones closed up.
  void set_all(std::uint64_t slots);
  void rank_all();
  [[nodiscard]] std::uint32_t rank(std::uint32_t slot) const;  ///< Live slots before `slot`; needs rank_all().

  std::vector<std::unique_ptr<Word[]>> pages_;
  Sums sums_;
  std::vector<std::uint32_t> ranks_;  ///< Set bits before each group.
  CountAfter count_after_;
  std::uint32_t slots_ = 0;
  std::uint32_t now_ = 0;   ///< The next slot.
  std::uint32_t live_ = 0;  ///< Lines, which is set bits below now_.
  std::uint32_t mark_ = 0;
};

/// Counts by distance. Below 4096 every distance has its own bucket; above, a bucket is 1/2048 of its power of two wide, so answers are
/// exact for capacities that begin a bucket (all that floor_of() returns).
class DistanceHistogram {
 public:
  void add(std::uint32_t distance, std::int64_t count) {
    if (distance == StackDistances::kNever) {
      never_ += count;
      return;
    }
    const std::size_t i = bucket(distance);
    if (i >= counts_.size()) counts_.resize(i + 1);
    counts_[i] += count;
  }
  /// Counts at distances >= `lines`, first touches included: what a cache of `lines` lines misses. `lines` is rounded down by floor_of.
  [[nodiscard]] std::int64_t missed(std::uint64_t lines) const;
  [[nodiscard]] std::int64_t never() const { return never_; }
  [[nodiscard]] const std::vector<std::int64_t>& counts() const { return counts_; }  ///< By bucket.
  DistanceHistogram& operator+=(const DistanceHistogram& other);

  static std::size_t bucket(std::uint64_t distance) {
    if (distance < 2 * kPerOctave) return distance;
    const auto shift = static_cast<std::uint32_t>(64 - __builtin_clzll(distance)) - kOctaveBits - 1;
    return (std::size_t{shift} << kOctaveBits) + (distance >> shift);
  }
  /// The smallest distance of a bucket.
  static std::uint64_t first(std::size_t bucket) {
    if (bucket < 2 * kPerOctave) return bucket;
    const std::size_t shift = (bucket >> kOctaveBits) - 1;
    return (bucket - (shift << kOctaveBits)) << shift;
  }
  static std::uint64_t floor_of(std::uint64_t lines) { return first(bucket(lines)); }

 private:
  static constexpr std::uint32_t kOctaveBits = 11;
  static constexpr std::uint64_t kPerOctave = 1U << kOctaveBits;
  std::vector<std::int64_t> counts_;
  std::int64_t never_ = 0;
};

}  // namespace rooftrace
