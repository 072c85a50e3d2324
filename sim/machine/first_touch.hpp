// Which sectors have been in L2 before: tells compulsory fetches from refetches.
//
// One bit per sector of the address range, in one zeroed allocation that the operating system backs page by page as it is touched, so real
// memory is 1/256 of the bytes that a run touches (32 B sectors).
#pragma once

#include <sys/mman.h>

#include <bit>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>

#include "sim/core/access.hpp"

namespace rooftrace {

class FirstTouch {
 public:
  /// Line and sector sizes are powers of two; a line has at most 32 sectors.
  FirstTouch(std::uint64_t address_end, std::uint32_t line_bytes, std::uint32_t sector_bytes)
      : word_bytes_(std::uint64_t{sector_bytes} * 64),
        count_((address_end + kPageBytes) / word_bytes_ + 1),
        sector_shift_(static_cast<std::uint32_t>(std::countr_zero(line_bytes / sector_bytes))),
        // calloc, because it alone gives zeroed memory without touching it.
        words_(static_cast<std::uint64_t*>(std::calloc(count_, sizeof(std::uint64_t)))) {
    if (!words_) throw std::bad_alloc();
    // Pages of 2 MiB where the system has them: thousands of small ones would be faulted in anew by every run, and threads wait for each
    // other there. A refusal costs nothing.
    constexpr std::uintptr_t kHuge = 2ULL << 20;
    const auto begin = (reinterpret_cast<std::uintptr_t>(words_.get()) + kHuge - 1) & ~(kHuge - 1);
    const auto end = reinterpret_cast<std::uintptr_t>(words_.get() + count_) & ~(kHuge - 1);
    if (begin < end) static_cast<void>(madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE));
  }

  /// Where the bits of a line are; the host starts to fetch them.
  [[nodiscard]] std::uint64_t* find(std::uint64_t line) const {
    std::uint64_t* at = word(line);
    __builtin_prefetch(at, 1);
    return at;
  }
  [[nodiscard]] std::uint64_t* word(std::uint64_t line) const { return &words_.get()[(line << sector_shift_) >> 6]; }

  /// Bit i: sector i of the line has been touched; the bits above those of a line are other lines'.
  [[nodiscard]] std::uint32_t touched(std::uint64_t line) const {
    const std::uint64_t sector = line << sector_shift_;
    return static_cast<std::uint32_t>(words_.get()[sector >> 6] >> (sector & 63));
  }

  /// Marks `sectors` (a mask within the line) in the word that find() gave for it, and returns those that were new.
  [[nodiscard]] std::uint32_t mark(std::uint64_t* at, std::uint64_t line, std::uint32_t sectors) const {
    const std::uint64_t shift = (line << sector_shift_) & 63;
    const std::uint32_t fresh = sectors & ~static_cast<std::uint32_t>(*at >> shift);
    *at |= std::uint64_t{sectors} << shift;
    return fresh;
  }

  /// Calls back with every word between two addresses (multiples of a page) that is not 0, and the first address it stands for.
  template <class Call>
  void for_each_word(std::uint64_t begin, std::uint64_t end, Call call) const {
    for (std::uint64_t i = begin / word_bytes_; i < count_ && i * word_bytes_ < end; ++i) {
      if (words_.get()[i] != 0) call(i * word_bytes_, words_.get()[i]);
    }
  }

 private:
  struct Free {
    void operator()(std::uint64_t* words) const { std::free(words); }
  };
  std::uint64_t word_bytes_, count_;
  std::uint32_t sector_shift_;  ///< log2 of sectors per line
  std::unique_ptr<std::uint64_t, Free> words_;
};

}  // namespace rooftrace
