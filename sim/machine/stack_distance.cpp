#include "sim/machine/stack_distance.hpp"

#include <algorithm>
#include <bit>
#include <stdexcept>

namespace rooftrace {

/// One function in as many variants as hosts differ: how fast bits are counted decides how fast everything is.
struct CountAfterVariants {
  using Sums = StackDistances::Sums;

  /// Set bits of slots in (slot, now). Every level is summed only if `now` is not yet reached in the level below; what lies behind `now`
  /// is all ones and is taken off at the end.
  [[gnu::always_inline]] static inline std::uint32_t count(const Sums& sums, std::uint32_t slot, std::uint32_t now) {
    const std::uint32_t word = slot / 64;
    const std::uint64_t* const words = &sums.words[word & ~7U];
    std::uint64_t ones = static_cast<std::uint64_t>(std::popcount(sums.words[word] >> 1 >> (slot % 64)));
    for (std::uint32_t j = 0; j < 8; ++j) ones += j > (word & 7U) ? static_cast<std::uint64_t>(std::popcount(words[j])) : 0;
    const std::uint32_t group = slot >> StackDistances::kGroupBits;
    if (group == now >> StackDistances::kGroupBits) return less_unused(ones, now, StackDistances::kGroupBits);

    const std::uint32_t block = slot >> StackDistances::kBlockBits;
    ones += sum_behind(&sums.groups[group & ~31U], group & 31U);
    if (block == now >> StackDistances::kBlockBits) return less_unused(ones, now, StackDistances::kBlockBits);

    const std::uint32_t super = slot >> StackDistances::kSuperBits;
    const std::uint32_t last = now >> StackDistances::kSuperBits;
    ones += sum_behind(&sums.blocks[block & ~31U], block & 31U);
    for (std::uint32_t j = super + 1; j <= last; ++j) ones += sums.supers[j];
    return less_unused(ones, now, StackDistances::kSuperBits);
  }

  [[gnu::always_inline]] static inline std::uint32_t less_unused(std::uint64_t ones, std::uint32_t now, std::uint32_t bits) {
    const std::uint64_t end = ((std::uint64_t{now} >> bits) + 1) << bits;
    return static_cast<std::uint32_t>(ones - (end - now));
  }

  /// Of 32 sums, those behind the `place`-th.
  [[gnu::always_inline]] static inline std::uint32_t sum_behind(const std::uint16_t* sums, std::uint32_t place) {
    std::uint32_t total = 0;
    for (std::uint32_t j = 0; j < 32; ++j) total += j > place ? sums[j] : 0U;
    return total;
  }

  static std::uint32_t portable(const Sums& sums, std::uint32_t slot, std::uint32_t now) { return count(sums, slot, now); }
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
  [[gnu::target("popcnt,avx2,bmi,bmi2")]] static std::uint32_t avx2(const Sums& sums, std::uint32_t slot, std::uint32_t now) {
    return count(sums, slot, now);
  }
  [[gnu::target("popcnt,avx2,bmi,bmi2,avx512f,avx512bw,avx512vl,avx512dq,avx512vpopcntdq,prefer-vector-width=512")]] static std::uint32_t
  avx512(const Sums& sums, std::uint32_t slot, std::uint32_t now) {
    return count(sums, slot, now);
  }
#endif

  static StackDistances::CountAfter best() {
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
    if (__builtin_cpu_supports("avx512vpopcntdq") && __builtin_cpu_supports("avx512bw")) return avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("popcnt")) return avx2;
#endif
    return portable;
  }
};

namespace {
constexpr std::uint64_t kFirstSlots = 1U << 20;
constexpr std::uint64_t kMostSlots = (1ULL << 32) - (1ULL << 19);
}  // namespace

StackDistances::StackDistances(BitCounting counting)
    : count_after_(counting == BitCounting::portable ? CountAfterVariants::portable : CountAfterVariants::best()) {
  set_all(kFirstSlots);
}

void StackDistances::set_all(std::uint64_t slots) {
  sums_.words.assign(slots / 64, ~std::uint64_t{0});
  sums_.groups.assign(slots >> kGroupBits, 1U << kGroupBits);
  sums_.blocks.assign(slots >> kBlockBits, 1U << kBlockBits);
  sums_.supers.assign(slots >> kSuperBits, 1U << kSuperBits);
  slots_ = static_cast<std::uint32_t>(slots);
}

void StackDistances::make_room() {
  if (live_ > slots_ / 4 && slots_ < kMostSlots) {  // Closing up would have to be done again soon.
    const std::uint64_t slots = std::min(std::uint64_t{slots_} * 2, kMostSlots);
    sums_.words.resize(slots / 64, ~std::uint64_t{0});
    sums_.groups.resize(slots >> kGroupBits, 1U << kGroupBits);
    sums_.blocks.resize(slots >> kBlockBits, 1U << kBlockBits);
    sums_.supers.resize(slots >> kSuperBits, 1U << kSuperBits);
    slots_ = static_cast<std::uint32_t>(slots);
    return;
  }
  if (live_ == slots_) throw std::length_error("stack distances: more than 2^32 lines");
  rank_all();
  mark_ = rank(mark_);
  for (const auto& page : pages_) {
    if (!page) continue;
    for (std::uint32_t i = 0; i < kPageLines; ++i) {
      if (page[i].slot != 0) page[i].slot = rank(page[i].slot - 1) + 1;
    }
  }
  now_ = live_;
  set_all(slots_);
}

void StackDistances::rank_all() {
  ranks_.resize(sums_.groups.size() + 1);
  std::uint32_t sum = 0;
  for (std::size_t group = 0; group < sums_.groups.size(); ++group) {
    ranks_[group] = sum;
    sum += sums_.groups[group];
  }
  ranks_.back() = sum;
}

std::uint32_t StackDistances::rank(std::uint32_t slot) const {
  const std::uint32_t group = slot >> kGroupBits;
  std::uint32_t ones = ranks_[group];
  if (slot % 512 == 0) return ones;  // also the slot behind the last
  for (std::uint32_t word = group * 8; word < slot / 64; ++word) ones += static_cast<std::uint32_t>(std::popcount(sums_.words[word]));
  if (slot % 64 != 0) ones += static_cast<std::uint32_t>(std::popcount(sums_.words[slot / 64] << (64 - slot % 64)));
  return ones;
}

std::int64_t DistanceHistogram::missed(std::uint64_t lines) const {
  std::int64_t sum = never_;
  for (std::size_t i = bucket(lines); i < counts_.size(); ++i) sum += counts_[i];
  return sum;
}

DistanceHistogram& DistanceHistogram::operator+=(const DistanceHistogram& other) {
  if (counts_.size() < other.counts_.size()) counts_.resize(other.counts_.size());
  for (std::size_t i = 0; i < other.counts_.size(); ++i) counts_[i] += other.counts_[i];
  never_ += other.never_;
  return *this;
}

}  // namespace rooftrace
