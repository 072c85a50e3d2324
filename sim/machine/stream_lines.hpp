// Lines of streams that are counted instead of looked up.
//
// Argument. A line of which no sector has ever been in L2 (FirstTouch) cannot hit: a whole load of it fetches the whole line, and the line
// goes in front of its set. Which line it is matters only when somebody looks for it again, asks for a state, or it is dirty; it is not.
// So a set without dirty lines gets one more in its count of waiting lines: a byte, instead of the 64 bytes of the set and a search. Before
// anything else looks at the set, as many lines without a name go in front of it, which pushes the named ones back as the real lines would
// have: hits, misses and order of the named lines are exact. Names are needed when a line is touched whose page holds counted lines and
// that has been in L2 (a re-read of a stream), and for a state as such: then the log of the streams, read backwards, gives every line
// without a name its own, most recent first. Sets with dirty lines are served at once, because their write-backs have a time.
//
// Promise: the same bits as looking up every line (TagStore::fast_by_line turns it off). A trace that often reads streams again, where the
// log would be read for nothing, goes on line by line.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/core/access.hpp"

namespace rooftrace {

class StreamLines {
 public:
  static constexpr std::uint8_t kServedAtOnce = 0x80;  ///< In place of a count: the set may hold dirty lines.

  /// Rows of whole lines as they came.
  struct Entry {
    std::uint64_t line;   ///< First line of the first row.
    std::uint64_t pitch;  ///< Lines between the starts of rows.
    std::uint32_t rows, row_lines;
    std::uint32_t partition;  ///< Of the requester.
  };

  StreamLines(bool on, std::uint64_t sets, std::uint64_t address_end)
      : on_(on), waiting_(on ? sets : 0), pages_(on ? address_end / kPageBytes + 2 : 0) {}

  [[nodiscard]] bool on() const { return on_; }
  /// Whether sets have counts (also after it was turned off).
  [[nodiscard]] bool counts() const { return !waiting_.empty(); }
  [[nodiscard]] bool any() const { return !log_.empty(); }
  /// Per set: lines to be put in front (at most its ways), or kServedAtOnce.
  [[nodiscard]] std::uint8_t* waiting() { return waiting_.data(); }
  /// Whether any line of the row may be one without a name.
  [[nodiscard]] bool may_hold(std::uint64_t address, std::uint64_t bytes) const {
    for (std::uint64_t page = address / kPageBytes; page <= (address + bytes - 1) / kPageBytes; ++page) {
      if (page < pages_.size() && pages_[page] != 0) return true;
    }
    return false;
  }
  void add(const Entry& entry, std::uint64_t address, std::uint64_t bytes) {
    log_.push_back(entry);
    lines_ += std::uint64_t{entry.rows} * entry.row_lines;
    for (std::uint64_t page = address / kPageBytes; page <= (address + bytes - 1) / kPageBytes; ++page) pages_[page] = 1;
  }
  [[nodiscard]] bool full() const { return log_.size() >= kMostEntries; }
  [[nodiscard]] const std::vector<Entry>& log() const { return log_; }
  /// Every line has its name again.
  void forget() {
    log_.clear();
    pages_.assign(pages_.size(), 0);
  }
  /// Names were needed for a line that was touched again: worth it only after many lines that were counted.
  void judge() {
    on_ = on_ && lines_ >= kWorthIt;
    lines_ = 0;
  }
  void turn_off() { on_ = false; }

 private:
  static constexpr std::size_t kMostEntries = 1 << 20;
  static constexpr std::uint64_t kWorthIt = 1 << 20;  ///< Reading the log back takes a few lines for each way of each set.

  bool on_;
  std::vector<std::uint8_t> waiting_;
  std::vector<std::uint8_t> pages_;  ///< 1: the log has lines of this page.
  std::vector<Entry> log_;
  std::uint64_t lines_ = 0;  ///< Counted since names were last needed.
};

}  // namespace rooftrace
