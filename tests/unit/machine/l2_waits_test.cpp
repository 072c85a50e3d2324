// Copies beside the reader, rows of HBM channels: who finds what where, and who waits for whom.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "sim/machine/hbm.hpp"
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

// Lone sectors, each in another interleave chunk of one channel: a row every 5 ns however fast the sectors move (32 B at 100 B/ns: 0.32
// ns). A whole chunk opens one row.
TEST(Hbm, RowsLimitLoneSectors) {
  HbmSpec spec;
  spec.bandwidth = 1e11;
  spec.channels = 1;
  spec.activate = 5e-9;
  Hbm hbm(spec, 32);
  Time through = 0;
  for (std::uint64_t chunk = 0; chunk < 100; ++chunk) through = hbm.read_chunk(0, chunk, 1);
  EXPECT_EQ(through, 100 * 5000);
  Hbm streams(spec, 32);
  for (std::uint64_t chunk = 0; chunk < 100; ++chunk) through = streams.read_chunk(0, chunk, 16);
  EXPECT_EQ(through, 100 * 16 * 320);
}

// Lone sectors of 20,000 chunks, each read when its channel is idle: a refresh of 350 ns every 3.9 us is met by 350 / 3900 of them, which
// wait 0 to 350 ns, 175 on average. The longest of 32 reads at once waits most of it. A chunk waits alike every time, and a layer (frames
// of 1 GiB) further on; what the channel moves per second does not change.
TEST(Hbm, ReadsWaitForTheRefreshOfTheirChannel) {
  HbmSpec spec;
  spec.bandwidth = 1e12;
  spec.channels = 1;
  spec.refresh = 350e-9;
  spec.refresh_interval = 3900e-9;
  Hbm hbm(spec, 32);
  constexpr int kChunks = 20000;
  constexpr Time kMoves = 32;  // ps: a sector at 1 B/ps
  std::vector<Time> waits;
  for (int chunk = 0; chunk < kChunks; ++chunk) {
    const Time now = Time{chunk} * 1'000'000;
    waits.push_back(hbm.read_chunk(now, static_cast<std::uint64_t>(chunk), 1) - now - kMoves);
    ASSERT_GE(waits.back(), 0);
    ASSERT_LE(waits.back(), 350'000);
  }
  const auto waiting = static_cast<double>(std::count_if(waits.begin(), waits.end(), [](Time t) { return t > 0; }));
  const double sum = static_cast<double>(std::accumulate(waits.begin(), waits.end(), Time{0}));
  // The longest of 32 on average: of k waits it is k / (k + 1) of 350 ns, and k is binomial with p = 350 / 3900, so it is
  // 1 - (1 - (1 - p)^33) / (33 p) = 0.68 of 350 ns.
  double longest = 0;
  for (int i = 0; i < kChunks; i += 32)
    longest += static_cast<double>(*std::max_element(waits.begin() + i, waits.begin() + i + 32)) / (kChunks / 32);
  EXPECT_NEAR(waiting / kChunks, 350.0 / 3900, 4 * std::sqrt(0.0897 * 0.91 / kChunks));
  EXPECT_NEAR(sum / waiting, 175'000, 4 * 101'000 / std::sqrt(waiting));
  EXPECT_NEAR(longest, 237'000, 15'000);

  const std::uint64_t far = kFrameBytes * 3;
  EXPECT_EQ(hbm.chunk(far + 512 * 17), 17U);
  Hbm busy(spec, 32), plain(
                          [&spec] {
                            HbmSpec none = spec;
                            none.refresh = none.refresh_interval = 0;
                            return none;
                          }(),
                          32);
  Time last = 0, last_plain = 0;
  for (std::uint64_t chunk = 0; chunk < 1000; ++chunk) {
    last = std::max(last, busy.read_chunk(0, chunk, 16));
    last_plain = plain.read_chunk(0, chunk, 16);
  }
  EXPECT_EQ(last_plain, 1000 * 16 * kMoves);
  EXPECT_LE(last, last_plain + 350'000);
}

}  // namespace
}  // namespace rooftrace
