// Are stack distances what independent codes find? The sum of all finite distances (distinct lines between two uses of a line), and the
// hits of 409,600 lines that follow from them, for three streams. The sums were agreed by three stack-distance codes of different design,
// the hits by these and, to four digits, libCacheSim.
#include <gtest/gtest.h>

#include <cstdint>

#include "sim/machine/stack_distance.hpp"
#include "tests/support/streams.hpp"

namespace rooftrace {
namespace {

struct Found {
  StackDistances distances;
  DistanceHistogram histogram;
  std::uint64_t sum = 0, accesses = 0, distinct = 0;

  void operator()(std::uint64_t line) {
    const std::uint32_t distance = distances.touch(line).distance;
    ++accesses;
    histogram.add(distance, 1);
    if (distance == StackDistances::kNever) {
      ++distinct;
    } else {
      sum += distance;
    }
  }
  [[nodiscard]] std::uint64_t hits(std::uint64_t lines) const { return accesses - static_cast<std::uint64_t>(histogram.missed(lines)); }
};

TEST(StackDistanceGates, StreamA) {
  Found found;
  streams::for_each_line<streams::GemmA>([&](std::uint64_t line) { found(line); });
  EXPECT_EQ(found.accesses, 12582912U);
  EXPECT_EQ(found.distinct, 4202496U);
  EXPECT_EQ(found.sum, 30941323264U);
  EXPECT_EQ(found.hits(409600), 8323072U);
}

TEST(StackDistanceGates, StreamB) {
  Found found;
  streams::for_each_line<streams::GemmB>([&](std::uint64_t line) { found(line); });
  EXPECT_EQ(found.accesses, 16777216U);
  EXPECT_EQ(found.distinct, 524288U);
  EXPECT_EQ(found.sum, 572648304640U);
  EXPECT_EQ(found.hits(409600), 16252928U);
}

TEST(StackDistanceGates, StreamC) {
  Found found;
  streams::for_each_random(43, [&](std::uint64_t line) { found(line); });
  EXPECT_EQ(found.accesses, 16777216U);
  EXPECT_EQ(found.distinct, 2096450U);
  EXPECT_EQ(found.sum, 14297021051332U);
  EXPECT_EQ(found.hits(409600), 3233280U);
}

}  // namespace
}  // namespace rooftrace
