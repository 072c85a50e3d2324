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

  /// Where the bits of a line are; the host starts to fetch them.
  [[nodiscard]] std::uint64_t* find(std::uint64_t line) {
    auto& page = pages_[line >> page_shift_];
    if (!page) page = std::make_unique<std::uint64_t[]>(words_per_page_);
    std::uint64_t* word = &page[((line & ((std::uint64_t{1} << page_shift_) - 1)) << sector_shift_) >> 6];
    __builtin_prefetch(word, 1);
    return word;
  }

  /// Marks `sectors` (a mask within the line) in the word that find() gave for it, and returns those that were new.
  [[nodiscard]] std::uint32_t mark(std::uint64_t* word, std::uint64_t line, std::uint32_t sectors) const {
    const std::uint64_t shift = (line << sector_shift_) & 63;
    const std::uint32_t fresh = sectors & ~static_cast<std::uint32_t>(*word >> shift);
    *word |= std::uint64_t{sectors} << shift;
    return fresh;
  }

 private:
  std::uint32_t sector_shift_;  ///< log2 of sectors per line
  std::uint32_t page_shift_;    ///< log2 of lines per page
  std::uint64_t words_per_page_;
  std::vector<std::unique_ptr<std::uint64_t[]>> pages_;
};

}  // namespace rooftrace
