// Lines that are on their way into a partition of L2, and who waits for them.
//
// A line is put into the tag store when it misses, before its data is there; a note says when it will be. Notes lie in a table by hash and
// may be overwritten by another line's; a line without a note counts as arrived. What comes from another partition has a place of its own
// until its time is known, where later hits wait.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/core/level.hpp"
#include "sim/core/time.hpp"

namespace rooftrace {

class LinesOnTheWay {
 public:
  struct Note {
    std::uint64_t line = ~std::uint64_t{0};
    std::uint32_t partition = 0;
    std::uint32_t slot = 0;  ///< While `until` is not known.
    Time until = 0;          ///< kLater: not known yet.
  };

  LinesOnTheWay() : notes_(kNotes) {}

  [[nodiscard]] const Note* find(std::uint64_t line, std::uint32_t partition) const {
    const Note& note = notes_[place(line, partition)];
    return note.line == line && note.partition == partition ? &note : nullptr;
  }
  void prefetch(std::uint64_t line, std::uint32_t partition) const { __builtin_prefetch(&notes_[place(line, partition)]); }
  void note(std::uint64_t line, std::uint32_t partition, Time until) { notes_[place(line, partition)] = {line, partition, 0, until}; }

  /// The line is asked of its home by a slice of `partition`: a place for those who wait for it.
  [[nodiscard]] std::uint32_t open(std::uint64_t line, std::uint32_t partition, std::uint32_t slice) {
    std::uint32_t slot = static_cast<std::uint32_t>(under_way_.size());
    if (free_.empty()) {
      under_way_.emplace_back();
    } else {
      slot = free_.back();
      free_.pop_back();
    }
    under_way_[slot] = {line, partition, slice, kNobody};
    notes_[place(line, partition)] = {line, partition, slot, kLater};
    return slot;
  }
  [[nodiscard]] std::uint32_t slice(std::uint32_t slot) const { return under_way_[slot].slice; }
  void wait(std::uint32_t slot, std::uint32_t call, Time since) {
    std::uint32_t at = static_cast<std::uint32_t>(waiters_.size());
    if (free_waiters_.empty()) {
      waiters_.emplace_back();
    } else {
      at = free_waiters_.back();
      free_waiters_.pop_back();
    }
    waiters_[at] = {call, under_way_[slot].first, since};
    under_way_[slot].first = at;
  }
  /// It is there at `until`: calls back with everybody who waits, last come first.
  template <class Call>
  void arrive(std::uint32_t slot, Time until, const Call& call) {
    const UnderWay line = under_way_[slot];
    Note& note = notes_[place(line.line, line.partition)];
    if (note.line == line.line && note.partition == line.partition && note.until == kLater && note.slot == slot) note.until = until;
    free_.push_back(slot);
    for (std::uint32_t at = line.first; at != kNobody;) {
      const Waiter waiter = waiters_[at];
      free_waiters_.push_back(at);
      at = waiter.next;
      call(waiter.call, waiter.since);
    }
  }

 private:
  static constexpr std::size_t kNotes = 1 << 15;  ///< More than all miss slots together.
  static constexpr std::uint32_t kNobody = ~std::uint32_t{0};
  struct UnderWay {
    std::uint64_t line = 0;
    std::uint32_t partition = 0, slice = 0;
    std::uint32_t first = kNobody;
  };
  struct Waiter {
    std::uint32_t call = 0, next = kNobody;
    Time since = 0;
  };
  [[nodiscard]] static std::size_t place(std::uint64_t line, std::uint32_t partition) {
    return ((line ^ (std::uint64_t{partition} << 40)) * 0x9E3779B97F4A7C15ULL >> 49) & (kNotes - 1);
  }

  std::vector<Note> notes_;
  std::vector<UnderWay> under_way_;
  std::vector<std::uint32_t> free_;
  std::vector<Waiter> waiters_;
  std::vector<std::uint32_t> free_waiters_;
};

}  // namespace rooftrace
