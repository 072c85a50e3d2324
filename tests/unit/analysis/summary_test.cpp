// Sums by class, the longest path, and the two limits of a stage.
#include "analysis/summary.hpp"

#include <gtest/gtest.h>

#include <random>
#include <stdexcept>

namespace rooftrace {
namespace {

// HBM 1 TB/s, L2 10 TB/s, tensor bf16 1000 TFLOP/s, PCIe 10 GB/s: 1e9 B at HBM are 1 ms, 1e12 FLOP are 1 ms.
Peaks round_peaks() {
  Peaks peaks;
  peaks.tensor[static_cast<std::size_t>(DataType::bf16)] = 1000e12;
  peaks.cuda = 100e12;
  peaks.sfu = 10e12;
  peaks.beta = {10e12, 1e12, 100e9, 10e9};
  return peaks;
}

KernelRecord hbm_kernel(KernelClass kernel_class, std::uint64_t bytes, std::uint32_t stream = 0,
                        std::vector<std::uint32_t> waits_for = {}) {
  KernelRecord record;
  record.kernel_class = kernel_class;
  record.stream = stream;
  record.waits_for = std::move(waits_for);
  record.q.at(LevelId::hbm, TensorRole::weights, Direction::read, Cause::compulsory) = bytes;
  record.compulsory = record.q;
  return record;
}

constexpr std::uint64_t kMs = 1'000'000'000;  // Bytes that take HBM 1 ms.

TEST(LongestPath, OneStreamRunsInOrder) {
  const std::vector<KernelRecord> kernels(3);
  const std::vector<Time> durations = {5, 7, 11};
  EXPECT_EQ(longest_path(kernels, durations), 23);
}

TEST(LongestPath, TwoStreamsMeetWhereOneWaits) {
  // Stream 0: a (10), c (5, waits for b). Stream 1: b (50), d (7). c starts at max(10, 50) and ends at 55; d runs 50..57. Without the wait
  // c would end at 15; if everything ran in one stream the path would be 72.
  std::vector<KernelRecord> kernels(4);
  kernels[1].stream = kernels[3].stream = 1;
  kernels[2].waits_for = {1};
  EXPECT_EQ(longest_path(kernels, std::vector<Time>{10, 50, 5, 7}), 57);
  EXPECT_EQ(longest_path(kernels, std::vector<Time>{10, 50, 9, 7}), 59);  // now c is last: 50 + 9
  kernels[2].waits_for = {};
  EXPECT_EQ(longest_path(kernels, std::vector<Time>{10, 50, 9, 7}), 57);
}

TEST(LongestPath, EmptyTraceAndBrokenGraphs) {
  EXPECT_EQ(longest_path({}, {}), 0);
  std::vector<KernelRecord> kernels(2);
  kernels[0].waits_for = {1};
  EXPECT_THROW((void)longest_path(kernels, std::vector<Time>{1, 1}), std::logic_error);
  kernels[0].waits_for = {0};
  EXPECT_THROW((void)longest_path(kernels, std::vector<Time>{1, 1}), std::logic_error);
  EXPECT_THROW((void)longest_path(kernels, std::vector<Time>{1}), std::logic_error);
}

TEST(Summary, ClassesInOrderOfFirstAppearance) {
  std::vector<KernelRecord> kernels = {hbm_kernel(KernelClass::norm, 1 * kMs), hbm_kernel(KernelClass::attention, 2 * kMs),
                                       hbm_kernel(KernelClass::norm, 3 * kMs)};
  kernels[0].work = {0, 5, 0};
  kernels[2].work = {0, 6, 0};
  kernels[0].end = 10;
  kernels[2].start = 20;
  kernels[2].end = 24;
  kernels[2].cache = {.sectors_read = 8, .sectors_hit = 2, .fabric_bytes = 64};
  const StageSummary stage = summarize(kernels, round_peaks(), 1, 24);
  ASSERT_EQ(stage.classes.size(), 2u);
  EXPECT_EQ(stage.classes[0].kernel_class, KernelClass::norm);
  EXPECT_EQ(stage.classes[0].kernels, 2u);
  EXPECT_EQ(stage.classes[0].demand.flop(), 11);
  EXPECT_EQ(stage.classes[0].demand.serial_bytes(LevelId::hbm), 4 * kMs);
  EXPECT_EQ(stage.classes[0].q.total(LevelId::hbm), 4 * kMs);
  EXPECT_EQ(stage.classes[0].simulated, 14);  // (10 - 0) + (24 - 20)
  EXPECT_DOUBLE_EQ(stage.classes[0].bound, 4e-3);
  EXPECT_DOUBLE_EQ(stage.classes[0].hit_rate().value(), 0.25);
  EXPECT_EQ(stage.classes[1].kernel_class, KernelClass::attention);
  EXPECT_EQ(stage.classes[1].hit_rate(), std::nullopt);
  EXPECT_EQ(stage.total.kernels, 3u);
  EXPECT_EQ(stage.total.demand.serial_bytes(LevelId::hbm), 6 * kMs);
}

TEST(Summary, ClassBoundIsTheSumOfKernelBoundsNotTheBoundOfTheSum) {
  // One kernel of 2e12 FLOP (2 ms of tensor), one of 3 ms of HBM: one after the other they take at least 5 ms, though no resource is busy
  // for more than 3 ms.
  std::vector<KernelRecord> kernels = {hbm_kernel(KernelClass::attention, 0), hbm_kernel(KernelClass::attention, 3 * kMs)};
  kernels[0].work = {2e12, 0, 0};
  const StageSummary stage = summarize(kernels, round_peaks(), 1, 0);
  EXPECT_DOUBLE_EQ(stage.classes[0].bound, 5e-3);
  EXPECT_DOUBLE_EQ(stage.classes[0].roofline.bound, 3e-3);
  EXPECT_EQ(stage.classes[0].roofline.binding, Resource::hbm);
  EXPECT_DOUBLE_EQ(stage.bound, 5e-3);
}

TEST(Summary, StreamsSideBySideStillShareHbm) {
  // Two streams of 10 ms of HBM each: the graph alone would allow 10 ms, HBM needs 20.
  const std::vector<KernelRecord> kernels = {hbm_kernel(KernelClass::copy, 10 * kMs, 0), hbm_kernel(KernelClass::copy, 10 * kMs, 1)};
  const StageSummary stage = summarize(kernels, round_peaks(), 1, 0);
  EXPECT_NEAR(static_cast<double>(stage.longest_path), 10e9, 1);
  EXPECT_DOUBLE_EQ(stage.bound, 20e-3);
  EXPECT_EQ(stage.bound_resource, Resource::hbm);
}

TEST(Summary, CeilingTakesCompulsoryBytesAndNoSchedule) {
  // 4 ms of HBM moved, of which 2.5 ms compulsory; 2 ms of tensor work in another kernel. Bound: 4 + 2 ms in order. Ceiling: everything
  // overlapped and nothing refetched: 2.5 ms, so 8 tokens make 3200 tokens/s. Latency 8 ms: 1000 tokens/s, 75 % of the bound, 31.25 % of
  // the ceiling.
  std::vector<KernelRecord> kernels = {hbm_kernel(KernelClass::attention, 4 * kMs), hbm_kernel(KernelClass::ffn_up, 0)};
  kernels[0].compulsory.at(LevelId::hbm, TensorRole::weights, Direction::read, Cause::compulsory) = 5 * kMs / 2;
  kernels[1].work = {2e12, 0, 0};
  const StageSummary stage = summarize(kernels, round_peaks(), 8, from_seconds(8e-3));
  EXPECT_DOUBLE_EQ(stage.bound, 6e-3);
  EXPECT_EQ(stage.bound_resource, std::nullopt);
  EXPECT_DOUBLE_EQ(stage.ceiling, 2.5e-3);
  EXPECT_EQ(stage.ceiling_binding, Resource::hbm);
  EXPECT_DOUBLE_EQ(stage.ceiling_tokens_per_second().value(), 3200);
  EXPECT_DOUBLE_EQ(stage.tokens_per_second().value(), 1000);
  EXPECT_DOUBLE_EQ(stage.bound_reached().value(), 0.75);
  EXPECT_DOUBLE_EQ(stage.ceiling_reached().value(), 0.3125);
}

TEST(Summary, WithoutSimulatedTimeThereAreOnlyLimits) {
  const StageSummary stage = summarize(std::vector{hbm_kernel(KernelClass::norm, kMs)}, round_peaks(), 2, 0);
  EXPECT_EQ(stage.tokens_per_second(), std::nullopt);
  EXPECT_EQ(stage.bound_reached(), std::nullopt);
  EXPECT_EQ(stage.ceiling_reached(), std::nullopt);
  EXPECT_DOUBLE_EQ(stage.ceiling_tokens_per_second().value(), 2000);
  const StageSummary empty = summarize({}, round_peaks(), 1, 0);
  EXPECT_EQ(empty.ceiling_tokens_per_second(), std::nullopt);
  EXPECT_EQ(empty.ceiling_binding, std::nullopt);
}

TEST(Summary, StepAddsStages) {
  // Stages of 1 and 3 ms of HBM: 4 ms; simulated only if every stage was.
  const std::vector<StageSummary> stages = {
      summarize(std::vector{hbm_kernel(KernelClass::norm, kMs)}, round_peaks(), 1, 2'000'000'000),
      summarize(std::vector{hbm_kernel(KernelClass::norm, 3 * kMs)}, round_peaks(), 1, 5'000'000'000)};
  const StepSummary step = whole_step(stages, round_peaks());
  EXPECT_DOUBLE_EQ(step.bound, 4e-3);
  EXPECT_DOUBLE_EQ(step.ceiling, 4e-3);
  EXPECT_EQ(step.latency, 7'000'000'000);
  EXPECT_EQ(step.roofline.binding, Resource::hbm);
  std::vector<StageSummary> half = stages;
  half[1].latency = 0;
  EXPECT_EQ(whole_step(half, round_peaks()).latency, 0);
}

// The law behind the reports: a schedule that gives each kernel exactly its own bound, in graph order, is the fastest that the path allows,
// and the stage's bound stays between the ceiling and the sum of all kernel bounds.
TEST(Summary, RandomGraphsKeepCeilingBelowBoundBelowSerialTime) {
  const unsigned seed = 20240607;
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  const auto pick = [&](std::uint32_t n) { return static_cast<std::uint32_t>(random() % n); };
  for (int trial = 0; trial < 300; ++trial) {
    std::vector<KernelRecord> kernels(1 + pick(40));
    for (std::uint32_t i = 0; i < kernels.size(); ++i) {
      KernelRecord& k = kernels[i];
      k.stream = pick(3);
      k.kernel_class = static_cast<KernelClass>(pick(kKernelClasses));
      k.work = {pick(2) * 1e9 * pick(1000), pick(2) * 1e8 * pick(1000), pick(2) * 1e7 * pick(1000)};
      for (LevelId level : {LevelId::l2, LevelId::hbm, LevelId::nvlink, LevelId::pcie}) {
        for (Direction direction : {Direction::read, Direction::write}) {
          const std::uint64_t least = pick(2) * pick(1'000'000);
          k.compulsory.at(level, TensorRole::kv, direction, Cause::compulsory) = least;
          k.q.at(level, TensorRole::kv, direction, Cause::compulsory) = least;
          k.q.at(level, TensorRole::kv, direction, Cause::refetch) = pick(2) * pick(1'000'000);
        }
      }
      for (std::uint32_t w = pick(3); w > 0 && i > 0; --w) k.waits_for.push_back(pick(i));
    }
    const StageSummary stage = summarize(kernels, round_peaks(), 1, 0);
    double classes = 0;
    for (const KernelSum& sum : stage.classes) {
      classes += sum.bound;
      EXPECT_LE(sum.roofline.bound, sum.bound * (1 + 1e-12));
    }
    EXPECT_LE(stage.ceiling, stage.bound);
    EXPECT_LE(stage.bound, stage.total.bound * (1 + 1e-12));
    EXPECT_NEAR(classes, stage.total.bound, 1e-12 * stage.total.bound);
    EXPECT_GE(stage.bound, stage.total.roofline.bound);
  }
}

}  // namespace
}  // namespace rooftrace
