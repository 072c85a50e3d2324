// All-reduce kernels: what crosses the link, what stays local, what is added, and which of them is chosen.
#include "traces/collective.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/traces/shapes.hpp"
#include "traces/collective_ring_half.hpp"
#include "traces/random.hpp"
#include "traces/trace_check.hpp"

namespace rooftrace {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::uint64_t kOutput = 2ULL << 34, kReceive = 3ULL << 34, kPeer = 4ULL << 34;

AllReduceProblem problem(std::uint32_t ranks, std::uint64_t elements) {
  AllReduceProblem p;
  p.ranks = ranks;
  p.elements = elements;
  p.input = 1ULL << 34;
  p.output = kOutput;
  p.receive = kReceive;
  p.peer = kPeer;
  return p;
}

DeviceShape a100() {
  DeviceShape gpu = shapes::a100();
  gpu.peers.bandwidth = 240e9;
  return gpu;
}
DeviceShape h100() {
  DeviceShape gpu = shapes::h100();
  gpu.compute_capability = 90;
  gpu.peers.bandwidth = 370e9;
  gpu.peers.switch_reduces = true;
  return gpu;
}

double adds(const Kernel& kernel) {
  return kernel.work[static_cast<std::size_t>(Pipe::cuda)];
}
const TouchTotals& peers(const TraceTotals& totals) {
  return totals.at(TensorRole::activations, Home::peer);
}
const TouchTotals& local(const TraceTotals& totals) {
  return totals.at(TensorRole::activations, Home::local);
}

// n ranks, S bytes, chunks of S/n: 2 (n - 1) of them cross the link; loaded are S and the 2 (n - 1) chunks that arrive (by LL128 twice),
// stored S and, by the neighbour, what arrives; n - 1 chunks are added. By LL 16 B travel for 8, by LL128 128 B for 120; S is a multiple of
// both in every chunk of every channel.
TEST(RingAllReduce, MovesTwoTimesNMinusOneOverNAndTheFlags) {
  for (const std::uint32_t n : {2U, 4U, 8U}) {
    for (const NcclProtocol protocol : {NcclProtocol::ll, NcclProtocol::ll128, NcclProtocol::simple}) {
      const std::uint64_t elements = 24ULL * 8 * 60 * 64;
      const Kernel kernel = make_all_reduce(a100(), problem(n, elements), {AllReduce::ring, protocol});
      const TraceTotals totals = measure(kernel);
      const std::uint64_t bytes = elements * 2, data = bytes / n * 2 * (n - 1);
      const std::uint64_t sent = protocol == NcclProtocol::ll ? data * 2 : protocol == NcclProtocol::ll128 ? data / 120 * 128 : data;
      EXPECT_EQ(peers(totals).stored, sent) << kernel.label;
      EXPECT_EQ(peers(totals).loaded, 0U);
      EXPECT_EQ(local(totals).loaded, bytes + (protocol == NcclProtocol::ll128 ? 2 : 1) * sent);
      EXPECT_EQ(local(totals).stored, bytes + sent);
      EXPECT_EQ(adds(kernel), static_cast<double>(elements) / n * (n - 1));
      EXPECT_THAT(check_kernel(kernel), IsEmpty()) << kernel.label;
    }
  }
}

// Any size, ranks, type and algorithm: closed forms equal what the steps do, the whole result is written and nothing beyond the room is
// touched. Bytes over the link are the closed form of the header, up to a grain, or an element, per message.
TEST(AllReduce, ClosedFormsHoldForAnySize) {
  constexpr std::uint64_t kSeed = 20;
  SplitMix random(kSeed);
  for (int round = 0; round < 150; ++round) {
    const auto n = static_cast<std::uint32_t>(2 + random.below(9));
    const std::uint64_t elements = 1 + random.below(random.below(2) == 0 ? 300 : 3'000'000);
    AllReduceProblem p = problem(n, elements);
    p.type = random.below(3) == 0 ? DataType::fp32 : DataType::fp16;
    const std::uint64_t width = p.type == DataType::fp32 ? 4 : 2;
    const auto protocol = static_cast<NcclProtocol>(random.below(3));
    const auto algorithm = static_cast<AllReduce>(static_cast<std::uint64_t>(AllReduce::ring) + random.below(5));
    const AllReduceChoice choice{algorithm, protocol};
    const Kernel kernel = make_all_reduce(h100(), p, choice);
    SCOPED_TRACE(testing::Message() << "seed " << kSeed << " round " << round << ": " << kernel.label << ", " << elements << " elements");
    EXPECT_THAT(check_kernel(kernel), IsEmpty());
    const TraceTotals totals = measure(kernel);
    const AllReduceRoom room = all_reduce_room(n, elements, p.type, choice);
    EXPECT_LE(totals.address_end, kPeer + room.peer);
    EXPECT_GE(local(totals).distinct_written, elements * width);
    const double bytes = static_cast<double>(elements * width);
    const double grain = protocol == NcclProtocol::ll ? 16 : protocol == NcclProtocol::ll128 ? 128 : 4;
    const double flags = protocol == NcclProtocol::ll ? 2 : protocol == NcclProtocol::ll128 ? 128.0 / 120 : 1;
    const double moved = static_cast<double>(peers(totals).loaded + peers(totals).stored);
    switch (algorithm) {
      case AllReduce::ring:  // 2 (n - 1) messages per channel and loop, each within a grain; and the last grain may be partial
        EXPECT_NEAR(moved, 2.0 * (n - 1) / n * bytes * flags, 2.0 * n * grain * (kernel.grid + 1));
        break;
      case AllReduce::tree:
        EXPECT_NEAR(moved, 2 * bytes * flags, 2 * grain);
        break;
      case AllReduce::nvls:  // rounding of requests: n bytes per piece
        EXPECT_NEAR(moved, (1.25 + 1.0 / n) * bytes, 3.0 * n * static_cast<double>(width) + n * 3000.0);
        break;
      case AllReduce::one_shot:
        EXPECT_EQ(moved, (n - 1.0) * bytes);
        break;
      default:  // two_shot
        EXPECT_NEAR(moved, 2.0 * (n - 1) / n * bytes, static_cast<double>(n * width));
        break;
    }
    if (HasFailure()) break;
  }
}

// Every step that waits looks back to a step of its own block, no further than the kernel says.
TEST(AllReduce, WaitsAreWithinTheBlock) {
  for (const NcclProtocol protocol : {NcclProtocol::ll, NcclProtocol::ll128, NcclProtocol::simple}) {
    const Kernel kernel = make_all_reduce(a100(), problem(8, 1 << 22), {AllReduce::ring, protocol});
    std::uint32_t longest = 0;
    for (std::uint32_t step = 0; step < kernel.program->steps(0); ++step) {
      Step s;
      kernel.program->fill(0, step, s);
      longest = std::max(longest, s.after);
      EXPECT_LE(s.after, step);
    }
    EXPECT_GE(longest, 1U);
    EXPECT_LE(longest, kernel.longest_wait);
  }
}

/// The step of block 0 that stores most.
Step longest_store(const Kernel& kernel) {
  Step longest;
  for (std::uint32_t i = 0; i < kernel.program->steps(0); ++i) {
    Step s;
    kernel.program->fill(0, i, s);
    if (!s.stores.empty() && (longest.stores.empty() || s.stores.back().row_bytes > longest.stores.back().row_bytes)) longest = s;
  }
  return longest;
}

// 8 A100, 240 GB/s one way, 24 channels, so 10 GB/s of the link each.
//   LL128, 24 x 8 x 38,400 B: a chunk is one pass of 20 warps x 1,920 B, 40,960 B on the link: 4.096 us. NCCL's limit of a block (10 GB/s
//   of data: 3.84 us) is the weaker. Loaded: 40,960 B twice and, while reducing, 38,400 B. LL, 24 x 8 x 4,096 B: a pass of 512 threads x 8
//   B, 8,192 B on the link: 0.8192 us. Half as many bytes: 12 channels, as many per pass. simple: its stores leave while others load; 16
//   KiB at 12 GB/s (half of NCCL's 24 GB/s per ring): 1.365 us from the loads on.
TEST(RingAllReduce, AChannelHasItsShareOfTheLink) {
  const auto step_of = [](NcclProtocol protocol, std::uint64_t bytes) {
    return longest_store(make_all_reduce(a100(), problem(8, bytes / 2), {AllReduce::ring, protocol}));
  };
  const Step ll128 = step_of(NcclProtocol::ll128, 24 * 8 * 38'400);
  ASSERT_EQ(ll128.stores.size(), 2U);  // What arrives from the one neighbour, what leaves for the other.
  EXPECT_EQ(ll128.stores.front().home, Home::local);
  EXPECT_EQ(ll128.stores.back().home, Home::peer);
  EXPECT_EQ(ll128.stores.back().row_bytes, 40'960U);
  EXPECT_EQ(ll128.drain, 4'096'000);
  EXPECT_EQ(ll128.least, 0);
  const Step ll = step_of(NcclProtocol::ll, 24 * 8 * 4096);
  EXPECT_EQ(ll.stores.back().row_bytes, 8192U);
  EXPECT_EQ(ll.drain, 819'200);
  // 12 x 8 x 4,096 B of LL: 32 KiB per channel (8 B x 512 threads x 8 ranks), so 12 channels with 20 GB/s each.
  EXPECT_EQ(step_of(NcclProtocol::ll, 12 * 8 * 4096).drain, 409'600);
  const Step simple = step_of(NcclProtocol::simple, 24 * 8 * 2 * 16'384 * 4);
  EXPECT_EQ(simple.stores.back().row_bytes, 16'384U);
  EXPECT_EQ(simple.drain, 0);
  EXPECT_EQ(simple.least, 1'365'333);
  DeviceShape unknown = a100();
  unknown.peers.bandwidth = 0;
  EXPECT_EQ(longest_store(make_all_reduce(unknown, problem(8, 24 * 8 * 2048), {AllReduce::ring, NcclProtocol::ll})).drain, 0);
}

// A start is NCCL's base latency less 2.5 us of launch; a message of LL has no pause, one of LL128 1.9 - 0.6 us, a slice of simple 3.4 -
// 0.6.
TEST(RingAllReduce, StartsAndPausesAreNcclsConstants) {
  const auto first = [](NcclProtocol protocol) {
    Step s;
    make_all_reduce(a100(), problem(8, 1 << 20), {AllReduce::ring, protocol}).program->fill(0, 0, s);
    return s.pause;
  };
  EXPECT_EQ(first(NcclProtocol::ll), 4'100'000);
  EXPECT_EQ(first(NcclProtocol::ll128), 11'500'000 + 1'300'000);
  EXPECT_EQ(first(NcclProtocol::simple), 5'900'000 + 2'800'000);
}

std::string choice(const DeviceShape& gpu, std::uint32_t ranks, std::uint64_t bytes, const AllReduceRule& rule) {
  const AllReduceChoice c = choose_all_reduce(gpu, ranks, bytes, rule);
  return std::string(name(c.algorithm)) + " " + std::string(name(c.protocol));
}

// NCCL's formulas by hand, 8 A100 with 240 GB/s, microseconds (MB = 1e6 B; ring: 14 hops, data rate 8/14 of the bus):
//   LL 15.0 + S / 50.1 GB/s, LL128 40.6 + S / 126.2, simple 56.0 + S / 137.1
// 1 MiB: 35.9, 48.9, 63.6; 4 MiB: 98.7, 73.8, 86.6; 64 MiB: 1354, 572, 545.
TEST(ChooseAllReduce, AsNcclPredicts) {
  AllReduceRule nccl;
  nccl.algorithm = AllReduce::nccl;
  EXPECT_EQ(choice(a100(), 8, 1 << 20, nccl), "ring ll");
  EXPECT_EQ(choice(a100(), 8, 4 << 20, nccl), "ring ll128");
  EXPECT_EQ(choice(a100(), 8, 64 << 20, nccl), "ring simple");
  // NVLS: 25.0 + S / 308 GB/s; the ring by LL on Hopper 15.0 + S / 80.6: 27.7 and 28.4 at 1 MiB less a tenth, 32.0 at 1.4 MB.
  EXPECT_EQ(choice(h100(), 8, 900'000, nccl), "ring ll");
  EXPECT_EQ(choice(h100(), 8, 1'400'000, nccl), "nvls simple");
  EXPECT_EQ(choice(h100(), 2, 1 << 30, nccl), "ring simple");  // never with two ranks
  nccl.protocol = AllReduceProtocol::ll128;
  EXPECT_EQ(choice(h100(), 8, 1 << 30, nccl), "ring ll128");
}

// All predictions of 8 A100 at 4 MiB are sums of the constants in nccl_tuning.cpp: ring LL128 14 + 14 x 1.9 us + 4,194,304 B over
// 240 x 0.92 x 8 / 14 GB/s = 40.6 + 33.24 us.
TEST(NcclPlans, AreLatencyPlusBytes) {
  const std::vector<NcclPlan> plans = nccl_plans(a100(), 8, 4 << 20);
  ASSERT_EQ(plans.size(), 6U);
  EXPECT_EQ(plans.front().protocol, NcclProtocol::ll128);
  EXPECT_NEAR(plans.front().seconds, 73.84e-6, 0.01e-6);
  for (std::size_t i = 1; i < plans.size(); ++i) EXPECT_LE(plans[i - 1].seconds, plans[i].seconds);
  DeviceShape pcie = a100();
  pcie.peers.nvlink = false;
  EXPECT_EQ(nccl_plans(pcie, 8, 4 << 20).size(), 4U);  // no LL128
  EXPECT_EQ(nccl_plans(h100(), 8, 4 << 20).size(), 7U);
}

TEST(ChooseAllReduce, EnginesTakeTheirOwnKernelsForSmallTensors) {
  AllReduceRule rule;
  rule.one_shot_below = 1000;
  rule.two_shot_below = 5000;
  EXPECT_EQ(choice(a100(), 8, 1000, rule), "one_shot simple");
  EXPECT_EQ(choice(a100(), 8, 5000, rule), "two_shot simple");
  EXPECT_EQ(choice(a100(), 8, 5001, rule), "ring ll");
  DeviceShape pairs = a100();
  pairs.peers.nvlink = pairs.peers.all_to_all = false;
  EXPECT_EQ(choice(pairs, 4, 1000, rule), "ring ll");
  EXPECT_EQ(choice(pairs, 2, 1000, rule), "one_shot simple");
}

std::string refusal(const DeviceShape& gpu, std::uint32_t ranks, AllReduce algorithm, AllReduceProtocol protocol) {
  AllReduceRule rule;
  rule.algorithm = algorithm;
  rule.protocol = protocol;
  try {
    (void)choose_all_reduce(gpu, ranks, 1 << 20, rule);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

TEST(ChooseAllReduce, SaysWhatAMachineCannotDo) {
  EXPECT_THAT(refusal(a100(), 8, AllReduce::nvls, AllReduceProtocol::automatic), HasSubstr("switch that reduces"));
  EXPECT_THAT(refusal(h100(), 2, AllReduce::nvls, AllReduceProtocol::automatic), HasSubstr("more than two GPUs"));
  EXPECT_THAT(refusal(h100(), 8, AllReduce::nvls, AllReduceProtocol::ll), HasSubstr("does not know the protocol ll"));
  DeviceShape pcie = a100();
  pcie.peers.nvlink = false;
  EXPECT_THAT(refusal(pcie, 4, AllReduce::ring, AllReduceProtocol::ll128), HasSubstr("needs NVLink"));
  EXPECT_EQ(refusal(h100(), 8, AllReduce::nvls, AllReduceProtocol::automatic), "");
}

RingHalfProblem half_of(RingHalf half, std::uint32_t ranks, std::uint64_t elements) {
  RingHalfProblem p;
  p.half = half;
  p.ranks = ranks;
  p.elements = elements;
  p.input = 1ULL << 34;
  p.output = kOutput;
  p.receive = kReceive;
  p.peer = kPeer;
  return p;
}

// n ranks, a shard of S bytes: n - 1 shards cross the link; a gather reads its own and the n - 1 received and writes n; a scatter reads n
// and the n - 1 received sums, adds n - 1 and writes one. By LL128 what arrives is read twice, and the neighbour writes it by all
// protocols. S is a multiple of the grain of every protocol.
TEST(RingHalf, MovesNMinusOneShardsAndTheFlags) {
  for (const std::uint32_t n : {2U, 4U, 8U}) {
    for (const NcclProtocol protocol : {NcclProtocol::ll, NcclProtocol::ll128, NcclProtocol::simple}) {
      const std::uint64_t elements = 24ULL * 8 * 60 * 64, shard = elements * 2;
      const std::uint64_t wire = protocol == NcclProtocol::ll ? shard * 2 : protocol == NcclProtocol::ll128 ? shard / 120 * 128 : shard;
      const std::uint64_t arrived = (n - 1) * wire, looks = protocol == NcclProtocol::ll128 ? 2 : 1;
      const Kernel gather = make_ring_half(a100(), half_of(RingHalf::all_gather, n, elements), protocol);
      const TraceTotals g = measure(gather);
      EXPECT_EQ(peers(g).stored, (n - 1) * wire);
      EXPECT_EQ(local(g).loaded, shard + looks * arrived);
      EXPECT_EQ(local(g).stored, n * shard + arrived);
      EXPECT_EQ(adds(gather), 0);
      const Kernel scatter = make_ring_half(a100(), half_of(RingHalf::reduce_scatter, n, elements), protocol);
      const TraceTotals s = measure(scatter);
      EXPECT_EQ(peers(s).stored, (n - 1) * wire);
      EXPECT_EQ(local(s).loaded, n * shard + looks * arrived);
      EXPECT_EQ(local(s).stored, shard + arrived);
      EXPECT_EQ(adds(scatter), static_cast<double>((n - 1) * elements));
    }
  }
}

// What the two halves send together is what the whole ring sends.
TEST(RingHalf, TwoHalvesSendWhatAnAllReduceSends) {
  const std::uint64_t elements = 8ULL * 24 * 8 * 60 * 64;
  const auto sent = [](const Kernel& kernel) { return peers(measure(kernel)).stored; };
  for (const NcclProtocol protocol : {NcclProtocol::ll, NcclProtocol::ll128, NcclProtocol::simple}) {
    EXPECT_EQ(sent(make_ring_half(a100(), half_of(RingHalf::all_gather, 8, elements / 8), protocol)) +
                  sent(make_ring_half(a100(), half_of(RingHalf::reduce_scatter, 8, elements / 8), protocol)),
              sent(make_all_reduce(a100(), problem(8, elements), {AllReduce::ring, protocol})));
  }
}

TEST(RingHalf, ClosedFormsAndRoomHoldForAnySize) {
  SplitMix random(5);
  for (int i = 0; i < 60; ++i) {
    const auto ranks = static_cast<std::uint32_t>(2 + random.below(9));
    RingHalfProblem p =
        half_of(i % 2 == 0 ? RingHalf::all_gather : RingHalf::reduce_scatter, ranks, 1 + random.below(i < 30 ? 3000 : 600'000));
    if (i % 4 == 0) p.output = p.input;  // A gather whose own shard is in its place.
    const auto protocol = static_cast<NcclProtocol>(random.below(3));
    const Kernel kernel = make_ring_half(i % 3 == 0 ? h100() : a100(), p, protocol);
    EXPECT_THAT(check_kernel(kernel), IsEmpty()) << kernel.label << " " << p.elements;
    const std::uint64_t room = ring_half_room(p, protocol);
    Step step;
    for (std::uint32_t block = 0; block < kernel.grid; ++block) {
      for (std::uint32_t s = 0; s < kernel.program->steps(block); ++s) {
        step.clear();
        kernel.program->fill(block, s, step);
        for (const auto* list : {&step.loads, &step.stores}) {
          for (const Access& access : *list) {
            if (access.address >= kReceive) {
              EXPECT_LE((access.address - kReceive) % (1ULL << 34) + access.row_bytes, room);
            }
          }
        }
      }
    }
  }
}

TEST(AllReduce, RefusesOneRankAndNothing) {
  EXPECT_THROW((void)make_ring_half(a100(), half_of(RingHalf::all_gather, 1, 8), NcclProtocol::ll), std::invalid_argument);
  EXPECT_THROW((void)make_ring_half(a100(), half_of(RingHalf::all_gather, 2, 0), NcclProtocol::ll), std::invalid_argument);
  EXPECT_THROW((void)make_all_reduce(a100(), problem(1, 10), {}), std::invalid_argument);
  EXPECT_THROW((void)make_all_reduce(a100(), problem(2, 0), {}), std::invalid_argument);
  EXPECT_THROW((void)make_all_reduce(a100(), problem(2, 8), {AllReduce::nccl, NcclProtocol::ll}), std::invalid_argument);
}

}  // namespace
}  // namespace rooftrace
