// One set of a cache in one 64-byte line of the host: up to 16 words of 32 bits, most recently used first.
//
// A word is tag+1 (24 bits), dirty sectors (4), valid sectors (4); 0 is an empty way, the largest tag+1 a line without a name. Recency is
// position, so there is no timestamp to store, and a lookup is one compare of 16 words, a promotion one permutation. PackedOpsPortable is
// plain C++; PackedOpsAvx512 (packed_set_avx512.hpp) does the same in a few instructions; a test drives both, and the textbook
// ReferenceCache, with the same random requests.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

namespace rooftrace {

inline constexpr std::uint32_t kPackedWays = 16;
inline constexpr std::uint64_t kPackedTags = (1U << 24) - 2;  ///< Tags 0 .. kPackedTags-1 fit.
inline constexpr std::uint32_t kPackedUnnamed = 0xFFFFFF0F;   ///< A whole clean line whose tag is not known (stream_lines.hpp).

struct alignas(64) PackedSet {
  std::uint32_t word[kPackedWays];
};

// Always inlined: this header is also compiled for AVX-512, and an out-of-line copy from there must not serve other files.
[[gnu::always_inline]] inline constexpr std::uint32_t packed_key(std::uint64_t tag) {
  return (static_cast<std::uint32_t>(tag) + 1) << 8;
}
[[gnu::always_inline]] inline constexpr std::uint64_t packed_tag(std::uint32_t word) {
  return (word >> 8) - 1;
}
[[gnu::always_inline]] inline constexpr std::uint32_t packed_valid(std::uint32_t word) {
  return word & 0xF;
}
[[gnu::always_inline]] inline constexpr std::uint32_t packed_dirty(std::uint32_t word) {
  return (word >> 4) & 0xF;
}

/// find(): position of the word with this key, or >= kPackedWays. to_front(): word [position] leaves, [0, position) move back by one,
/// `word` becomes the first.
struct PackedOpsPortable {
  static std::uint32_t find(const PackedSet& set, std::uint32_t key) {
    for (std::uint32_t i = 0; i < kPackedWays; ++i) {
      if ((set.word[i] & ~0xFFU) == key) return i;
    }
    return kPackedWays;
  }
  static void to_front(PackedSet& set, std::uint32_t position, std::uint32_t word) {
    std::memmove(&set.word[1], &set.word[0], position * sizeof(std::uint32_t));
    set.word[0] = word;
  }
  static void put(PackedSet& set, std::uint32_t position, std::uint32_t word) { set.word[position] = word; }
  static std::uint32_t at(const PackedSet& set, std::uint32_t position) { return set.word[position]; }
};

}  // namespace rooftrace
