// A set of byte addresses: exact, and small for what tensors look like.
//
// Pages of 4 KiB that are partly in the set take a bit per byte; full ones, which is nearly all of them, a bit per page. Inserting is cheap
// when neighbours follow each other. std::length_error when more than `most_partial` pages are partly in the set (1 GiB of host memory at
// the default): scattered bytes that no kernel of ours makes.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <unordered_map>

namespace rooftrace {

class ByteSet {
 public:
  explicit ByteSet(std::size_t most_partial = std::size_t{1} << 21) : most_partial_(most_partial) {}

  void insert(std::uint64_t begin, std::uint64_t end) {
    while (begin < end) {
      const std::uint64_t page = begin / kPage;
      if (end - begin >= kRegion * kPage && page % kRegion == 0 && begin % kPage == 0) {
        fill_region(page / kRegion);
        begin += kRegion * kPage;
        continue;
      }
      const std::uint64_t stop = std::min(end, (page + 1) * kPage);
      insert_in_page(page, begin % kPage, stop - begin);
      begin = stop;
    }
  }
  [[nodiscard]] std::uint64_t size() const { return size_; }

 private:
  static constexpr std::uint64_t kPage = 4096;
  static constexpr std::uint64_t kRegion = 512;  ///< Full pages are kept in regions of so many.
  struct Bits {
    std::array<std::uint64_t, kPage / 64> words{};
    std::uint64_t count = 0;
  };
  using Region = std::array<std::uint64_t, kRegion / 64>;

  [[nodiscard]] std::uint64_t& full_word(std::uint64_t page) {
    const std::uint64_t region = page / kRegion;
    if (region != last_region_ || last_full_ == nullptr) {
      last_full_ = &full_[region];  // References into an unordered_map stay valid when it grows.
      last_region_ = region;
    }
    return (*last_full_)[page % kRegion / 64];
  }

  /// All of a region at once: what lies in it partly is full now.
  void fill_region(std::uint64_t region) {
    (void)full_word(region * kRegion);
    Region& words = *last_full_;
    if (std::all_of(words.begin(), words.end(), [](std::uint64_t word) { return word == UINT64_MAX; })) return;
    std::uint64_t there = 0;
    for (std::uint64_t page = 0; page < kRegion; ++page) {
      if ((words[page / 64] >> page % 64 & 1) != 0) {
        there += kPage;
      } else if (const auto found = partial_.find(region * kRegion + page); found != partial_.end()) {
        there += found->second.count;
        partial_.erase(found);
      }
    }
    size_ += kRegion * kPage - there;
    words.fill(UINT64_MAX);
    last_ = nullptr;
  }

  void insert_in_page(std::uint64_t page, std::uint64_t offset, std::uint64_t count) {
    std::uint64_t& full = full_word(page);
    const std::uint64_t bit = 1ULL << page % 64;
    if ((full & bit) != 0) return;
    if (page != last_page_ || last_ == nullptr) {
      last_ = &partial_[page];
      last_page_ = page;
      if (partial_.size() > most_partial_) throw std::length_error("too many scattered bytes to count");
    }
    mark(*last_, offset, count);
    if (last_->count < kPage) return;
    full |= bit;
    partial_.erase(page);
    last_ = nullptr;
  }

  void mark(Bits& bits, std::uint64_t offset, std::uint64_t count) {
    while (count > 0) {
      const std::uint64_t bit = offset % 64;
      const std::uint64_t n = std::min<std::uint64_t>(count, 64 - bit);
      const std::uint64_t mask = (n == 64 ? ~0ULL : (1ULL << n) - 1) << bit;
      std::uint64_t& word = bits.words[offset / 64];
      const auto fresh = static_cast<std::uint64_t>(std::popcount(mask & ~word));
      size_ += fresh;
      bits.count += fresh;
      word |= mask;
      offset += n;
      count -= n;
    }
  }

  std::size_t most_partial_;
  std::unordered_map<std::uint64_t, Bits> partial_;
  std::unordered_map<std::uint64_t, Region> full_;
  std::uint64_t last_page_ = 0, last_region_ = 0;
  Bits* last_ = nullptr;
  Region* last_full_ = nullptr;
  std::uint64_t size_ = 0;
};

}  // namespace rooftrace
