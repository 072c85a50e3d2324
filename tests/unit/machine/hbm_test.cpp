// HBM: bus, bursts, banks, turnaround and refresh, with times derived by hand.
#include "sim/machine/hbm.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <random>
#include <vector>

namespace rooftrace {
namespace {

/// One channel of 1 B/ps: a sector of 32 B takes 32 ps.
HbmSpec one_channel() {
  HbmSpec spec;
  spec.bandwidth = 1e12;
  spec.channels = 1;
  return spec;
}

/// The n-th chunk, from 0, that lies in a bank.
std::uint32_t chunk_of(const Hbm& hbm, std::uint32_t bank, std::uint32_t n = 0) {
  for (std::uint32_t chunk = 0;; ++chunk) {
    if (hbm.hash().bank(ChunkHash::of(chunk)) == bank && n-- == 0) return chunk;
  }
}

// A bank that opens a row every 40 ns: the first burst at 32 ps, the next row at 40 ns, the third at 80. The bus is long free.
TEST(Hbm, ABankOpensARowEveryRowCycle) {
  HbmSpec spec = one_channel();
  spec.dram.row_cycle = 40e-9;
  Hbm hbm(spec, 32);
  EXPECT_EQ(hbm.read_chunk(0, chunk_of(hbm, 0, 0), 1), 32);
  EXPECT_EQ(hbm.read_chunk(0, chunk_of(hbm, 0, 1), 1), 40'000 + 32);
  EXPECT_EQ(hbm.read_chunk(0, chunk_of(hbm, 0, 2), 1), 80'000 + 32);
  // The row that is open costs only the bus.
  EXPECT_EQ(hbm.read_chunk(100'000, chunk_of(hbm, 0, 2), 4), 100'000 + 4 * 32);
  // Idle for longer than a cycle: no wait.
  EXPECT_EQ(hbm.read_chunk(200'000, chunk_of(hbm, 0, 0), 1), 200'000 + 32);
}

// Two banks do not wait for each other's row cycle, only for activates: 4 ns between bank groups, 6 ns inside one. Four banks per group:
// 4 and 5 share one.
TEST(Hbm, BanksOpenRowsSideBySide) {
  HbmSpec spec = one_channel();
  spec.dram.row_cycle = 40e-9;
  spec.dram.activate = 4e-9;
  spec.dram.activate_same_group = 6e-9;
  Hbm hbm(spec, 32);
  EXPECT_EQ(hbm.read_chunk(0, chunk_of(hbm, 0), 1), 32);
  EXPECT_EQ(hbm.read_chunk(0, chunk_of(hbm, 4), 1), 4'000 + 32);
  EXPECT_EQ(hbm.read_chunk(0, chunk_of(hbm, 5), 1), 10'000 + 32);
  // Bank 0 again, another row: its activate could come at 14 ns, its row cycle ends at 40; bank 8 does not wait for it.
  EXPECT_EQ(hbm.read_chunk(0, chunk_of(hbm, 0, 1), 1), 40'000 + 32);
  EXPECT_EQ(hbm.read_chunk(0, chunk_of(hbm, 8), 1), 18'000 + 32);
}

// Two pseudo channels of 16 banks have activates of their own: banks 0 and 16 open at once and follow each other on the bus.
TEST(Hbm, PseudoChannelsOpenRowsSideBySide) {
  HbmSpec spec = one_channel();
  spec.dram.pseudo_channels = 2;
  spec.dram.activate = spec.dram.activate_same_group = 5e-9;
  Hbm hbm(spec, 32);
  EXPECT_EQ(hbm.read_chunk(0, chunk_of(hbm, 0), 1), 32);
  EXPECT_EQ(hbm.read_chunk(0, chunk_of(hbm, 16), 1), 2 * 32);
  EXPECT_EQ(hbm.read_chunk(0, chunk_of(hbm, 1), 1), 5'000 + 32);
}

// Lone sectors at random: activates take 3/4 x 4 + 1/4 x 6 = 4.5 ns each. Whole chunks of 16 sectors need the bus for 16 x 32 B / 25.5 GB/s
// = 20.1 ns each and never wait.
TEST(Hbm, RowsLimitLoneSectorsAndNotStreams) {
  HbmSpec spec = one_channel();
  spec.bandwidth = 25.5e9;
  spec.dram = dram_timing_of("HBM2e").value();
  spec.dram.scheduled = 1;
  spec.dram.refresh = spec.dram.refresh_interval = 0;
  constexpr int kChunks = 20000;
  std::mt19937 random(3);
  Hbm lone(spec, 32);
  Hbm streams(spec, 32);
  Time through = 0;
  for (int i = 0; i < kChunks; ++i) through = std::max(through, lone.read_chunk(0, random() % (1U << 20), 1));
  EXPECT_NEAR(static_cast<double>(through) / kChunks, 4500, 30);
  EXPECT_NEAR(spec.random(32), 32 / 4.5e-9, 1e6);
  through = 0;
  for (std::uint64_t i = 0; i < kChunks; ++i) through = std::max(through, streams.read_chunk(0, i, 16));
  EXPECT_NEAR(static_cast<double>(through) / kChunks, 16 * 32 / 25.5e-3, 1);
}

// A burst of 64 B moves whole pairs of sectors: 0x5 (sectors 0 and 2) is two bursts, 0x3 one; one of 128 B moves all four.
TEST(Hbm, PiecesOfABurstCostAWholeOne) {
  HbmSpec spec = one_channel();
  EXPECT_EQ(Hbm(spec, 32).moved(0x5), 2U);
  spec.dram.burst = 64;
  EXPECT_EQ(Hbm(spec, 32).moved(0x5), 4U);
  EXPECT_EQ(Hbm(spec, 32).moved(0x3), 2U);
  EXPECT_EQ(Hbm(spec, 32).moved(0x8), 2U);
  EXPECT_EQ(Hbm(spec, 32).moved(0xF), 4U);
  spec.dram.burst = 128;
  EXPECT_EQ(Hbm(spec, 32).moved(0x4), 4U);
  spec.dram.burst = 16;  // A sector is two of them.
  EXPECT_EQ(Hbm(spec, 32).moved(0x5), 2U);
}

// Batches of 1 KiB (32 sectors) and 64 ns of turnaround: 2 ns for each written sector that evens out a read one.
TEST(Hbm, WritesPayForTheTurnsOfTheirBatches) {
  HbmSpec spec = one_channel();
  spec.dram.write_batch = 1024;
  spec.dram.turnaround = 64e-9;
  Hbm alone(spec, 32);
  EXPECT_EQ(alone.write(0, 0, 1000), 1000 * 32);  // Writes alone never turn, nor do reads.
  Hbm copy(spec, 32);
  EXPECT_EQ(copy.read_chunk(0, 0, 100), 100 * 32);
  EXPECT_EQ(copy.write(0, 4096, 100), 200 * 32 + 100 * 2000);
  EXPECT_EQ(copy.write(0, 4096, 50), 250 * 32 + 100 * 2000);             // More writes than reads: turns as reads have batches.
  EXPECT_EQ(copy.read_chunk(0, 0, 100), 350 * 32 + 150 * 2000);          // 50 of them even out the writes.
  EXPECT_EQ(copy.write(1'000'000'000, 0, 10), 1'000'000'000 + 10 * 32);  // Idle meanwhile: nothing to turn from.
  EXPECT_NEAR(spec.sustained(0.5) / 1e12, 64.0 / (64 + 2000), 1e-6);     // Pairs of 64 B.
  spec.dram.pseudo_channels = 2;                                         // One turns, the other goes on.
  Hbm halves(spec, 32);
  EXPECT_EQ(halves.read_chunk(0, 0, 100), 100 * 32);
  EXPECT_EQ(halves.write(0, 4096, 100), 200 * 32 + 100 * 1000);
}

// The shortcuts of L2 rely on it: reads and write-backs of one moment may come in any order.
TEST(Hbm, TheOrderOfReadsAndWritesMakesNoDifference) {
  HbmSpec spec = one_channel();
  spec.dram.turnaround = 30e-9;
  std::mt19937 random(5);
  for (int round = 0; round < 50; ++round) {
    std::vector<int> sectors(20);  // Negative: written.
    for (int& s : sectors) s = static_cast<int>(random() % 41) - 20;
    std::array<Time, 2> through{};
    for (Time& end : through) {
      Hbm hbm(spec, 32);
      for (const int s : sectors) {
        if (s > 0) end = std::max(end, hbm.read_chunk(0, 0, static_cast<std::uint32_t>(s)));
        if (s < 0) end = std::max(end, hbm.write(0, 0, static_cast<std::uint32_t>(-s)));
      }
      std::shuffle(sectors.begin(), sectors.end(), random);
    }
    EXPECT_EQ(through[0], through[1]);
  }
}

// A refresh of all banks for a tenth of the time leaves 0.9 of the pins to bursts, one of some banks all of them. 1,000 sectors of 32 ps.
TEST(Hbm, ARefreshOfTheChannelTakesItsShareOfTheBus) {
  HbmSpec spec = one_channel();
  spec.dram.refresh = 390e-9;
  spec.dram.refresh_interval = 3900e-9;
  EXPECT_EQ(Hbm(spec, 32).write(0, 0, 1000), 1000 * 32);
  EXPECT_DOUBLE_EQ(spec.sustained(1), 1e12);
  spec.dram.refresh_takes_channel = true;
  EXPECT_EQ(Hbm(spec, 32).write(0, 0, 1000), 35556);  // 32,000 / 0.9, rounded up
  EXPECT_DOUBLE_EQ(spec.sustained(1), 0.9e12);
}

// No mix of reads and writes, lone or in chunks, is faster than the pins less the refresh, for any kind of memory.
TEST(Hbm, NothingIsFasterThanThePinsLessTheRefresh) {
  std::mt19937 random(17);
  for (const std::string& kind : dram_kinds()) {
    for (const bool channel : {false, true}) {
      HbmSpec spec;
      spec.channels = 1 + static_cast<std::uint32_t>(random() % 8);
      spec.bandwidth = 5e10 * spec.channels;
      spec.dram = dram_timing_of(kind).value();
      spec.dram.refresh_takes_channel = channel;
      Hbm hbm(spec, 32);
      Time end = 0;
      Time now = 0;
      double bytes = 0;
      for (int i = 0; i < 20000; ++i) {
        const std::uint64_t chunk = random() % 100000;
        const std::uint32_t sectors = 1 + static_cast<std::uint32_t>(random() % 16);
        end = std::max(end, random() % 3 == 0 ? hbm.write(now, chunk * 512, sectors) : hbm.read_chunk(now, chunk, sectors));
        bytes += sectors * 32;
        now += static_cast<Time>(random() % 100);
      }
      const double share = channel ? 1 - spec.dram.refresh / spec.dram.refresh_interval : 1;
      EXPECT_LE(bytes / to_seconds(end), spec.bandwidth * share) << kind;
    }
  }
}

// Lone sectors of 20,000 chunks, each read when its channel is idle: a refresh of 350 ns every 3.9 us is met by 350 / 3900 of them, which
// wait 0 to 350 ns, 175 on average. The longest of 32 reads at once waits most of it. A chunk waits alike every time, and a layer (frames
// of 1 GiB) further on; what the channel moves per second does not change.
TEST(Hbm, ReadsWaitForTheRefreshOfTheirChannel) {
  HbmSpec spec;
  spec.bandwidth = 1e12;
  spec.channels = 1;
  spec.dram.refresh = 350e-9;
  spec.dram.refresh_interval = 3900e-9;
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
                            none.dram.refresh = none.dram.refresh_interval = 0;
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
