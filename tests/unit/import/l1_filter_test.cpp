#include "traces/import/l1_filter.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rooftrace {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct Loads {
  explicit Loads(std::uint64_t capacity) : l1(capacity) {}
  std::vector<SectorRun> load(std::uint64_t address, std::uint64_t sectors) {
    std::vector<SectorRun> missed;
    hits = l1.load({address, sectors}, missed);
    return missed;
  }
  L1Filter l1;
  std::uint64_t hits = 0;
};

TEST(L1Filter, BringsOnlyTheSectorsAskedFor) {
  Loads l1(1024);
  EXPECT_THAT(l1.load(0, 1), ElementsAre(SectorRun{0, 1}));
  EXPECT_EQ(l1.hits, 0U);
  EXPECT_THAT(l1.load(0, 4), ElementsAre(SectorRun{32, 3}));  // The line is there, three of its sectors are not.
  EXPECT_EQ(l1.hits, 1U);
  EXPECT_THAT(l1.load(0, 4), IsEmpty());
}

TEST(L1Filter, MissesOnBothSidesOfAHitAreTwoRuns) {
  Loads l1(1024);
  l1.load(64, 1);
  EXPECT_THAT(l1.load(0, 4), ElementsAre(SectorRun{0, 2}, SectorRun{96, 1}));
}

TEST(L1Filter, TheLeastRecentlyUsedLineGoes) {
  Loads l1(256);  // Two lines.
  l1.load(0, 1);
  l1.load(128, 1);
  EXPECT_THAT(l1.load(0, 1), IsEmpty());  // Now 128 is the older one.
  l1.load(256, 1);
  EXPECT_THAT(l1.load(0, 1), IsEmpty());
  EXPECT_THAT(l1.load(128, 1), ElementsAre(SectorRun{128, 1}));
}

TEST(L1Filter, ACyclicWalkThroughOneLineMoreThanFitsNeverHits) {
  Loads l1(4 * 128);
  for (int round = 0; round < 3; ++round) {
    for (std::uint64_t line = 0; line < 5; ++line) EXPECT_EQ(l1.load(line * 128, 4).size(), 1U);
  }
}

TEST(L1Filter, AtomicsThrowLinesOutAndNoCapacityMeansNoHit) {
  Loads l1(1024);
  l1.load(0, 4);
  l1.l1.drop({32, 1});
  EXPECT_THAT(l1.load(0, 4), ElementsAre(SectorRun{0, 4}));
  Loads none(0);
  none.load(0, 4);
  EXPECT_THAT(none.load(0, 4), ElementsAre(SectorRun{0, 4}));
}

}  // namespace
}  // namespace rooftrace
