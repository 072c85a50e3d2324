// Which sectors have been in L2 before: tells compulsory fetches from refetches.
//
// One bit per sector, allocated per 2 MiB page on first use (8 KiB each for 32 B sectors), so memory is 1/256 of the bytes a run touches.
#pragma once

#include <bit>
#include <cstdint>
#include <memory>
#include <vector>

#include "sim/core/access.hpp"

namespace rooftrace {

class FirstTouch {
 public:
  /// Line and sector sizes are powers of two; a line has at most 32 sectors.
  FirstTouch(std::uint64_t address_end, std::uint32_t line_bytes, std::uint32_t sector_bytes)
      : sector_shift_(static_cast<std::uint32_t>(std::countr_zero(line_bytes / sector_bytes))),
        page_shift_(static_cast<std::uint32_t>(std::countr_zero(kPageBytes / line_bytes))),
        words_per_page_(kPageBytes / sector_bytes / 64),
        pages_(address_end / kPageBytes + 1) {}

  void prefetch(std::uint64_t line) const {
    const auto& page = pages_[line >> page_shift_];
    if (page) __builtin_prefetch(&page[word_of(line)], 1);
  }

  /// Marks `sectors` (a mask within the line) and returns those that were new.
  std::uint32_t mark(std::uint64_t line, std::uint32_t sectors) {
    auto& page = pages_[line >> page_shift_];
    if (!page) page = std::make_unique<std::uint64_t[]>(words_per_page_);
    const std::uint64_t shift = (line << sector_shift_) & 63;
    std::uint64_t& word = page[word_of(line)];
    const std::uint32_t fresh = sectors & ~static_cast<std::uint32_t>(word >> shift);
    word |= std::uint64_t{sectors} << shift;
    return fresh;
  }

 private:
  [[nodiscard]] std::uint64_t word_of(std::uint64_t line) const {
    return ((line & ((std::uint64_t{1} << page_shift_) - 1)) << sector_shift_) >> 6;
  }

  std::uint32_t sector_shift_;  ///< log2 of sectors per line
  std::uint32_t page_shift_;    ///< log2 of lines per page
  std::uint64_t words_per_page_;
  std::vector<std::unique_ptr<std::uint64_t[]>> pages_;
};

}  // namespace rooftrace
