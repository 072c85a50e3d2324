// Is a channel a first-come-first-served pipe whose busy periods add up exactly?
#include "sim/engine/channel.hpp"

#include <gtest/gtest.h>

namespace rooftrace {
namespace {

TEST(Channel, OneSendTakesAmountOverRate) {
  RatedChannel channel(1e12);               // 1 byte per ps
  EXPECT_EQ(channel.send(100, 50), 150);    // 100 + 50 / 1
  EXPECT_EQ(channel.send(100, 50), 200);    // waits for the first
  EXPECT_EQ(channel.send(1000, 50), 1050);  // idle in between: a new busy period
}

// 32 B at 5.5 TB/s take 5.818... ps. 10^6 of them back to back take 5,818,181.8 ps; truncating each to 5 ps would give 5,000,000.
TEST(Channel, SmallSendsDoNotDrift) {
  RatedChannel channel(5.5e12);
  Time end = 0;
  for (int i = 0; i < 1000000; ++i) end = channel.send(0, 32);
  EXPECT_NEAR(static_cast<double>(end), 5818181.8, 10.0);
}

TEST(Channel, ARateOfZeroIsAnIdealPipe) {
  RatedChannel channel(0);
  EXPECT_EQ(channel.send(7, 1e9), 7);
}

// Flow conservation: n equal flows of b bytes that start together on a channel of B end at n*b/B.
TEST(Channel, EqualFlowsShareTheRate) {
  RatedChannel channel(2e12);  // 2 bytes per ps
  Time end = 0;
  for (int flow = 0; flow < 8; ++flow) end = channel.send(0, 4000);
  EXPECT_EQ(end, 8 * 4000 / 2);
}

}  // namespace
}  // namespace rooftrace
