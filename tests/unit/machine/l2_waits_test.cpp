// Copies beside the reader: who finds what where, and who waits for whom.
#include <gtest/gtest.h>

#include <random>

#include "sim/machine/l2.hpp"
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

}  // namespace
}  // namespace rooftrace
