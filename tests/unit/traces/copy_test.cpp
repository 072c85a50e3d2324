// Byte movers: every byte once, in the order promised.
#include "traces/copy.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <stdexcept>

#include "traces/trace_check.hpp"

namespace rooftrace {
namespace {

using ::testing::IsEmpty;

DeviceShape gpu(std::uint32_t sms = 4, std::uint32_t max_blocks = 2) {
  DeviceShape shape;
  shape.sms = sms;
  shape.max_blocks_per_sm = max_blocks;
  return shape;
}

ByteRange range(std::uint64_t address, std::uint64_t bytes, Home home = Home::local) {
  ByteRange out;
  out.address = address;
  out.bytes = bytes;
  out.home = home;
  return out;
}

constexpr std::uint64_t kFar = 1ULL << 33;

TEST(Copy, StreamReadsEveryByteOnceOrAgainAndAgain) {
  StreamProblem p;
  p.sources = {range(kFar, 10 * 1000 + 500)};
  p.chunk_bytes = 1000;
  p.step_bytes = 300;
  const Kernel once = make_stream(gpu(), p);
  EXPECT_EQ(once.grid, 11U);               // The last chunk has 500 bytes.
  EXPECT_EQ(once.program->steps(0), 4U);   // 300 + 300 + 300 + 100
  EXPECT_EQ(once.program->steps(10), 2U);  // 300 + 200
  EXPECT_EQ(measure(once).loaded(), 10'500U);
  EXPECT_THAT(check_kernel(once), IsEmpty());

  p.blocks = 25;  // Block b reads chunk b mod 11: the whole range twice, then chunks 0, 1, 2.
  const Kernel again = make_stream(gpu(), p);
  EXPECT_EQ(measure(again).loaded(), 2 * 10'500 + 3 * 1000U);
  EXPECT_THAT(check_kernel(again), IsEmpty());
  p.blocks = 3;  // Part of the range only.
  EXPECT_THAT(check_kernel(make_stream(gpu(), p)), IsEmpty());
  EXPECT_EQ(measure(make_stream(gpu(), p)).loaded(), 3000U);
}

TEST(Copy, StreamTriadMovesThreeRanges) {
  StreamProblem p;
  p.sources = {range(0, 1 << 20), range(kFar, 1 << 20)};
  p.destinations = {range(2 * kFar, 1 << 20)};
  const Kernel kernel = make_stream(gpu(), p);
  EXPECT_THAT(check_kernel(kernel), IsEmpty());
  EXPECT_EQ(measure(kernel).loaded(), 2U << 20);
  EXPECT_EQ(measure(kernel).stored(), 1U << 20);
  p.destinations[0].bytes -= 1;
  EXPECT_THROW((void)make_stream(gpu(), p), std::invalid_argument);
  EXPECT_THROW((void)make_stream(gpu(), StreamProblem{}), std::invalid_argument);
}

TEST(Copy, TheCopyEngineBringsHostBytesInChunks) {
  const ByteRange host = range(0, 600'000, Home::host), local = range(kFar, 600'000);
  const Kernel kernel = make_engine_copy(host, local);
  EXPECT_EQ(kernel.unit, Unit::copy_engine);
  EXPECT_EQ(kernel.grid, 1U);
  EXPECT_EQ(kernel.program->steps(0), 3U);  // 262,144 + 262,144 + 75,712
  const TraceTotals totals = measure(kernel);
  EXPECT_EQ(totals.at(TensorRole::activations, Home::host).distinct_read, 600'000U);
  EXPECT_EQ(totals.at(TensorRole::activations, Home::local).distinct_written, 600'000U);
  EXPECT_EQ(totals.largest_step, 262'144U);
  EXPECT_THAT(check_kernel(kernel), IsEmpty());
  EXPECT_THROW((void)make_engine_copy(host, range(kFar, 1)), std::invalid_argument);
}

TEST(Copy, PeerBytesKeepTheirHome) {
  const Kernel kernel = make_engine_copy(range(0, 1000, Home::local), range(kFar, 1000, Home::peer));
  EXPECT_EQ(measure(kernel).at(TensorRole::activations, Home::peer).stored, 1000U);
  EXPECT_THAT(check_kernel(kernel), IsEmpty());
}

std::vector<std::uint64_t> chased(const Kernel& kernel, std::uint32_t block) {
  std::vector<std::uint64_t> out;
  Step step;
  for (std::uint32_t s = 0; s < kernel.program->steps(block); ++s) {
    step.clear();
    kernel.program->fill(block, s, step);
    for (const Access& access : step.loads) out.push_back(access.address);
  }
  return out;
}

TEST(Copy, AChaseVisitsEverySlotBeforeItComesBack) {
  ChaseProblem p;
  p.range = range(kFar, 64 * 128);
  p.loads = 100;
  const Kernel kernel = make_chase(gpu(), p);
  EXPECT_EQ(kernel.grid, 1U);
  EXPECT_EQ(kernel.depth, 1U);  // One load in flight: the next one needs its answer.
  const std::vector<std::uint64_t> path = chased(kernel, 0);
  ASSERT_EQ(path.size(), 100U);
  EXPECT_EQ(std::set<std::uint64_t>(path.begin(), path.begin() + 64).size(), 64U);
  EXPECT_EQ(path[64], path[0]);
  EXPECT_EQ(path[99], path[35]);
  std::uint64_t forward = 0;  // Steps to the next slot in memory: a random order of 64 has about one, a sequential one 63.
  for (std::size_t i = 1; i < 64; ++i) forward += path[i] == path[i - 1] + 128;
  EXPECT_LE(forward, 8U);
  EXPECT_THAT(check_kernel(kernel), IsEmpty());
  EXPECT_EQ(chased(make_chase(gpu(), p), 0), path);
  p.seed = 2;
  EXPECT_NE(chased(make_chase(gpu(), p), 0), path);
}

TEST(Copy, ChainsSpreadOverBlocksAndKeepTheirFootprint) {
  for (const std::uint64_t chains : {1, 3, 8, 20, 64}) {
    for (const std::uint64_t loads : {1, 3, 10, 64, 200}) {
      ChaseProblem p;
      p.range = range(kFar, 64 * 128);
      p.chains = chains;
      p.loads = loads;
      const Kernel kernel = make_chase(gpu(), p);  // 4 SMs of at most 2 blocks: 8 at a time.
      EXPECT_LE(kernel.grid, 8U);
      EXPECT_EQ(measure(kernel).loaded(), chains * loads * 32);
      EXPECT_THAT(check_kernel(kernel), IsEmpty()) << chains << " chains of " << loads;
    }
  }
  ChaseProblem p;
  p.range = range(kFar, 64 * 128);
  // Lanes of a warp go on together: 20 chains of 4 lanes are 5 blocks of 4 loads a step; 20 of 1 are 7 blocks of up to 3.
  p.chains = 20;
  p.lanes = 4;
  const Kernel warps = make_chase(gpu(), p);
  EXPECT_EQ(warps.grid, 5U);
  Step step;
  warps.program->fill(4, 0, step);
  EXPECT_EQ(step.loads.size(), 4U);
  p.lanes = 1;
  EXPECT_EQ(make_chase(gpu(), p).grid, 7U);
  p.lanes = 0;
  EXPECT_THROW((void)make_chase(gpu(), p), std::invalid_argument);
  p.lanes = 1;
  p.chains = 65;
  EXPECT_THROW((void)make_chase(gpu(), p), std::invalid_argument);
}

// 1 MB in chunks of 256 KiB at 10 GB/s: every chunk takes the host 26.2144 us (the last, of 213,568 B, 21.3568), one at a time; before the
// first chunk moves, the host must have copied it. The bytes are those of a pinned copy.
TEST(Copy, APageableCopyIsPacedByTheHost) {
  ByteRange from = range(kFar, 1'000'000), to = range(0, 1'000'000);
  from.home = Home::host;
  const Kernel kernel = make_pageable_copy(from, to, 10e9);
  EXPECT_EQ(kernel.depth, 1U);
  ASSERT_EQ(kernel.program->steps(0), 4U);
  for (std::uint32_t s = 0; s < 4; ++s) {
    Step step;
    kernel.program->fill(0, s, step);
    EXPECT_EQ(step.least, s < 3 ? 26'214'400 : 21'356'800);
    EXPECT_EQ(step.pause, s == 0 ? 26'214'400 : 0);
  }
  EXPECT_THAT(check_kernel(kernel), IsEmpty());
  EXPECT_EQ(measure(kernel).loaded(), measure(make_engine_copy(from, to)).loaded());
  EXPECT_THROW((void)make_pageable_copy(from, to, 0), std::invalid_argument);
}

}  // namespace
}  // namespace rooftrace
