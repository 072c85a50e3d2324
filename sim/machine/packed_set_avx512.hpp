// PackedOpsPortable in AVX-512F. Include only from a file compiled for it (l2_avx512.cpp): the functions must not leak into portable code.
#pragma once

#include <immintrin.h>

#include "sim/machine/packed_set.hpp"

namespace rooftrace {

struct PackedOpsAvx512 {
  static std::uint32_t find(const PackedSet& set, std::uint32_t key) {
    const __m512i keys = _mm512_and_si512(_mm512_load_si512(&set), _mm512_set1_epi32(~0xFF));
    const std::uint32_t found = _mm512_cmpeq_epi32_mask(keys, _mm512_set1_epi32(static_cast<int>(key)));
    return static_cast<std::uint32_t>(std::countr_zero(found | 0x10000U));
  }
  static void to_front(PackedSet& set, std::uint32_t position, std::uint32_t word) {
    const __m512i old = _mm512_load_si512(&set);
    // Lanes 1..position take old lanes 0..position-1; the lanes behind stay.
    const auto moved = static_cast<__mmask16>((2U << position) - 2);
    const __m512i shifted = _mm512_mask_expand_epi32(old, moved, old);
    _mm512_store_si512(&set, _mm512_mask_set1_epi32(shifted, 1, static_cast<int>(word)));
  }
  // A full-width store, because a narrow one followed by a full-width load of the same set stalls on store forwarding.
  static void put(PackedSet& set, std::uint32_t position, std::uint32_t word) {
    const __m512i old = _mm512_load_si512(&set);
    _mm512_store_si512(&set, _mm512_mask_set1_epi32(old, static_cast<__mmask16>(1U << position), static_cast<int>(word)));
  }
  static std::uint32_t at(const PackedSet& set, std::uint32_t position) { return set.word[position]; }
};

}  // namespace rooftrace
