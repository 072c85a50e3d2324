// Events in the order (time, sequence): equal times fire in the order in which they were scheduled.
//
// A 4-ary heap of 16-byte entries. A few hundred events are pending at a time (one per resident block), so the whole heap lives in the
// host's first cache.
#pragma once

#include <cassert>
#include <cstdint>
#include <vector>

#include "sim/core/time.hpp"

namespace rooftrace {

class EventQueue {
 public:
  struct Event {
    Time time = 0;
    std::uint32_t slot = 0;  ///< What the event means to its owner.
  };

  void push(Time time, std::uint32_t slot) {
    std::size_t i = heap_.size();
    const Entry entry{time, (std::uint64_t{sequence_++} << 24) | slot};
    assert(slot < (1U << 24));
    heap_.push_back(entry);
    while (i > 0) {
      const std::size_t parent = (i - 1) / 4;
      if (!before(entry, heap_[parent])) break;
      heap_[i] = heap_[parent];
      i = parent;
    }
    heap_[i] = entry;
  }

  Event pop() {
    const Entry top = heap_.front();
    const Entry last = heap_.back();
    heap_.pop_back();
    if (!heap_.empty()) sink(last);
    return {top.time, static_cast<std::uint32_t>(top.order & 0xFFFFFF)};
  }

  [[nodiscard]] bool empty() const { return heap_.empty(); }
  [[nodiscard]] std::size_t size() const { return heap_.size(); }
  [[nodiscard]] Time next_time() const { return heap_.front().time; }

 private:
  struct Entry {
    Time time;
    std::uint64_t order;  ///< sequence << 24 | slot
  };
  static bool before(const Entry& a, const Entry& b) { return a.time != b.time ? a.time < b.time : a.order < b.order; }

  void sink(const Entry& entry) {
    const std::size_t n = heap_.size();
    std::size_t i = 0;
    for (;;) {
      const std::size_t first = 4 * i + 1;
      if (first >= n) break;
      std::size_t best = first;
      const std::size_t end = first + 4 < n ? first + 4 : n;
      for (std::size_t c = first + 1; c < end; ++c) {
        if (before(heap_[c], heap_[best])) best = c;
      }
      if (!before(heap_[best], entry)) break;
      heap_[i] = heap_[best];
      i = best;
    }
    heap_[i] = entry;
  }

  std::vector<Entry> heap_;
  std::uint64_t sequence_ = 0;
};

}  // namespace rooftrace
