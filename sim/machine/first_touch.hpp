// Which 32 B sectors have been in L2 before: tells compulsory fetches from refetches.
//
// One bit per sector, allocated per 2 MiB page on first use (8 KiB each), so memory is 1/256 of the bytes a run touches.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "sim/core/access.hpp"

namespace rooftrace {

class FirstTouch {
 public:
  FirstTouch(std::uint64_t address_end, std::uint32_t line_bytes, std::uint32_t sector_bytes)
      : sectors_per_line_(line_bytes / sector_bytes), lines_per_page_(kPageBytes / line_bytes), pages_(address_end / kPageBytes + 1) {}

  /// Marks `sectors` (a mask within the line) and returns those that were new.
  std::uint32_t mark(std::uint64_t line, std::uint32_t sectors) {
    const std::uint64_t bit = (line % lines_per_page_) * sectors_per_line_;
    auto& page = pages_[line / lines_per_page_];
    if (!page) page = std::make_unique<Words>(lines_per_page_ * sectors_per_line_ / 64 + 1);
    std::uint64_t& word = (*page)[bit / 64];
    const std::uint32_t seen = static_cast<std::uint32_t>(word >> (bit % 64)) & sectors;
    word |= std::uint64_t{sectors} << (bit % 64);
    return sectors & ~seen;
  }

 private:
  using Words = std::vector<std::uint64_t>;
  std::uint64_t sectors_per_line_;
  std::uint64_t lines_per_page_;
  std::vector<std::unique_ptr<Words>> pages_;
};

}  // namespace rooftrace
