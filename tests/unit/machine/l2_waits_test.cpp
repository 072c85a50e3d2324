// Copies beside the reader, slices with miss slots: who finds what where, and who waits for whom.
#include <gtest/gtest.h>

#include <random>

#include "sim/machine/l2.hpp"
#include "sim/machine/slice_queues.hpp"
#include "tests/support/l2_bench.hpp"
#include "tests/support/toy.hpp"

namespace rooftrace {
namespace {

using Bench = toy::L2Bench;

// Two partitions of one set each, modulo: even lines live in set 0 (partition 0), odd ones in set 1. `ask` reads for partition 0.
struct CopyBench : Bench {
  CopyBench(std::uint32_t ways) {
    l2.partitions = 2;
    l2.copies = true;
    l2.ways = ways;
    l2.effective = l2.capacity = std::uint64_t{ways} * 2 * 128;
    l2.hash = IndexHash::modulo;
  }
};

TEST(L2, CopiesAreFoundBesideTheReader) {
  CopyBench b(4);
  const auto l2 = b.make();
  b.ask(*l2, toy::load(128, 128));  // home 1, asked from 0: fetched once, kept in both
  EXPECT_EQ(b.hbm_read(Cause::compulsory), 128U);
  EXPECT_EQ(b.cache.fabric_bytes, 128U);
  EXPECT_EQ(l2->resident(0), std::vector<std::uint64_t>{1});
  EXPECT_EQ(l2->resident(1), std::vector<std::uint64_t>{1});
  // The copy is near, and nothing crosses any more.
  EXPECT_EQ(b.ask(*l2, toy::load(128, 128), 100000) - 100000, 128 + 100);
  EXPECT_EQ(b.cache.fabric_bytes, 128U);
  EXPECT_EQ(b.cache.sectors_hit, 4U);
}

TEST(L2, CopiesTakeRoomAndLeaveWhenTheLineIsWritten) {
  CopyBench b(2);
  const auto l2 = b.make();
  for (const std::uint64_t line : {1, 3, 0}) b.ask(*l2, toy::load(line * 128, 128));
  // Partition 0 holds two lines: its own line 0 and the copy of 3; the copy of 1 had to go, line 1 itself is still at home.
  EXPECT_EQ(l2->resident(0), (std::vector<std::uint64_t>{0, 3}));
  EXPECT_EQ(l2->resident(1), (std::vector<std::uint64_t>{3, 1}));
  b.ask(*l2, toy::load(128, 128), 100000);  // far hit, no fetch
  EXPECT_EQ(b.q.total(LevelId::hbm, Direction::read), 3U * 128);
  b.ask(*l2, toy::store(3 * 128, 128));  // written at home: the copy beside partition 0 is no longer true
  EXPECT_EQ(l2->resident(0), (std::vector<std::uint64_t>{1, 0}));
  EXPECT_EQ(l2->resident(1), (std::vector<std::uint64_t>{3, 1}));
}

// A miss whose home is the other partition crosses and comes back: 100 ps more than HBM's own latency.
TEST(L2, MissesBehindTheOtherPartitionTakeLonger) {
  CopyBench b(4);
  const auto l2 = b.make();
  EXPECT_EQ(b.ask(*l2, toy::load(0, 128)), 3840 + 500);
  EXPECT_EQ(b.ask(*l2, toy::load(128, 128), 1000000) - 1000000, 3840 + 500 + 100);
}

// Random loads and stores from both partitions with copies: the fast stores and the textbook agree.
TEST(TagStores, AgreeWithCopies) {
  std::vector<Bench> benches(3);
  std::vector<std::unique_ptr<L2>> stores;
  for (Bench& b : benches) {
    b.l2.partitions = 2;
    b.l2.copies = true;
    b.l2.effective = b.l2.capacity = 4 * 128 * 6;
    stores.push_back(b.make(stores.empty() ? TagStore::reference : stores.size() == 1 ? TagStore::packed_portable : TagStore::automatic));
  }
  std::mt19937 random(11);
  for (int i = 0; i < 20000; ++i) {
    Access access = toy::load((random() % 60) * 128 + (random() % 4) * 32, static_cast<std::uint32_t>(32 + (random() % 3) * 32));
    if (random() % 4 == 0) access.op = random() % 4 == 0 ? AccessOp::reduce : AccessOp::store;
    const std::uint32_t partition = static_cast<std::uint32_t>(random() % 2);
    for (std::size_t s = 0; s < 3; ++s) stores[s]->access(std::span(&access, 1), {0, &benches[s].q, &benches[s].cache}, partition, 0);
  }
  for (std::size_t s = 1; s < 3; ++s) {
    EXPECT_EQ(benches[0].q, benches[s].q);
    EXPECT_EQ(benches[0].cache, benches[s].cache);
    for (std::uint32_t set = 0; set < 6; ++set) EXPECT_EQ(stores[0]->resident(set), stores[s]->resident(set));
  }
}

// One channel, so one slice, with one miss slot. Sector rates: slice 32 B / 1 B per ps = 32 ps; HBM 32 B / 0.1 B per ps = 320 ps.
TEST(L2, SlicesStandStillWhileNoMissSlotIsFree) {
  Bench b;
  b.hbm.channels = 1;
  b.l2.miss_slots = 1;
  b.l2.peak_bandwidth = 1e12;
  const auto l2 = make_l2({&b.l2, &b.hbm, 1ULL << 30, &b.roles, Contention::slices});
  b.ask(*l2, toy::load(0, 32));  // line 0 is there afterwards
  // At 100 us: a miss. Slice 32 ps, HBM 320 ps, then DRAM's 400 ps (500 less the near latency of 100) and the near latency.
  EXPECT_EQ(b.ask(*l2, toy::load(4096, 32), 100000000) - 100000000, 32 + 320 + 400 + 100);
  // A second miss at the same time needs the slot, which is free at 752; the slice stands still until then. HBM 320, DRAM 400, near 100.
  EXPECT_EQ(b.ask(*l2, toy::load(8192, 32), 100000000) - 100000000, 752 + 320 + 400 + 100);
  // A hit at the same time waits behind them: the slice is free at 752, serves 32 ps, near latency 100.
  EXPECT_EQ(b.ask(*l2, toy::load(0, 32), 100000000) - 100000000, 752 + 32 + 100);
  // The line of the second miss arrives at 1572: who hits it before waits for it.
  EXPECT_EQ(b.ask(*l2, toy::load(8192, 32), 100000000 + 1000) - 100000000, 1572);
  EXPECT_EQ(b.hbm_read(Cause::refetch), 0U);
}

// SM 0 is alone in its GPC, SMs 1 and 2 share one: what waits 1000 ps in the slice's queue for SM 0 waits 2000 for them. A port has half of
// L2's bandwidth.
TEST(L2, LargeGpcsWaitLonger) {
  const L2Spec l2 = [] {
    L2Spec spec;
    spec.bandwidth = spec.peak_bandwidth = 1e12;
    return spec;
  }();
  SliceQueues queues(l2, 1, 0, {0, 1, 1});
  EXPECT_DOUBLE_EQ(queues.wait(0), 1);
  EXPECT_DOUBLE_EQ(queues.wait(1), 2);
  EXPECT_DOUBLE_EQ(queues.wait(2), 2);
  EXPECT_EQ(queues.port(0, 0, 500), 1000);
  EXPECT_EQ(queues.port(1, 0, 500), 1000);
  EXPECT_EQ(queues.port(2, 0, 500), 2000);
}

}  // namespace
}  // namespace rooftrace
