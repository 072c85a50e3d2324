// Points that share runs say the same, to the last bit, as points that are run one by one; and what must not be shared is not.
#include "sim/app/sweep_reuse.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <set>
#include <stdexcept>

#include "sim/app/run_scenario.hpp"
#include "sim/app/sweep_journal.hpp"
#include "sim/app/sweep_point.hpp"

namespace rooftrace {
namespace {

using testing::ElementsAre;

SweepSpec sweep(const std::string& set, const std::string& axes) {
  return parse_sweep(
      ConfigDocument::parse("base: main\nset: {model.layers: 2, context: 512, prompt: 256, " + set + "}\naxes: [" + axes + "]\n", "sweep"),
      "", {});
}

/// Each axis alone, and how many different runs of the stage decode its values need.
struct Case {
  std::string set, axis;
  std::size_t runs;
};

void PrintTo(const Case& one, std::ostream* out) {
  *out << one.set << " " << one.axis;
}

class SweepReused : public testing::TestWithParam<Case> {};

TEST_P(SweepReused, TheSameBitsAsWithout) {
  const SweepSpec spec = sweep(GetParam().set, GetParam().axis);
  const ConfigPaths paths = ConfigPaths::of_process("");
  PointRunner with(spec, paths, 8, true), without(spec, paths, 8, false);
  for (std::uint64_t point = 0; point < spec.points(); ++point) {
    const PointRecord record = with.run(point);
    EXPECT_EQ(record_text(record), record_text(without.run(point))) << spec.axes[0].keys[0].labels[point];
    EXPECT_EQ(record.status, PointStatus::done) << record.message;
  }
}

TEST_P(SweepReused, SharesWhatItMay) {
  const SweepSpec spec = sweep(GetParam().set, GetParam().axis);
  const ConfigPaths paths = ConfigPaths::of_process("");
  std::set<std::string> keys;
  for (std::uint64_t point = 0; point < spec.points(); ++point) {
    Options options;
    options.arguments = {"main"};
    options.sets = spec.sets;
    for (const std::string& set : spec.assignments(point)) options.sets.push_back(set);
    const Scenario scenario = load_scenario(options, paths);
    const WorkloadOptions& stage = scenario.stages.front();
    keys.insert(run_key(scenario, stage, trace_workload(scenario, stage)) + trace_key(scenario, stage, false));
  }
  EXPECT_EQ(keys.size(), GetParam().runs);
}

const std::string kDecode = "stages: [decode], fidelity: ";
const std::string kOffload = "stages: [decode], offload.weights: 0.5, fidelity: ";
const std::string kGroup = "stages: [decode], tp: 2, fidelity: ";

INSTANTIATE_TEST_SUITE_P(All, SweepReused,
                         testing::Values(
                             // Without time no rate counts; with time those that the trace asks for do.
                             Case{kDecode + "cache", "{key: hardware.hbm.bandwidth, values: [2 TB/s, 3 TB/s, 8 TB/s]}", 1},
                             Case{kDecode + "cache", "{key: hardware.l2.latency_far, values: [160 ns, 190 ns]}", 1},
                             Case{kDecode + "cache, contention: slices", "{key: hardware.hbm.bandwidth, values: [2 TB/s, 8 TB/s]}", 1},
                             Case{kDecode + "cache, start: warm", "{key: hardware.launch.kernel_gap, values: [1 us, 3 us]}", 1},
                             Case{kDecode + "cache", "{key: hardware.sm.count, values: [120, 132]}", 2},
                             Case{kDecode + "cache", "{key: hardware.l2.effective, values: [32 MiB, 40 MiB]}", 2},
                             Case{kDecode + "bound", "{key: hardware.hbm.bandwidth, values: [2 TB/s, 3 TB/s, 8 TB/s]}", 1},
                             Case{kDecode + "bound", "{key: hardware.l2.effective, values: [32 MiB, 40 MiB]}", 2},
                             Case{kDecode + "des", "{key: hardware.hbm.bandwidth, values: [2 TB/s, 3 TB/s]}", 2},
                             Case{kDecode + "des", "{key: hardware.launch.kernel_gap, values: [1 us, 3 us]}", 2},
                             Case{kDecode + "des", "{key: hardware.launch.copy_start, values: [1 us, 3 us]}", 1},
                             Case{kDecode + "des", "{key: hardware.hbm.capacity, values: [80 GiB, 160 GiB]}", 1},
                             // A GPU alone asks nothing of its links.
                             Case{kDecode + "des", "{key: hardware.nvlink.bandwidth, values: [600 GB/s, 900 GB/s, 1800 GB/s]}", 1},
                             Case{kDecode + "des", "{key: hardware.pcie.bandwidth, values: [64 GB/s, 128 GB/s]}", 1},
                             Case{kOffload + "des", "{key: hardware.pcie.bandwidth, values: [64 GB/s, 128 GB/s]}", 2},
                             Case{kOffload + "cache", "{key: hardware.pcie.bandwidth, values: [64 GB/s, 128 GB/s]}", 1},
                             Case{kGroup + "des", "{key: hardware.nvlink.bandwidth, values: [600 GB/s, 900 GB/s]}", 2},
                             Case{kGroup + "des", "{key: hardware.nvlink.latency, values: [400 ns, 800 ns]}", 2},
                             // The choice of an all-reduce reads the bandwidth, so the traces are two.
                             Case{kGroup + "cache", "{key: hardware.nvlink.bandwidth, values: [600 GB/s, 900 GB/s]}", 2},
                             Case{kGroup + "cache", "{key: hardware.nvlink.latency, values: [400 ns, 800 ns]}", 1}));

TEST(RecentlyUsed, OneMakesWhatManyAskFor) {
  RecentlyUsed<int> values(2);
  int made = 0;
  const auto get = [&](const std::string& key) {
    return *values.get(
        key, [&] { return ++made; }, [](int) { return true; });
  };
  EXPECT_EQ(get("a"), 1);
  EXPECT_EQ(get("a"), 1);
  EXPECT_EQ(get("b"), 2);
  EXPECT_EQ(get("c"), 3);
  EXPECT_EQ(get("b"), 2);
  EXPECT_EQ(get("a"), 4);  // Two are kept: b and c were used later.
}

TEST(RecentlyUsed, WhatFailsOrIsNotForOthersIsMadeAnew) {
  RecentlyUsed<int> values(2);
  const auto fails = [&] {
    return values.get(
        "a", []() -> int { throw std::runtime_error("no"); }, [](int) { return true; });
  };
  EXPECT_THROW(fails(), std::runtime_error);
  EXPECT_THROW(fails(), std::runtime_error);
  EXPECT_EQ(*values.get(
                "a", [] { return 7; }, [](int) { return true; }),
            7);
  EXPECT_EQ(*values.get(
                "b", [] { return 8; }, [](int) { return false; }),
            8);
  EXPECT_EQ(*values.get(
                "b", [] { return 9; }, [](int) { return false; }),
            9);
}

/// Names of the axes along which nothing changes.
std::vector<std::string> idle(const SweepSpec& spec) {
  std::vector<std::string> names;
  for (const SweepAxis* axis : PointRunner(spec, ConfigPaths::of_process(""), 1).idle_axes()) names.push_back(axis->name);
  return names;
}

TEST(SweepIdleAxes, ACommonKeyThatEveryStageSaysItself) {
  const std::string batch = "{key: batch, values: [1, 2]}", ways = "{key: hardware.l2.ways, values: [16, 32]}";
  // Both stages of the main job name their batch, those of `stages: [decode]` do not.
  EXPECT_THAT(idle(sweep("", batch + ", " + ways)), ElementsAre("batch"));
  EXPECT_THAT(idle(sweep("stages: [decode]", batch + ", " + ways)), ElementsAre());
  // One value changes something, wherever it stands; a value that does not load is the point's business.
  EXPECT_THAT(idle(sweep("stages: [decode]", "{key: batch, values: [1, 1, 2]}")), ElementsAre());
  EXPECT_THAT(idle(sweep("", "{key: batch, values: [1, many]}")), ElementsAre());
}

TEST(SweepOrder, RatesAreTheFastest) {
  const SweepSpec spec =
      sweep("stages: [decode]",
            "{key: hardware.hbm.bandwidth, values: [2 TB/s, 4 TB/s]}, {key: hardware.l2.effective, values: [1 MiB, 2 MiB, "
            "3 MiB]}, {key: batch, values: [1, 2]}");
  EXPECT_THAT(run_order(spec), ElementsAre(2, 1, 0));
  std::set<std::uint64_t> all;
  for (std::uint64_t i = 0; i < 12; ++i) all.insert(point_in_order(spec, run_order(spec), i));
  EXPECT_EQ(all.size(), 12U);
  // 12 points, number = ((bandwidth * 3) + effective) * 2 + batch: the second one run differs in bandwidth, the third in L2.
  EXPECT_EQ(point_in_order(spec, run_order(spec), 1), 6U);
  EXPECT_EQ(point_in_order(spec, run_order(spec), 2), 2U);
}

}  // namespace
}  // namespace rooftrace
