// The shim: threads that meet, threads that wait for ever, copies that nobody waited for.
#include "traces/capture/shim/grid.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "traces/capture/hopper.hpp"

namespace rooftrace::capture {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

const shim::GridShape kOneWarp{{1, 1, 1}, {32, 1, 1}, 1024};

TEST(ShimGrid, EveryThreadOfEveryBlockRunsInOrder) {
  std::vector<unsigned> seen;
  shim::run_grid({{2, 2, 1}, {3, 1, 1}, 0}, [&] { seen.push_back(linear_block() * 10 + thread_index()); });
  EXPECT_THAT(seen, ElementsAre(0, 1, 2, 10, 11, 12, 20, 21, 22, 30, 31, 32));
}

TEST(ShimGrid, ABarrierSeparatesBeforeAndAfter) {
  std::vector<int> cells(64, 0);
  std::vector<int> sums(64, 0);
  shim::run_grid({{1, 1, 1}, {64, 1, 1}, 0}, [&] {
    cells[thread_index()] = 1;
    block_barrier();
    for (const int cell : cells) sums[thread_index()] += cell;
  });
  EXPECT_THAT(sums, ::testing::Each(64));
}

TEST(ShimGrid, ShufflesAndVotes) {
  std::vector<unsigned> got(32);
  unsigned votes = 0;
  shim::run_grid(kOneWarp, [&] {
    got[thread_index()] = shuffle_xor(thread_index(), 5) * 100 + shuffle(thread_index() + 1, 31);
    votes = ballot(thread_index() % 2 == 1);
  });
  for (unsigned lane = 0; lane < 32; ++lane) EXPECT_EQ(got[lane], (lane ^ 5U) * 100 + 32);
  EXPECT_EQ(votes, 0xAAAAAAAAU);
}

TEST(ShimGrid, AThreadThatLeavesBeforeABarrierIsNamed) {
  EXPECT_THAT(
      [] {
        shim::run_grid(kOneWarp, [] {
          if (thread_index() != 7) block_barrier();
        });
      },
      ThrowsMessage<shim::GridError>(HasSubstr("threads wait for ever: thread 0 at bar.sync")));
}

TEST(ShimGrid, LanesThatMeetAtDifferentInstructionsAreAnError) {
  EXPECT_THAT([] { shim::run_grid(kOneWarp, [] { thread_index() < 16 ? (void)ballot(true) : (void)reduce_or(1); }); },
              ThrowsMessage<shim::GridError>(HasSubstr("vote.sync.ballot and at redux.sync.or")));
}

TEST(ShimGrid, AWaitThatNothingEndsIsAnError) {
  EXPECT_THAT(
      [] {
        shim::run_grid(kOneWarp, [] {
          if (thread_index() == 0) mbarrier_init(0, 1);
          block_barrier();
          mbarrier_wait(0, 0);
        });
      },
      ThrowsMessage<shim::GridError>(HasSubstr("a wait for memory")));
}

TEST(ShimGrid, AnAsynchronousCopyHappensWhenItIsWaitedFor) {
  const std::vector<std::uint32_t> source(4, 7);
  std::uint32_t before = 0;
  std::uint32_t after = 0;
  std::uint32_t filled = 1;
  shim::run_grid({{1, 1, 1}, {1, 1, 1}, 32}, [&] {
    cp_async16(0, source.data(), 16);
    cp_async_commit();
    cp_async16(16, source.data(), 0);  // Nothing is read; zeros.
    cp_async_commit();
    cp_async_wait<2>();
    before = load_as<std::uint32_t>(shim::shared_memory());
    cp_async_wait<1>();
    after = load_as<std::uint32_t>(shim::shared_memory());
    cp_async_wait<0>();
    filled = load_as<std::uint32_t>(shim::shared_memory() + 16);
  });
  EXPECT_EQ(before, 0xFFFFFFFFU);  // Shared memory begins as NaN.
  EXPECT_EQ(after, 7U);
  EXPECT_EQ(filled, 0U);
}

// Thread t of one warp writes row t of a 16 x 8 matrix of bf16; ldmatrix gives lane l elements (l / 4, 2 (l % 4)) and the next one.
TEST(ShimGrid, LdmatrixFragments) {
  std::vector<float> low(32);
  std::vector<float> transposed(32);
  shim::run_grid(kOneWarp, [&] {
    if (thread_index() < 32) {
      for (unsigned c = 0; c < 8; ++c) {
        store_as(shim::shared_memory() + thread_index() * 16 + c * 2, to_bf16(static_cast<float>(thread_index() * 8 + c)));
      }
    }
    warp_barrier();
    std::uint32_t to[4];
    ldmatrix_x4(to, thread_index() * 16);
    low[thread_index()] = high_bf16(to[1]);
    ldmatrix_x4_transposed(to, thread_index() * 16);
    transposed[thread_index()] = high_bf16(to[0]);
  });
  for (unsigned lane = 0; lane < 32; ++lane) {
    EXPECT_EQ(low[lane], static_cast<float>((8 + lane / 4) * 8 + lane % 4 * 2 + 1));
    EXPECT_EQ(transposed[lane], static_cast<float>((lane % 4 * 2 + 1) * 8 + lane / 4));
  }
}

TEST(ShimGrid, SharedMemoryHasAnEnd) {
  EXPECT_THAT(
      [] {
        shim::run_grid(kOneWarp, [] {
          std::uint32_t to[4];
          ldmatrix_x4(to, 1024 - 16 + thread_index() * 16);
        });
      },
      ThrowsMessage<shim::GridError>(HasSubstr("past the block's shared memory")));
}

TEST(Bf16, RoundsToNearestEven) {
  // 1 + 2^-8 lies between 1 and 1 + 2^-7: to even, 1. 1 + 3 x 2^-8: to even, 1 + 2^-6.
  EXPECT_EQ(to_float(to_bf16(1.00390625F)), 1.0F);
  EXPECT_EQ(to_float(to_bf16(1.01171875F)), 1.015625F);
  EXPECT_EQ(low_bf16(pack_bf16(-2.5F, 3.0F)), -2.5F);
  EXPECT_EQ(high_bf16(pack_bf16(-2.5F, 3.0F)), 3.0F);
}

}  // namespace
}  // namespace rooftrace::capture
