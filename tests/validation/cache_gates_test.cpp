// Does the L2 count hits as independent cache simulators do? Hits of six streams, LRU, allocate on miss, empty at start, set = line mod
// sets.
//
// The expected hits were agreed by pycachesim, Dinero IV, the drcachesim core, libCacheSim and stack-distance codes (which of them: the
// comment at each row).
#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "sim/machine/l2.hpp"
#include "tests/support/streams.hpp"

namespace rooftrace {
namespace {

struct Geometry {
  std::uint64_t sets;
  std::uint32_t ways;
};

/// An L2 fed with single lines or sectors in batches; the batches do not change the order.
class Feeder {
 public:
  Feeder(Geometry geometry, bool sectored, TagStore store = TagStore::automatic) : bytes_(sectored ? 32 : 128) {
    spec_.line = 128;
    spec_.sector = bytes_;
    spec_.ways = geometry.ways;
    spec_.effective = spec_.capacity = geometry.sets * geometry.ways * 128;
    spec_.hash = IndexHash::modulo;
    spec_.bandwidth = 1e12;
    hbm_.bandwidth = 1e12;
    hbm_.channels = 16;
    l2_ = make_l2({&spec_, &hbm_, kPageBytes * 512, &roles_}, store);
  }

  void operator()(std::uint64_t id) {
    Access access;
    access.address = id * bytes_;
    access.row_bytes = bytes_;
    batch_.push_back(access);
    hash_ = (hash_ ^ id) * 0x100000001b3ULL;
    if (batch_.size() == 64) flush();
  }

  std::uint64_t hits() {
    flush();
    return cache_.sectors_hit;
  }
  [[nodiscard]] std::uint64_t accesses() const { return cache_.sectors_read; }
  [[nodiscard]] std::uint64_t compulsory() const {
    return q_.at(LevelId::hbm, TensorRole::activations, Direction::read, Cause::compulsory) / bytes_;
  }
  [[nodiscard]] std::uint64_t hash() const { return hash_; }

 private:
  void flush() {
    if (!batch_.empty()) l2_->access(batch_, {0, &q_, &cache_}, 0, 0);
    batch_.clear();
  }

  std::uint32_t bytes_;
  L2Spec spec_;
  HbmSpec hbm_;
  std::vector<TensorRole> roles_;
  std::unique_ptr<L2> l2_;
  std::vector<Access> batch_;
  ByteCounts q_;
  CacheCounts cache_;
  std::uint64_t hash_ = 0xcbf29ce484222325ULL;
};

template <class Gemm>
void feed(Feeder& feeder, bool sectored) {
  if (!sectored) {
    streams::for_each_line<Gemm>([&](std::uint64_t line) { feeder(line); });
    return;
  }
  streams::for_each_line<Gemm>([&](std::uint64_t line) {
    for (std::uint64_t s = 0; s < 4; ++s) feeder(line * 4 + s);
  });
}

struct Expected {
  Geometry geometry;
  std::uint64_t a, b, c;
};

// 25600 x 16: pycachesim. 32768 x 16: Dinero IV and the drcachesim core. 16384 x 25: the drcachesim core and pycachesim. 1 x 409600: three
// stack-distance codes.
const Expected kLines[] = {
    {{25600, 16}, 8323072, 16252928, 3231343},
    {{32768, 16}, 8323072, 16252928, 4118724},
    {{16384, 25}, 8323072, 16252928, 3232170},
    {{1, 409600}, 8323072, 16252928, 3233280},
};

class CacheGates : public ::testing::TestWithParam<Expected> {};

TEST_P(CacheGates, StreamAByLines) {
  Feeder feeder(GetParam().geometry, false);
  feed<streams::GemmA>(feeder, false);
  EXPECT_EQ(feeder.hits(), GetParam().a);
  EXPECT_EQ(feeder.accesses(), 12582912U);
  EXPECT_EQ(feeder.compulsory(), 4202496U);  // X: 64 x 128 lines; W: 32768 x 128 lines
  EXPECT_EQ(feeder.hash(), 0xa36738fa4f4d5b25ULL);
}

TEST_P(CacheGates, StreamBByLines) {
  Feeder feeder(GetParam().geometry, false);
  feed<streams::GemmB>(feeder, false);
  EXPECT_EQ(feeder.hits(), GetParam().b);
  EXPECT_EQ(feeder.accesses(), 16777216U);
  EXPECT_EQ(feeder.compulsory(), 524288U);  // two matrices of 4096 x 64 lines
  EXPECT_EQ(feeder.hash(), 0xd350357e3e96d325ULL);
}

TEST_P(CacheGates, StreamCByLines) {
  Feeder feeder(GetParam().geometry, false);
  streams::for_each_random(43, [&](std::uint64_t line) { feeder(line); });
  EXPECT_EQ(feeder.hits(), GetParam().c);
  EXPECT_EQ(feeder.compulsory(), 2096450U);
  EXPECT_EQ(feeder.hash(), 0x1d3630fc76eb2e04ULL);
}

INSTANTIATE_TEST_SUITE_P(Geometries, CacheGates, ::testing::ValuesIn(kLines),
                         [](const auto& p) { return std::to_string(p.param.geometry.sets) + "x" + std::to_string(p.param.geometry.ways); });

class SectorGates : public ::testing::TestWithParam<Expected> {};

TEST_P(SectorGates, StreamA32) {
  Feeder feeder(GetParam().geometry, true);
  feed<streams::GemmA>(feeder, true);
  EXPECT_EQ(feeder.hits(), GetParam().a);
  EXPECT_EQ(feeder.accesses(), 50331648U);
  EXPECT_EQ(feeder.hash(), 0xca2078a9ffbc3325ULL);
}

TEST_P(SectorGates, StreamB32) {
  Feeder feeder(GetParam().geometry, true);
  feed<streams::GemmB>(feeder, true);
  EXPECT_EQ(feeder.hits(), GetParam().b);
  EXPECT_EQ(feeder.accesses(), 67108864U);
  EXPECT_EQ(feeder.hash(), 0xf398623df013e325ULL);
}

TEST_P(SectorGates, StreamC32) {
  Feeder feeder(GetParam().geometry, true);
  streams::for_each_random(41, [&](std::uint64_t sector) { feeder(sector); });
  EXPECT_EQ(feeder.hits(), GetParam().c);
  EXPECT_EQ(feeder.hash(), 0x4f156f85cb1fd524ULL);
}

// 25600 x 16: own reference codes; 32768 x 16: Dinero IV.
INSTANTIATE_TEST_SUITE_P(Geometries, SectorGates,
                         ::testing::Values(Expected{{25600, 16}, 33292288, 65011712, 943627},
                                           Expected{{32768, 16}, 33292288, 65011712, 1261905}),
                         [](const auto& p) { return std::to_string(p.param.geometry.sets) + "x" + std::to_string(p.param.geometry.ways); });

// The switch that turns the fast tag stores off changes nothing.
TEST(CacheGatesSwitch, PortableAndReferenceStoresCountTheSame) {
  for (const TagStore store : {TagStore::packed_portable, TagStore::reference}) {
    Feeder feeder({25600, 16}, true, store);
    streams::for_each_random(41, [&](std::uint64_t sector) { feeder(sector); });
    EXPECT_EQ(feeder.hits(), 943627U);
  }
}

// All geometries above give streams a and b the same hits, so one more with a working set just above the cache: 51 MiB read twice in order
// through 50 MiB. Modulo LRU: 417,792 lines over 25,600 sets are 16 or 17 lines per set (417,792 - 16 * 25,600 = 8,192 sets have 17). A set
// of 17 lines read cyclically through 16 ways never hits; the other 17,408 sets hit 16 lines each on the second pass: 278,528.
TEST(CacheGatesSwitch, WorkingSetJustAboveTheCache) {
  for (const TagStore store : {TagStore::automatic, TagStore::reference}) {
    Feeder feeder({25600, 16}, false, store);
    for (int pass = 0; pass < 2; ++pass) {
      for (std::uint64_t line = 0; line < 417792; ++line) feeder(line);
    }
    EXPECT_EQ(feeder.hits(), 278528U);
  }
}

}  // namespace
}  // namespace rooftrace
