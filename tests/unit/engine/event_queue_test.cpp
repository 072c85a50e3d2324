// Do events come out by time, and equal times in the order in which they went in?
#include "sim/engine/event_queue.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace rooftrace {
namespace {

TEST(EventQueue, EqualTimesKeepTheirOrder) {
  EventQueue queue;
  for (std::uint32_t i = 0; i < 100; ++i) queue.push(5, i);
  for (std::uint32_t i = 0; i < 100; ++i) EXPECT_EQ(queue.pop().slot, i);
  EXPECT_TRUE(queue.empty());
}

TEST(EventQueue, AgreesWithAStableSort) {
  constexpr std::uint32_t kSeed = 20261122;
  SCOPED_TRACE(kSeed);
  std::mt19937 random(kSeed);
  EventQueue queue;
  std::vector<std::pair<Time, std::uint32_t>> expected;
  for (std::uint32_t i = 0; i < 5000; ++i) {
    const Time time = random() % 100;
    queue.push(time, i);
    expected.emplace_back(time, i);
  }
  std::stable_sort(expected.begin(), expected.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [time, slot] : expected) {
    const EventQueue::Event event = queue.pop();
    ASSERT_EQ(event.time, time);
    ASSERT_EQ(event.slot, slot);
  }
}

}  // namespace
}  // namespace rooftrace
