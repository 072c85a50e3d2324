// Sums over byte counts: each total takes exactly the cells it should.
#include "sim/core/counters.hpp"

#include <gtest/gtest.h>

namespace rooftrace {
namespace {

// Every cell holds its own power of two or a sum would hide a missing or doubled cell: 4 * 5 * 2 * 4 = 160 cells do not fit 64 bits, so one
// level at a time is filled with 40 powers of two, the others with zero.
ByteCounts one_level(LevelId level) {
  ByteCounts counts;
  std::uint64_t value = 1;
  for (int role = 0; role < kTensorRoles; ++role) {
    for (int direction = 0; direction < kDirections; ++direction) {
      for (int cause = 0; cause < kCauses; ++cause) {
        counts.at(level, static_cast<TensorRole>(role), static_cast<Direction>(direction), static_cast<Cause>(cause)) = value;
        value *= 2;
      }
    }
  }
  return counts;
}

TEST(ByteCounts, TotalsTakeEachCellOnce) {
  // Cells in order role, direction, cause: bit = role * 8 + direction * 4 + cause. Reads of a role are bits 0-3, writes 4-7.
  std::uint64_t reads = 0;
  std::uint64_t refetches = 0;
  for (int role = 0; role < kTensorRoles; ++role) {
    reads |= 0x0fULL << (role * 8);
    refetches |= 0x44ULL << (role * 8);  // Cause 2 of both directions: bits 2 and 6.
  }
  for (int l = 0; l < kLevels; ++l) {
    const auto level = static_cast<LevelId>(l);
    const ByteCounts counts = one_level(level);
    EXPECT_EQ(counts.total(level, Direction::read), reads);
    EXPECT_EQ(counts.total(level, Direction::write), reads << 4);
    EXPECT_EQ(counts.total(level), (1ULL << 40) - 1);  // All 40 bits.
    EXPECT_EQ(counts.by_cause(level, Cause::refetch), refetches);
    EXPECT_EQ(counts.by_cause(level, Cause::requested), refetches >> 2);
    for (int other = 0; other < kLevels; ++other) {
      if (other == l) continue;
      EXPECT_EQ(counts.total(static_cast<LevelId>(other)), 0U);
    }
  }
}

TEST(ByteCounts, AddCellByCell) {
  ByteCounts sum = one_level(LevelId::l2);
  sum += one_level(LevelId::pcie);
  sum += one_level(LevelId::pcie);
  EXPECT_EQ(sum.at(LevelId::l2, TensorRole::weights, Direction::read, Cause::requested), 1U);
  // The last cell is bit 39; twice that is 2^40.
  EXPECT_EQ(sum.at(LevelId::pcie, TensorRole::tables, Direction::write, Cause::write_back), 1ULL << 40);
  EXPECT_EQ(sum.total(LevelId::hbm), 0U);
  ByteCounts again = sum;
  EXPECT_EQ(again, sum);
  again.at(LevelId::hbm, TensorRole::kv, Direction::write, Cause::write_back) += 1;
  EXPECT_NE(again, sum);
}

TEST(CacheCounts, Add) {
  CacheCounts sum{10, 5, 64};
  sum += CacheCounts{1, 2, 3};
  EXPECT_EQ(sum, (CacheCounts{11, 7, 67}));
}

}  // namespace
}  // namespace rooftrace
