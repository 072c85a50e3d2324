// Stack distances against the definition, and the one-pass memory against a real fully associative cache at many capacities.
#include "sim/machine/stack_distance.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <random>
#include <vector>

#include "sim/machine/associative_cache.hpp"
#include "sim/machine/distance_memory.hpp"

namespace rooftrace {
namespace {

/// The definition: a list of lines, most recent first; the distance is the place in it.
class NaiveStack {
 public:
  std::uint32_t touch(std::uint64_t line) {
    const auto found = std::find(stack_.begin(), stack_.end(), line);
    const auto place = static_cast<std::uint32_t>(found - stack_.begin());
    const bool known = found != stack_.end();
    if (known) stack_.erase(found);
    stack_.insert(stack_.begin(), line);
    return known ? place : StackDistances::kNever;
  }
  [[nodiscard]] const std::vector<std::uint64_t>& stack() const { return stack_; }

 private:
  std::vector<std::uint64_t> stack_;
};

/// Lines with every kind of reuse: repeats, short loops, sweeps of `lines` lines, far jumps.
std::uint64_t next_line(std::mt19937_64& random, std::uint64_t lines, std::uint64_t before) {
  switch (random() % 8) {
    case 0:
      return before;
    case 1:
      return random() % lines;
    case 2:
      return (random() % 4) << 20;  // other pages
    default:
      return (before + 1) % lines;
  }
}

TEST(StackDistances, FollowTheDefinition) {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    const std::uint64_t lines = std::uint64_t{3} << (2 * seed);  // 12 ... 12,288: beyond a group and most of a block
    StackDistances distances;
    StackDistances portable(BitCounting::portable);
    NaiveStack naive;
    std::uint64_t line = 0;
    for (int i = 0; i < 20000; ++i) {
      line = next_line(random, lines, line);
      const std::uint32_t expected = naive.touch(line);
      ASSERT_EQ(distances.touch(line).distance, expected) << "touch " << i;
      ASSERT_EQ(portable.touch(line).distance, expected) << "touch " << i;
    }
    ASSERT_EQ(distances.lines(), naive.stack().size());
    distances.for_each_line([&](std::uint64_t at, std::uint32_t depth, std::uint32_t) { EXPECT_EQ(naive.stack()[depth], at); });
  }
}

// A cyclic sweep of n lines has distance n - 1 at every touch but the first n. 20 million touches need more slots than there are at the
// start, so that both ways of making room (more slots for many lines, closing up for few) are passed several times.
TEST(StackDistances, SweepsSurviveMakingRoom) {
  for (const std::uint32_t lines : {1U, 2U, 700U, 100000U, 3000000U}) {
    SCOPED_TRACE(lines);
    StackDistances distances;
    std::uint32_t line = 0;
    std::uint64_t wrong = 0;
    for (std::uint32_t i = 0; i < 20000000; ++i) {
      wrong += distances.touch(line).distance != (i < lines ? StackDistances::kNever : lines - 1) ? 1 : 0;
      line = line + 1 == lines ? 0 : line + 1;
    }
    EXPECT_EQ(wrong, 0U);
  }
}

TEST(StackDistances, MarksTellOldUsesFromNewOnes) {
  StackDistances distances;
  distances.touch(1);
  distances.touch(2);
  EXPECT_TRUE(distances.touch(1).since_mark);
  distances.mark();
  EXPECT_FALSE(distances.touch(1).since_mark);  // the most recent line, but from before the mark
  EXPECT_TRUE(distances.touch(1).since_mark);
  EXPECT_FALSE(distances.touch(2).since_mark);
  for (std::uint32_t i = 0; i < 3000000; ++i) distances.touch(3 + i % 1000);  // slots are closed up
  EXPECT_TRUE(distances.touch(1).since_mark);
  distances.mark();
  for (std::uint32_t i = 0; i < 3000000; ++i) distances.touch(3 + i % 1000);
  EXPECT_TRUE(distances.touch(3).since_mark);
  EXPECT_FALSE(distances.touch(1).since_mark);
}

TEST(DistanceHistogram, BucketsAreContiguousAndFine) {
  EXPECT_EQ(DistanceHistogram::floor_of(4095), 4095U);
  EXPECT_EQ(DistanceHistogram::floor_of(4097), 4096U);
  EXPECT_EQ(DistanceHistogram::floor_of(409600), 409600U);  // 2^18 + 144 * 2^10: steps of 2^18 / 2048 = 128
  for (std::size_t bucket = 0; bucket < 40000; ++bucket) {
    const std::uint64_t first = DistanceHistogram::first(bucket);
    const std::uint64_t next = DistanceHistogram::first(bucket + 1);
    ASSERT_EQ(DistanceHistogram::bucket(first), bucket);
    ASSERT_EQ(DistanceHistogram::bucket(next - 1), bucket);
    ASSERT_LE((next - first) * 2048, std::max<std::uint64_t>(first, 2048));
  }
}

TEST(DistanceHistogram, MissesAreWhatIsAtLeastAsFar) {
  DistanceHistogram histogram;
  histogram.add(0, 5);
  histogram.add(10, 3);
  histogram.add(StackDistances::kNever, 2);
  EXPECT_EQ(histogram.missed(0), 10);
  EXPECT_EQ(histogram.missed(1), 5);
  EXPECT_EQ(histogram.missed(10), 5);
  EXPECT_EQ(histogram.missed(11), 2);
  EXPECT_EQ(histogram.missed(std::uint64_t{1} << 40), 2);
}

/// What an AssociativeCache of `ways` lines fetches and writes back, in sectors.
struct Truth {
  explicit Truth(std::uint32_t lines) : capacity(lines), cache(1, lines, true) {}
  void touch(std::uint64_t line, std::uint32_t sectors, AccessOp op) {
    const Touch touch = cache.touch(0, line, sectors, op != AccessOp::load, CacheHint::normal);
    if (op != AccessOp::store) fetched += std::popcount(sectors & ~touch.valid);
    written += std::popcount(touch.victim_dirty);
  }
  std::uint32_t capacity;
  AssociativeCache cache;
  std::int64_t fetched = 0, written = 0;
};

struct Books {
  std::int64_t fetched = 0, written = 0;
};
Books at(const std::vector<ReuseCounts>& reuse, std::uint64_t lines) {
  Books books;
  for (const ReuseCounts& counts : reuse) {
    books.fetched += counts.fetched.missed(lines);
    books.written += counts.written.missed(lines);
  }
  return books;
}

std::vector<Access> random_accesses(std::uint64_t seed, int count) {
  std::mt19937_64 random(seed);
  std::vector<Access> accesses;
  std::uint64_t line = 0;
  for (int i = 0; i < count; ++i) {
    line = next_line(random, 600, line);
    Access access;
    const std::uint64_t first = random() % 4;
    access.address = line * 128 + first * 32;
    access.row_bytes = static_cast<std::uint32_t>(32 * (1 + random() % (4 - first)));
    if (random() % 2 == 0) {
      access.address = line * 128;
      access.row_bytes = 128;
    }
    access.op = random() % 3 == 0 ? AccessOp::store : random() % 8 == 0 ? AccessOp::reduce : AccessOp::load;
    access.role = static_cast<TensorRole>(random() % kTensorRoles);
    accesses.push_back(access);
  }
  return accesses;
}

void touch(Truth& truth, const Access& access) {
  const std::uint32_t sectors = ((1U << (access.row_bytes / 32)) - 1) << (access.address % 128 / 32);
  truth.touch(access.address / 128, sectors, access.op);
}

TEST(DistanceMemory, EqualsAFullyAssociativeCacheAtEveryCapacity) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    SCOPED_TRACE(seed);
    const std::vector<Access> accesses = random_accesses(seed, 30000);
    DistanceMemory memory(128, 32);
    int i = 0;
    for (const Access& access : accesses) {
      if (i++ % 1000 == 0) memory.begin_kernel(static_cast<KernelClass>(i / 1000 % kKernelClasses));
      memory.access({&access, 1}, {}, 0);
    }
    const std::vector<ReuseCounts> reuse = memory.finish();
    for (const std::uint32_t lines : {1U, 2U, 3U, 10U, 64U, 100U, 333U, 598U, 600U, 604U, 5000U}) {
      Truth truth(lines);
      for (const Access& access : accesses) touch(truth, access);
      const Books books = at(reuse, lines);
      EXPECT_EQ(books.fetched, truth.fetched) << lines << " lines";
      EXPECT_EQ(books.written, truth.written) << lines << " lines";
    }
  }
}

TEST(DistanceMemory, WarmStartCountsOnlyTheSecondRun) {
  const std::vector<Access> accesses = random_accesses(77, 20000);
  DistanceMemory memory(128, 32);
  memory.begin_kernel(KernelClass::other);
  memory.access(accesses, {}, 0);
  memory.restart();
  memory.access(accesses, {}, 0);
  const std::vector<ReuseCounts> reuse = memory.finish();
  for (const std::uint32_t lines : {1U, 17U, 200U, 599U, 1000U}) {
    Truth truth(lines);
    for (const Access& access : accesses) touch(truth, access);
    truth.fetched = truth.written = 0;
    for (const Access& access : accesses) touch(truth, access);
    EXPECT_EQ(at(reuse, lines).fetched, truth.fetched) << lines << " lines";
    EXPECT_EQ(at(reuse, lines).written, truth.written) << lines << " lines";
  }
}

// A row of 200 bytes from byte 96 on is bytes 96 to 295, sectors 3 to 9: seven; two such rows are 14 sectors of six lines.
TEST(DistanceMemory, RowsBecomeLinesAndSectors) {
  DistanceMemory memory(128, 32);
  memory.begin_kernel(KernelClass::attention);
  Access access;
  access.address = 96;
  access.rows = 2;
  access.row_bytes = 200;
  access.pitch = 1024;
  access.role = TensorRole::kv;
  memory.access({&access, 1}, {}, 0);
  Access remote = access;
  remote.home = Home::host;
  memory.access({&remote, 1}, {}, 0);  // passes by L2
  const std::vector<ReuseCounts> reuse = memory.finish();
  ASSERT_EQ(reuse.size(), 1U);
  EXPECT_EQ(reuse[0].kernel_class, KernelClass::attention);
  EXPECT_EQ(reuse[0].role, TensorRole::kv);
  EXPECT_EQ(reuse[0].scope, ReuseScope::earlier_kernel);
  EXPECT_EQ(reuse[0].fetched.never(), 14);
}

TEST(DistanceMemory, BooksFetchesOnTheReaderAndWriteBacksOnTheWriter) {
  DistanceMemory memory(128, 32);
  Access access;
  access.row_bytes = 128;
  access.op = AccessOp::store;
  memory.begin_kernel(KernelClass::activation);
  memory.access({&access, 1}, {}, 0);
  memory.begin_kernel(KernelClass::norm);
  Access other = access;
  other.address = 128;
  other.op = AccessOp::load;
  other.role = TensorRole::weights;
  memory.access({&other, 1}, {}, 0);
  memory.begin_kernel(KernelClass::ffn_down);
  access.op = AccessOp::load;
  memory.access({&access, 1}, {}, 0);
  memory.access({&access, 1}, {}, 0);
  const std::vector<ReuseCounts> reuse = memory.finish();
  ASSERT_EQ(reuse.size(), 4U);
  EXPECT_EQ(reuse[0].kernel_class, KernelClass::norm);
  EXPECT_EQ(reuse[0].fetched.never(), 4);
  EXPECT_EQ(reuse[1].kernel_class, KernelClass::activation);
  EXPECT_EQ(reuse[1].written.missed(1), 4);  // one line in between: only a cache of one line has to write it back
  EXPECT_EQ(reuse[1].written.missed(2), 0);
  EXPECT_EQ(reuse[2].kernel_class, KernelClass::ffn_down);
  EXPECT_EQ(reuse[2].scope, ReuseScope::same_kernel);
  EXPECT_EQ(reuse[2].fetched.missed(0), 4);  // the second load, at distance 0
  EXPECT_EQ(reuse[2].fetched.missed(1), 0);
  EXPECT_EQ(reuse[3].scope, ReuseScope::earlier_kernel);
  EXPECT_EQ(reuse[3].fetched.missed(1), 4);
  EXPECT_EQ(reuse[3].fetched.missed(2), 0);
}

}  // namespace
}  // namespace rooftrace
