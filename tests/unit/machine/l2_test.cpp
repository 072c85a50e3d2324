// Do the tag stores agree with the textbook, and does L2 book every sector where it belongs?
#include "sim/machine/l2.hpp"

#include <gtest/gtest.h>

#include <random>

#include "sim/machine/address_map.hpp"
#include "sim/machine/cache.hpp"
#include "tests/support/l2_bench.hpp"
#include "tests/support/toy.hpp"

namespace rooftrace {
namespace {

using Bench = toy::L2Bench;

TEST(IndexMap, IsABijectionForAnyNumberOfSets) {
  for (const bool hashed : {false, true}) {
    for (const std::uint64_t sets : {1ULL, 7ULL, 3072ULL, 23040ULL, 25600ULL}) {
      const IndexMap map(sets, 128, hashed);
      std::mt19937_64 random(sets);
      for (int i = 0; i < 2000; ++i) {
        const std::uint64_t line = random() >> (64 - (kAddressBits - 7));
        const SetAndTag where = map.locate(line);
        ASSERT_LT(where.set, sets);
        ASSERT_EQ(map.line(where.set, where.tag), line) << "sets " << sets << " hashed " << hashed;
      }
    }
  }
}

TEST(IndexMap, FramesKeepTheirSets) {
  const IndexMap map(23040, 128, true);
  for (std::uint64_t line = 1; line < 1000000; line *= 3) {
    EXPECT_EQ(map.locate(line).set, map.locate(line + 5 * (kFrameBytes / 128)).set);
  }
  EXPECT_TRUE(map.keeps_sets(3 * kFrameBytes, 128));
  EXPECT_FALSE(map.keeps_sets(kFrameBytes / 2, 128));
}

// The hash must spread: 23040 x 16 lines in sequence land on 23,040 sets with the variance of a random draw (16 for Poisson; modulo would
// give 0).
TEST(IndexMap, HashedOccupancyIsPoissonLike) {
  const IndexMap map(23040, 128, true);
  std::vector<int> count(23040);
  for (std::uint64_t line = 0; line < 23040 * 16; ++line) ++count[map.locate(line).set];
  double variance = 0;
  for (const int c : count) variance += (c - 16.0) * (c - 16.0) / 23040;
  EXPECT_GT(variance, 13);
  EXPECT_LT(variance, 18);
}

// 80 channels of 512 B: every run of 80 chunks that starts a round loads each channel once, whatever the rotation.
TEST(ChannelMap, SequentialStreamsLoadAllChannelsAlike) {
  const ChannelMap map(80, 512);
  for (std::uint64_t round = 0; round < 50; ++round) {
    std::vector<int> count(80);
    for (std::uint64_t i = 0; i < 80; ++i) ++count[map.channel((round * 80 + i) * 512)];
    for (const int c : count) ASSERT_EQ(c, 1);
  }
}

// Large strides must not fall on few channels: 8,192 B rows (a weight matrix) and 1 MiB.
TEST(ChannelMap, StridesSpread) {
  const ChannelMap map(80, 512);
  for (const std::uint64_t stride : {8192ULL, 40960ULL, 1048576ULL}) {
    std::vector<int> count(80);
    for (std::uint64_t i = 0; i < 900; ++i) ++count[map.channel(i * stride)];
    for (const int c : count) EXPECT_LT(c, 40) << stride;  // the mean is 11
  }
}

struct StoreCase {
  TagStore store;
  Replacement policy;
};

// A tree over four ways. Loaded in turn, A B C D fill the ways; D was the last, so the root points at the half of A and B, there the bit at
// A (B came later). Using A turns both: now C goes first. E takes C's way, the root points at A and B again, the bit there at B. True LRU
// would have thrown out B, then C.
TEST(TagStores, TreePointsAwayFromWhatWasUsed) {
  ReferenceCache cache(1, 4, Replacement::tree);
  const auto use = [&cache](std::uint64_t tag) { return cache.touch(0, tag, 1, true, CacheHint::normal); };
  for (std::uint64_t tag = 1; tag <= 4; ++tag) EXPECT_EQ(use(tag).victim_dirty, 0U);
  EXPECT_EQ(use(1).valid, 1U);
  const Touch fifth = use(5);
  EXPECT_EQ(fifth.victim_tag, 3U);
  EXPECT_EQ(fifth.victim_dirty, 1U);
  EXPECT_EQ(use(6).victim_tag, 2U);
  cache.drop(0, 5);
  EXPECT_EQ(cache.lines(0).size(), 3U);
  EXPECT_EQ(use(7).victim_dirty, 0U);  // The way that became free.
  EXPECT_EQ(cache.touch(0, 8, 1, false, CacheHint::no_allocate).valid, 0U);
  EXPECT_EQ(cache.lines(0).size(), 4U);
}

// Random loads, stores and hints on a small cache: all tag stores count the same and end with the same lines.
TEST(TagStores, AgreeWithTheTextbook) {
  for (const Replacement policy : {Replacement::lru, Replacement::fifo}) {
    for (std::uint32_t ways : {1U, 3U, 4U, 15U, 16U}) {
      Bench expected, portable, fast;
      for (Bench* b : {&expected, &portable, &fast}) {
        b->l2.ways = ways;
        b->l2.effective = std::uint64_t{ways} * 128 * 7;
        b->l2.policy = policy;
      }
      const auto reference = expected.make(TagStore::reference);
      const auto plain = portable.make(TagStore::packed_portable);
      const auto automatic = fast.make();
      const std::uint32_t seed = 7 + ways;
      SCOPED_TRACE(seed);
      std::mt19937 random(seed);
      for (int i = 0; i < 20000; ++i) {
        Access access =
            toy::load((random() % (ways * 7 * 2)) * 128 + (random() % 4) * 32, static_cast<std::uint32_t>(32 + (random() % 3) * 32));
        if (random() % 3 == 0) access.op = random() % 4 == 0 ? AccessOp::reduce : AccessOp::store;
        if (random() % 5 == 0) access.hint = random() % 2 == 0 ? CacheHint::evict_first : CacheHint::no_allocate;
        expected.ask(*reference, access);
        portable.ask(*plain, access);
        fast.ask(*automatic, access);
      }
      EXPECT_EQ(expected.q, portable.q);
      EXPECT_EQ(expected.q, fast.q);
      EXPECT_EQ(expected.cache, fast.cache);
      for (std::uint32_t set = 0; set < 7; ++set) {
        EXPECT_EQ(reference->resident(set), plain->resident(set));
        EXPECT_EQ(reference->resident(set), automatic->resident(set));
      }
    }
  }
}

// The 32 bit forms of the maps are the maps: random lines, and the ends of a frame.
TEST(Maps, NarrowFormsAreExact) {
  for (const std::uint32_t n : {2U, 3U, 7U, 64U, 80U, 144U, 3072U, 23040U, 25600U, 204800U, 4000000U}) {
    const IndexMap index(n, 128, true);
    const ChannelMap map(n, 512);
    ASSERT_TRUE(index.narrow() && map.narrow());
    std::mt19937 random(n);
    for (int i = 0; i < 20000; ++i) {
      const std::uint64_t line = i == 0 ? (kFrameBytes - 1) / 128 : random();
      ASSERT_EQ(index.narrow_set(static_cast<std::uint32_t>(line)), index.locate(line).set) << n << " " << line;
      const std::uint64_t chunk = map.chunk(line * 128);
      ASSERT_EQ(map.narrow_channel(static_cast<std::uint32_t>(chunk)), map.channel_of_chunk(chunk)) << n << " " << chunk;
    }
  }
}

// Streams of weights, some of them read again (whole, in part, or over others' lines), between loads and stores of activations on few
// sets: every answer, every count and every state is that of the store that looks up each line.
TEST(TagStores, CountedStreamsAreLinesLookedUp) {
  constexpr std::uint64_t kEnd = 1ULL << 28;
  for (const std::uint32_t partitions : {1U, 2U, 3U}) {
    for (const bool copies : {false, true}) {
      for (const Replacement policy : {Replacement::lru, Replacement::fifo}) {
        Bench bench[3];
        std::unique_ptr<L2> stores[3];
        const TagStore kinds[3] = {TagStore::automatic, TagStore::fast_by_line, TagStore::reference};
        for (int b = 0; b < 3; ++b) {
          bench[b].hbm.dram = dram_timing_of("HBM2e").value();
          bench[b].l2.ways = 5;
          bench[b].l2.effective = bench[b].l2.capacity = std::uint64_t{5} * 128 * 42;
          bench[b].l2.partitions = partitions;
          bench[b].l2.copies = copies;
          bench[b].l2.policy = policy;
          bench[b].l2.hash = IndexHash::hashed;
          bench[b].roles.assign(kEnd / kPageBytes, TensorRole::weights);
          bench[b].roles[0] = TensorRole::activations;
          stores[b] = make_l2({&bench[b].l2, &bench[b].hbm, kEnd, &bench[b].roles}, kinds[b]);
        }
        std::mt19937 random(partitions * 4 + (copies ? 2U : 0U) + (policy == Replacement::lru ? 1U : 0U));
        const auto draw = [&random](std::uint32_t below) { return static_cast<std::uint32_t>(random()) % below; };
        std::uint64_t next = kPageBytes;
        Time now = 0;
        for (int i = 0; i < 6000; ++i) {
          now += draw(2000);
          Access access = toy::load(draw(300) * 128 + draw(4) * 32, 32 + draw(5) * 32);
          if (draw(2) == 0) {
            access = toy::load(next, 128 * (1 + draw(3)));
            access.role = TensorRole::weights;
            access.rows = 1 + draw(90);
            access.pitch = 128 * (3 + draw(3));
            next += access.pitch * access.rows;
            const std::uint32_t kind = draw(200);
            if (kind == 0) access.address -= 128 * (1 + draw(1000));  // goes over what was read before
            if (kind == 1) access.row_bytes -= 32;
            if (access.address < kPageBytes) access.address = kPageBytes;
          } else if (draw(3) == 0) {
            access.op = draw(4) == 0 ? AccessOp::reduce : AccessOp::store;
          }
          if (i == 4500) {
            for (auto& store : stores) store->forget_first_touches();
          }
          const std::uint32_t partition = draw(partitions);
          Time ready[3];
          for (int b = 0; b < 3; ++b)
            ready[b] = stores[b]->access(std::span(&access, 1), {0, &bench[b].q, &bench[b].cache}, partition, now);
          ASSERT_EQ(ready[0], ready[1]) << i;
          ASSERT_EQ(ready[0], ready[2]) << i;
          if (i % 1000 != 999) continue;
          const LayerFrame frame;
          ASSERT_EQ(stores[0]->fingerprint(frame), stores[1]->fingerprint(frame)) << i;
          for (std::uint32_t set = 0; set < 42; ++set) {
            ASSERT_EQ(stores[0]->resident(set), stores[1]->resident(set)) << i;
            ASSERT_EQ(stores[0]->resident(set), stores[2]->resident(set)) << i;
          }
        }
        EXPECT_LT(next, kEnd);
        for (int b = 1; b < 3; ++b) {
          EXPECT_EQ(bench[0].q, bench[b].q);
          EXPECT_EQ(bench[0].cache, bench[b].cache);
        }
        EXPECT_GT(bench[0].written_back(), 0U);
      }
    }
  }
}

TEST(TagStores, ManyWaysByHashTableAgreeWithTheScan) {
  Bench a, b;
  a.l2.ways = b.l2.ways = 100;
  a.l2.effective = b.l2.effective = 100 * 128;
  const auto scan = a.make(TagStore::reference);
  const auto table = b.make();
  std::mt19937 random(3);
  for (int i = 0; i < 20000; ++i) {
    Access access = toy::load((random() % 150) * 128, 128);
    if (random() % 3 == 0) access.op = AccessOp::store;
    if (random() % 7 == 0) access.hint = CacheHint::evict_first;
    a.ask(*scan, access);
    b.ask(*table, access);
  }
  EXPECT_EQ(a.q, b.q);
  EXPECT_EQ(scan->resident(0), table->resident(0));
}

TEST(L2, ColdMissThenHit) {
  Bench b;
  const auto l2 = b.make();
  // 128 B from HBM: four 32 B sectors on one channel of 1e11/3 B/s: 128 / 3.33e10 = 3840 ps, + 500 latency. L2's own 128 / 1e12 + 100 is
  // less.
  EXPECT_EQ(b.ask(*l2, toy::load(0, 128)), 3840 + 500);
  EXPECT_EQ(b.hbm_read(Cause::compulsory), 128U);
  // A hit: 128 B at 1 B/ps + 100 ps.
  EXPECT_EQ(b.ask(*l2, toy::load(0, 128), 10000), 10000 + 128 + 100);
  EXPECT_EQ(b.cache.sectors_hit, 4U);
  EXPECT_EQ(b.cache.sectors_read, 8U);
  EXPECT_EQ(b.q.total(LevelId::l2, Direction::read), 256U);
}

TEST(L2, SectorsAreFetchedOneByOne) {
  Bench b;
  const auto l2 = b.make();
  b.ask(*l2, toy::load(40, 10));  // within sector 1
  EXPECT_EQ(b.hbm_read(Cause::compulsory), 32U);
  b.ask(*l2, toy::load(0, 128));  // sector 1 hits, three are fetched
  EXPECT_EQ(b.hbm_read(Cause::compulsory), 128U);
  EXPECT_EQ(b.cache.sectors_hit, 1U);
}

TEST(L2, StoresAllocateWithoutFetchingAndLeaveWhenEvicted) {
  Bench b;
  b.l2.effective = b.l2.capacity = 4 * 128;  // one set of four lines
  b.roles.assign(4, TensorRole::kv);
  const auto l2 = b.make();
  b.ask(*l2, toy::store(0, 64));  // two dirty sectors
  EXPECT_EQ(b.hbm_read(Cause::compulsory), 0U);
  for (std::uint64_t line = 1; line <= 3; ++line) b.ask(*l2, toy::load(line * 128, 128));
  EXPECT_EQ(b.written_back(), 0U);
  b.ask(*l2, toy::load(4 * 128, 128));  // the fifth line pushes the stored one out
  EXPECT_EQ(b.q.at(LevelId::hbm, TensorRole::kv, Direction::write, Cause::write_back), 64U);
  b.ask(*l2, toy::load(0, 64));  // it had been here: a refetch
  EXPECT_EQ(b.hbm_read(Cause::refetch), 64U);
}

TEST(L2, FarPartitionCostsMoreAndIsCounted) {
  Bench b;
  b.l2.partitions = 2;
  b.l2.ways = 1;
  b.l2.effective = b.l2.capacity = 2 * 128;  // sets 0 (partition 0) and 1 (partition 1)
  b.l2.hash = IndexHash::modulo;
  const auto l2 = b.make();
  b.ask(*l2, toy::load(0, 128));
  b.ask(*l2, toy::load(128, 128));
  EXPECT_EQ(b.cache.fabric_bytes, 128U);
  EXPECT_EQ(b.ask(*l2, toy::load(0, 128), 100000) - 100000, 128 + 100);
  EXPECT_EQ(b.ask(*l2, toy::load(128, 128), 200000) - 200000, 128 + 200);
}

// States of consecutive layers are equal when only the layer differs, and different when anything else does.
TEST(L2, FingerprintIsRelativeToTheLayer) {
  const auto state = [](std::uint64_t address, std::int32_t layer) {
    Bench b;
    const auto l2 = b.make();
    b.ask(*l2, toy::load(address, 128));
    return l2->fingerprint({0, 8 * kFrameBytes, kFrameBytes, layer});
  };
  const auto in_layer = [](std::uint64_t layer) { return layer * kFrameBytes + 4096; };
  Bench wide;
  const auto make = [](std::uint64_t address, std::int32_t layer) {
    Bench b;
    const auto l2 = make_l2({&b.l2, &b.hbm, 8 * kFrameBytes, &b.roles});
    b.ask(*l2, toy::load(address, 128));
    return l2->fingerprint({0, 8 * kFrameBytes, kFrameBytes, layer});
  };
  EXPECT_EQ(make(in_layer(2), 2), make(in_layer(3), 3));
  EXPECT_NE(make(in_layer(2), 2), make(in_layer(3), 2));
  EXPECT_NE(make(in_layer(2), 2), make(in_layer(3) + 128, 3));
  EXPECT_EQ(state(4096, 0), make(4096, 0));
}

}  // namespace
}  // namespace rooftrace
