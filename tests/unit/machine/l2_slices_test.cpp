// Slices: whose turn it is, who needs a slot, and when each line is there, to the picosecond.
#include "sim/machine/l2_slices.hpp"

#include <gtest/gtest.h>

#include <map>

#include "tests/support/l2_bench.hpp"
#include "tests/support/toy.hpp"

namespace rooftrace {
namespace {

LineRequest request(std::uint64_t line) {
  LineRequest r;
  r.line = line;
  return r;
}

std::vector<std::uint64_t> served(SliceInputs& inputs, Time now, std::uint32_t first = 0) {
  std::vector<std::uint64_t> order;
  for (std::uint32_t i = inputs.turn(now, first); i != inputs.inputs(); i = inputs.turn(now, first)) order.push_back(inputs.take(i).line);
  return order;
}

// Queue 0 holds 1, 2, 3; queue 1 holds 10; queue 2 holds 20, 21 of which the second comes at 50. One of each in turn; what has not come
// is passed over. Then 30 in queue 1: the last served was of queue 2, so it is the turn of queue 0, which is empty.
TEST(SliceInputs, QueuesAreServedInTurn) {
  SliceInputs inputs(3);
  for (const std::uint64_t line : {1, 2, 3}) inputs.push(0, 0, request(line));
  inputs.push(1, 0, request(10));
  inputs.push(2, 0, request(20));
  inputs.push(2, 50, request(21));
  EXPECT_EQ(served(inputs, 10), (std::vector<std::uint64_t>{1, 10, 20, 2, 3}));
  EXPECT_EQ(inputs.earliest(0), 50);
  EXPECT_EQ(served(inputs, 50), (std::vector<std::uint64_t>{21}));
  inputs.push(1, 60, request(30));
  EXPECT_EQ(served(inputs, 60), (std::vector<std::uint64_t>{30}));
  EXPECT_EQ(inputs.earliest(0), kNever);
}

// From input 1 on: what stands in queue 0 is left there. And 40 requests keep their order while the ring grows.
TEST(SliceInputs, SomeInputsOnlyAndManyRequests) {
  SliceInputs inputs(2);
  std::vector<std::uint64_t> all;
  for (std::uint64_t line = 0; line < 40; ++line) {
    inputs.push(0, static_cast<Time>(line), request(line));
    all.push_back(line);
  }
  inputs.push(1, 3, request(100));
  EXPECT_EQ(served(inputs, 100, 1), (std::vector<std::uint64_t>{100}));
  EXPECT_EQ(served(inputs, 100), all);
}

// Two slots: one held until 100, the other until nobody knows when.
TEST(MissSlots, AreFreeWhenTheLineIsThere) {
  MissSlots slots(2);
  EXPECT_TRUE(slots.free(0));
  slots.take(100);
  slots.take();
  EXPECT_FALSE(slots.free(99));
  EXPECT_EQ(slots.next(), 100);
  EXPECT_TRUE(slots.free(100));
  slots.take(300);
  slots.release(250);
  EXPECT_FALSE(slots.free(200));
  EXPECT_EQ(slots.next(), 250);
  EXPECT_TRUE(slots.free(250));
}

struct SliceBench : toy::L2Bench {
  std::vector<std::uint32_t> gpc;
  std::map<std::uint32_t, Time> ready;

  SliceBench() {
    l2.peak_bandwidth = 1e12;
    hbm.channels = 1;
  }
  [[nodiscard]] std::unique_ptr<L2> slices() { return make_l2({&l2, &hbm, 1ULL << 30, &roles, Contention::slices, gpc}); }
  void ask(L2& level, const Access& access, Time now, std::uint32_t ticket, std::uint32_t sm = 0, std::uint32_t partition = 0) {
    const Time at = level.access(std::span(&access, 1), {sm, &q, &cache, ticket}, partition, now);
    if (at != kLater) ready[ticket] = at;
  }
  void run(L2& level) {
    std::vector<Answer> answers;
    while (level.next() != kNever) level.advance(answers);
    for (const Answer& a : answers) ready[a.ticket] = a.ready;
  }
};

// One channel, so one slice, with one miss slot. Sector rates: slice 32 B / 1 B per ps = 32 ps; HBM 32 B / 0.1 B per ps = 320 ps. The
// slice is 50 ps away each way.
TEST(Slices, StandStillWhileNoMissSlotIsFree) {
  SliceBench b;
  b.l2.miss_slots = 1;
  const auto l2 = b.slices();
  b.ask(*l2, toy::load(0, 32), 0, 0);
  b.run(*l2);  // line 0 is there afterwards
  constexpr Time kStart = 100'000'000;
  b.ask(*l2, toy::load(4096, 32), kStart, 1);
  b.ask(*l2, toy::load(8192, 32), kStart, 2);
  b.ask(*l2, toy::load(0, 32), kStart, 3);
  b.ask(*l2, toy::load(8192, 32), kStart + 1000, 4);
  b.run(*l2);
  // A miss: at the slice at 50, looked up until 82, HBM until 402, there 400 later (500 less the near latency of 100), with the SM at 852.
  EXPECT_EQ(b.ready[1] - kStart, 50 + 32 + 320 + 400 + 50);
  // The second miss needs the slot, which is free at 802: HBM until 1122, there at 1522.
  EXPECT_EQ(b.ready[2] - kStart, 802 + 320 + 400 + 50);
  // The hit behind them is looked up from 802 on.
  EXPECT_EQ(b.ready[3] - kStart, 802 + 32 + 50);
  // Who asks for the second line while it is on its way waits for it.
  EXPECT_EQ(b.ready[4] - kStart, 1522 + 50);
  EXPECT_EQ(b.hbm_read(Cause::refetch), 0U);
  EXPECT_EQ(b.q.total(LevelId::hbm, Direction::read), 3U * 32);
  EXPECT_EQ(b.cache.sectors_hit, 2U);
}

// SM 0 is alone in its GPC, SMs 1 and 2 share one. Each asks for four lines that are there, 128 ps each: the slice takes one of each GPC
// in turn, so SM 0 has every other service (1, 3, 5, 7), SM 1, who came first, the others up to the eighth, SM 2 what is left.
TEST(Slices, GpcsHaveEqualShares) {
  SliceBench b;
  b.gpc = {0, 1, 1};
  b.l2.bandwidth = 1e14;  // ports do not matter
  const auto l2 = b.slices();
  b.ask(*l2, toy::load(0, 512), 0, 0);
  b.run(*l2);
  constexpr Time kStart = 100'000'000;
  for (std::uint32_t sm = 0; sm < 3; ++sm) b.ask(*l2, toy::load(0, 512), kStart, sm, sm);
  b.run(*l2);
  EXPECT_EQ(b.ready[0] - kStart, 7 * 128 + 100);
  EXPECT_EQ(b.ready[1] - kStart, 8 * 128 + 100);
  EXPECT_EQ(b.ready[2] - kStart, 12 * 128 + 100);
}

// Two partitions with a slice each, copies, one slot of each kind.
struct TwoPartitions : SliceBench {
  std::vector<std::uint64_t> home0, home1;  ///< Addresses of lines at home in either.
  TwoPartitions() {
    l2.partitions = 2;
    l2.copies = true;
    l2.effective = l2.capacity = 4 * 128 * 64;
    l2.miss_slots = 1;
    l2.bandwidth = 1e14;
    hbm.channels = 2;
    const Hbm map(hbm, 32);
    for (std::uint64_t address = 0; address < 64 * 512; address += 512) {
      (map.channel(map.chunk(address)) == 0 ? home0 : home1).push_back(address);
    }
  }
};

// A line of the other partition: looked up beside (at 50, until 114: two slices of 0.5 B/ps, 64 ps for a sector), asked of its home 50
// later, looked up there until 228, HBM (0.05 B/ps) 640, DRAM 400, back 50, to the SM 50. Who asks for it meanwhile gets it then, too, and
// it crosses once. Afterwards it is near: 64 + 100.
TEST(Slices, LinesOfTheOtherPartitionAreFetchedOnceAndKept) {
  TwoPartitions b;
  const auto l2 = b.slices();
  const Access line = toy::load(b.home1.front(), 32);
  b.ask(*l2, line, 0, 1, 0, 0);
  b.ask(*l2, line, 0, 2, 0, 0);
  b.run(*l2);
  constexpr Time kBack = 50 + 64 + 50 + 64 + 640 + 400 + 50;
  EXPECT_EQ(b.ready[1], kBack + 50);
  EXPECT_EQ(b.ready[2], kBack + 50);
  EXPECT_EQ(b.cache.fabric_bytes, 32U);
  EXPECT_EQ(b.q.total(LevelId::hbm, Direction::read), 32U);
  b.ask(*l2, line, 1'000'000, 3, 0, 0);
  b.run(*l2);
  EXPECT_EQ(b.ready[3] - 1'000'000, 64 + 100);
  // Written at home, the copy is gone: the next load crosses again, but HBM is not asked.
  b.ask(*l2, toy::store(b.home1.front(), 32), 2'000'000, 4, 0, 1);
  b.run(*l2);
  b.ask(*l2, line, 3'000'000, 5, 0, 0);
  b.run(*l2);
  EXPECT_EQ(b.cache.fabric_bytes, 64U);
  EXPECT_EQ(b.q.total(LevelId::hbm, Direction::read), 32U);
}

// Either partition asks the other for all it has, with one slot: nobody waits for ever, and each line is fetched once. Stores and atomics
// go through as well.
TEST(Slices, PartitionsThatAskEachOtherDoNotBlock) {
  TwoPartitions b;
  const auto l2 = b.slices();
  std::uint32_t ticket = 0;
  for (std::size_t i = 0; i < 16; ++i) {
    b.ask(*l2, toy::load(b.home1[i], 128), 0, ticket++, 0, 0);
    b.ask(*l2, toy::load(b.home0[i], 128), 0, ticket++, 0, 1);
    Access other = toy::store(b.home1[i] + 256, 128);
    b.ask(*l2, other, 0, ticket++, 0, 0);
    other.op = AccessOp::reduce;
    other.address = b.home0[i] + 256;
    b.ask(*l2, other, 0, ticket++, 0, 1);
  }
  b.run(*l2);
  EXPECT_EQ(b.ready.size(), ticket);
  EXPECT_EQ(b.q.total(LevelId::hbm, Direction::read), 3U * 16 * 128);
}

// A call of more lines than may be on their way at a time: all of them are served in the end.
TEST(Slices, ALongCallIsServedInParts) {
  SliceBench b;
  b.l2.miss_slots = 4;  // HBM takes 1280 ps for a line and DRAM 400: enough to keep it busy
  const auto l2 = b.slices();
  Access access = toy::load(0, 1 << 20);
  access.rows = 10;
  access.pitch = 1 << 20;
  b.ask(*l2, access, 0, 7);
  b.run(*l2);
  EXPECT_EQ(b.q.total(LevelId::hbm, Direction::read), 10U << 20);
  EXPECT_GE(b.ready[7], static_cast<Time>((10 << 20) / 0.1));
  EXPECT_LE(b.ready[7], static_cast<Time>((10 << 20) / 0.1 * 1.01));
}

// A file that does not say: twice HBM's rate times the time in DRAM. 1 TB/s x 100 ns / 128 B / 10 slices = 78.1 lines.
TEST(Slices, MissSlotsFollowLittlesLaw) {
  L2Spec l2;
  l2.latency_near = 200e-9;
  HbmSpec hbm;
  hbm.bandwidth = 1e12;
  hbm.latency = 300e-9;
  hbm.channels = 10;
  EXPECT_EQ(default_miss_slots(l2, hbm), 157U);
}

}  // namespace
}  // namespace rooftrace
