// The calls that slices are serving, and the lines of a call one after the other.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "sim/core/access.hpp"
#include "sim/core/counters.hpp"
#include "sim/core/time.hpp"

namespace rooftrace {

/// Where in a run of accesses the next line lies.
struct LineCursor {
  std::vector<Access> accesses;
  std::size_t access = 0;
  std::uint32_t row = 0;
  std::uint64_t line = 0;  ///< Of the row, counted from its first.
  bool done = true;

  void begin(std::span<const Access> run) {
    accesses.assign(run.begin(), run.end());
    access = row = 0;
    line = 0;
    done = false;
  }
};

/// Cuts accesses into lines and masks of sectors.
class LineCutter {
 public:
  LineCutter(std::uint32_t line_shift, std::uint32_t sector_bytes)
      : line_shift_(line_shift),
        sector_shift_(static_cast<std::uint32_t>(std::countr_zero(sector_bytes))),
        full_((1U << ((1U << line_shift) / sector_bytes)) - 1) {}

  /// The next line of the run; false, and the cursor is done, when there is none.
  bool next(LineCursor& at, std::uint64_t& line, std::uint16_t& sectors) const {
    while (at.access < at.accesses.size()) {
      const Access& access = at.accesses[at.access];
      if (at.row == access.rows || access.row_bytes == 0) {
        ++at.access;
        at.row = 0;
        continue;
      }
      const std::uint64_t begin = access.address + at.row * access.pitch, end = begin + access.row_bytes;
      line = (begin >> line_shift_) + at.line++;
      std::uint32_t mask = full_;
      const std::uint64_t start = line << line_shift_, stop = (line + 1) << line_shift_;
      if (begin > start) mask &= full_ << ((begin - start) >> sector_shift_);
      if (end < stop) mask &= full_ >> ((stop - 1 - start) / (1ULL << sector_shift_) - ((end - 1 - start) >> sector_shift_));
      if (end <= stop) {
        ++at.row;
        at.line = 0;
      }
      sectors = static_cast<std::uint16_t>(mask);
      return true;
    }
    at.done = true;
    return false;
  }

  /// All sectors that the accesses touch, row by row.
  [[nodiscard]] std::uint64_t sectors(std::span<const Access> accesses) const {
    std::uint64_t count = 0;
    for (const Access& access : accesses) {
      for (std::uint32_t r = 0; access.row_bytes != 0 && r < access.rows; ++r) {
        const std::uint64_t begin = access.address + r * access.pitch;
        count += ((begin + access.row_bytes - 1) >> sector_shift_) - (begin >> sector_shift_) + 1;
      }
    }
    return count;
  }

 private:
  std::uint32_t line_shift_, sector_shift_, full_;
};

/// One call of L2::access() under way.
struct SliceCall {
  AccessOp op = AccessOp::load;
  CacheHint hint = CacheHint::normal;
  TensorRole role = TensorRole::activations;
  std::uint32_t partition = 0;  ///< The requester's.
  std::uint32_t input = 0;      ///< Of slices: the requester's.
  std::uint32_t ticket = 0;
  ByteCounts* q = nullptr;
  CacheCounts* cache = nullptr;
  Time ready = 0;          ///< When what has been served is with the requester.
  std::uint64_t left = 0;  ///< Lines on their way.
  LineCursor lines;        ///< Those that are not yet.
};

class SliceCalls {
 public:
  [[nodiscard]] std::uint32_t open() {
    ++open_;
    if (free_.empty()) {
      calls_.emplace_back();
      return static_cast<std::uint32_t>(calls_.size() - 1);
    }
    const std::uint32_t index = free_.back();
    free_.pop_back();
    return index;
  }
  void close(std::uint32_t index) {
    --open_;
    free_.push_back(index);
  }
  [[nodiscard]] bool none_open() const { return open_ == 0; }
  [[nodiscard]] SliceCall& operator[](std::uint32_t index) { return calls_[index]; }
  [[nodiscard]] const SliceCall& operator[](std::uint32_t index) const { return calls_[index]; }

 private:
  std::deque<SliceCall> calls_;  ///< A deque, because references stay valid while calls are opened.
  std::vector<std::uint32_t> free_;
  std::uint32_t open_ = 0;
};

}  // namespace rooftrace
