// Sectors counted by hand: 32 lanes, 32-byte sectors.
#include "traces/import/coalescer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rooftrace {
namespace {

using ::testing::ElementsAre;

/// Lane i at base + i * stride, for the set bits of the mask.
std::vector<SectorRun> warp(std::uint64_t base, std::uint64_t stride, std::uint64_t bytes, std::uint32_t mask = 0xffffffff) {
  std::vector<std::uint64_t> starts;
  for (std::uint64_t lane = 0; lane < 32; ++lane) {
    if (((mask >> lane) & 1) != 0) starts.push_back(base + lane * stride);
  }
  std::vector<SectorRun> runs;
  coalesce(starts, bytes, runs);
  return runs;
}

TEST(Coalescer, ContiguousLanesShareSectors) {
  // 32 lanes x 1, 2, 4, 8, 16 bytes side by side: 32, 64, 128, 256, 512 bytes = 1, 2, 4, 8, 16 sectors.
  for (const std::uint64_t bytes : {1U, 2U, 4U, 8U, 16U}) EXPECT_THAT(warp(0x1000, bytes, bytes), ElementsAre(SectorRun{0x1000, bytes}));
}

TEST(Coalescer, StridesTouchMore) {
  EXPECT_THAT(warp(0x1000, 8, 4), ElementsAre(SectorRun{0x1000, 8}));    // Every second word of 256 bytes.
  EXPECT_THAT(warp(0x1000, 32, 4), ElementsAre(SectorRun{0x1000, 32}));  // A word of every sector: neighbours, one run.
  const auto far = warp(0x1000, 128, 4);                                 // A sector of every line.
  ASSERT_EQ(far.size(), 32U);
  for (std::uint64_t i = 0; i < 32; ++i) EXPECT_EQ(far[i], (SectorRun{0x1000 + 128 * i, 1}));
}

TEST(Coalescer, BroadcastIsOneSector) {
  EXPECT_THAT(warp(0x1010, 0, 4), ElementsAre(SectorRun{0x1000, 1}));
}

TEST(Coalescer, MisalignedTouchesOneMore) {
  // 128 bytes from 4 bytes into a sector: bytes 4 .. 131 lie in sectors 0 .. 4.
  EXPECT_THAT(warp(0x1004, 4, 4), ElementsAre(SectorRun{0x1000, 5}));
  // One lane of 16 bytes across a border.
  EXPECT_THAT(warp(0x1018, 0, 16, 1), ElementsAre(SectorRun{0x1000, 2}));
}

TEST(Coalescer, OnlyActiveLanesCount) {
  EXPECT_THAT(warp(0x1000, 4, 4, 0), ElementsAre());
  EXPECT_THAT(warp(0x1000, 4, 4, 0x000000ff), ElementsAre(SectorRun{0x1000, 1}));
  // Lanes 0-7 and 16-23: the first and the third sector.
  EXPECT_THAT(warp(0x1000, 4, 4, 0x00ff00ff), ElementsAre(SectorRun{0x1000, 1}, SectorRun{0x1040, 1}));
}

TEST(Coalescer, OrderOfLanesDoesNotMatter) {
  std::vector<std::uint64_t> starts = {0x1040, 0x1000, 0x1020, 0x1000};
  std::vector<SectorRun> runs;
  coalesce(starts, 4, runs);
  EXPECT_THAT(runs, ElementsAre(SectorRun{0x1000, 3}));
}

TEST(Coalescer, TheEndOfTheAddressSpaceIsNoTrap) {
  std::vector<std::uint64_t> starts = {UINT64_MAX, UINT64_MAX - 40};
  std::vector<SectorRun> runs;
  coalesce(starts, 16, runs);  // The last two sectors: -40 lies in the one before the last.
  EXPECT_THAT(runs, ElementsAre(SectorRun{UINT64_MAX - 63, 2}));
}

TEST(Coalescer, EvenRunsBecomeOneAccess) {
  std::vector<Access> out;
  append_accesses(warp(0x1000, 128, 4), AccessOp::load, TensorRole::weights, out);
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(out[0].rows, 32U);
  EXPECT_EQ(out[0].row_bytes, 32U);
  EXPECT_EQ(out[0].pitch, 128U);
  EXPECT_EQ(out[0].role, TensorRole::weights);
  // Neighbouring warps that go on where the last one ended: one longer access; another op starts anew.
  out.clear();
  for (std::uint64_t w = 0; w < 4; ++w) append_accesses(warp(0x1000 + 512 * w, 16, 16), AccessOp::load, TensorRole::kv, out);
  append_accesses(warp(0x1800, 16, 16), AccessOp::store, TensorRole::kv, out);
  ASSERT_EQ(out.size(), 2U);
  EXPECT_EQ(out[0].row_bytes, 2048U);
  EXPECT_EQ(out[1].op, AccessOp::store);
}

TEST(Coalescer, RunsThatDescendStayApart) {
  // Lanes in address order, but the frame of the second was met first and so lies below: no access has a negative pitch.
  std::vector<Access> out;
  append_accesses(std::vector<SectorRun>{{0x80000000, 1}, {0x40000000, 1}}, AccessOp::load, TensorRole::kv, out);
  ASSERT_EQ(out.size(), 2U);
  EXPECT_EQ(out[0].rows, 1U);
  EXPECT_EQ(out[1].address, 0x40000000U);
}

TEST(Coalescer, UnevenRunsStayApart) {
  std::vector<Access> out;
  append_accesses(std::vector<SectorRun>{{0, 1}, {64, 1}, {256, 1}}, AccessOp::load, TensorRole::kv, out);
  EXPECT_EQ(out.size(), 3U);
}

}  // namespace
}  // namespace rooftrace
