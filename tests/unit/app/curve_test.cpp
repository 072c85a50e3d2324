// The curve against the real cache, knees against drops made by hand, and the verb itself.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "sim/app/curve_report.hpp"
#include "sim/app/miss_curve.hpp"
#include "sim/app/options.hpp"
#include "sim/app/run_scenario.hpp"
#include "tests/unit/app/program.hpp"

namespace rooftrace {
namespace {

using Json = nlohmann::json;
using testing::HasSubstr;

/// A dense transformer of about 11 million parameters.
const std::vector<std::string> kSmall = {"--hardware", "h100-sxm",
                                         "--model",    "llama-3.1-8b",
                                         "--set",      "model.layers=2",
                                         "--set",      "model.hidden=512",
                                         "--set",      "model.intermediate=1408",
                                         "--set",      "model.q_heads=4",
                                         "--set",      "model.kv_heads=2",
                                         "--set",      "model.head_dim=128",
                                         "--set",      "model.vocabulary=2048",
                                         "--context",  "700",
                                         "--set",      "prompt=300"};

std::vector<std::string> curve_of_small(std::vector<std::string> more = {}) {
  std::vector<std::string> words = {"curve"};
  words.insert(words.end(), kSmall.begin(), kSmall.end());
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

struct Variant {
  const char* name;
  std::vector<std::string> options;
};
class MissCurveOfSmall : public testing::TestWithParam<Variant> {};

// With all ways in one set and LRU the machine's own L2 is what the curve is exact for, so the two must agree to the byte: two independent
// ways to count, down to write-backs and partly used lines.
TEST_P(MissCurveOfSmall, EqualsAFullyAssociativeL2) {
  Scenario scenario = load_scenario(parse_options(curve_of_small(GetParam().options)), ConfigPaths::of_process(""));
  ASSERT_EQ(scenario.stages.size(), 2U);
  scenario.machine.l2.partitions = 1;  // The curve knows one place for a line.
  scenario.machine.l2.copies = false;
  for (const WorkloadOptions& stage : scenario.stages) {
    const Trace trace = trace_workload(scenario, stage);
    const MissCurve curve = miss_curve(scenario, trace, stage.stage);
    for (const std::uint64_t lines : {100U, 4000U, 8192U, 20480U, 65536U, 131072U, 524288U}) {
      SCOPED_TRACE(lines);
      scenario.machine.l2.ways = static_cast<std::uint32_t>(lines);
      const TruthPoint truth = truth_at(scenario, stage, trace, lines * 128);
      EXPECT_EQ(truth.sets, 1U);
      EXPECT_EQ(curve.at(lines * 128).fetched, truth.bytes.fetched);
      EXPECT_EQ(curve.at(lines * 128).written, truth.bytes.written);
      HbmBytes sum;
      for (const KernelClass c : curve.classes()) {
        sum.fetched += curve.at(lines * 128, c).fetched;
        sum.written += curve.at(lines * 128, c).written;
      }
      EXPECT_EQ(sum, curve.at(lines * 128));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Variants, MissCurveOfSmall,
                         testing::Values(Variant{"Cold", {}}, Variant{"Warm", {"--start", "warm"}},
                                         Variant{"Offload", {"--offload", "weights=0.5,kv=0.5", "--batch", "3"}},
                                         Variant{"TwoGpus", {"--tp", "2", "--kv", "fp8", "--set", "all_reduce=ring"}}),
                         [](const auto& p) { return std::string(p.param.name); });

ReuseCounts counts(KernelClass kernel_class, TensorRole role, ReuseScope scope) {
  ReuseCounts out;
  out.kernel_class = kernel_class;
  out.role = role;
  out.scope = scope;
  return out;
}

// 3,000 lines swept over and over by one kernel (distance 2,999, so they fit into 3,000 lines = 375 KiB), and reuse spread evenly over a
// factor of 16, which is no knee: an eighth of the capacity holds a third of what a factor of two to both sides holds at most.
TEST(Knees, SharpDropsAreNamedAndSlopesAreNot) {
  MissCurve curve;
  curve.reuse.push_back(counts(KernelClass::attention, TensorRole::kv, ReuseScope::same_kernel));
  curve.reuse[0].fetched.add(2999, 10000);
  curve.reuse[0].fetched.add(StackDistances::kNever, 3000);
  curve.reuse.push_back(counts(KernelClass::norm, TensorRole::activations, ReuseScope::earlier_kernel));
  for (std::uint32_t distance = 1000; distance < 16000; distance += 10) curve.reuse[1].fetched.add(distance, 10);
  curve.reuse[1].written.add(800, 40);  // too little to be named

  const std::vector<Knee> knees = find_knees(curve, 64 * 128, 0.01);
  ASSERT_EQ(knees.size(), 1U);
  EXPECT_EQ(knees[0].capacity, 3000U * 128);
  EXPECT_EQ(knees[0].saved, 10000U * 32);
  EXPECT_EQ(describe(knees[0]), "attention: kv read again by the same kernel");
  EXPECT_EQ(curve.at(knees[0].capacity - 128).fetched - curve.at(knees[0].capacity).fetched, 10000U * 32);
  EXPECT_EQ(curve.last_change(), DistanceHistogram::first(DistanceHistogram::bucket(15990) + 1) * 128);
}

TEST(Knees, BelowTheSmallestCapacityNothingIsNamed) {
  MissCurve curve;
  curve.reuse.push_back(counts(KernelClass::ffn_up, TensorRole::weights, ReuseScope::same_kernel));
  curve.reuse[0].fetched.add(500, 1000);
  curve.reuse[0].written.add(5000, 1000);
  const std::vector<Knee> knees = find_knees(curve, 1000 * 128, 0.01);
  ASSERT_EQ(knees.size(), 1U);
  EXPECT_TRUE(knees[0].writes);
}

using Curve = test::ProgramTest;

TEST_F(Curve, JsonIsWholeAndTheSameForAnyNumberOfThreads) {
  const test::Said one = run(curve_of_small({"--format", "json", "--threads", "1"}));
  ASSERT_EQ(one.code, 0) << one.err;
  Json document = Json::parse(one.out);
  EXPECT_EQ(document["format"], "rooftrace-curve");
  ASSERT_EQ(document["stages"].size(), 2U);
  for (const Json& stage : document["stages"]) {
    ASSERT_GE(stage["points"].size(), 8U);
    EXPECT_EQ(stage["truth"].size(), 4U);
    std::uint64_t capacity = 0;
    std::uint64_t bytes = ~std::uint64_t{0};
    for (const Json& point : stage["points"]) {
      EXPECT_GT(point["capacity_bytes"].get<std::uint64_t>(), capacity);
      EXPECT_LE(point["read_bytes"].get<std::uint64_t>() + point["write_bytes"].get<std::uint64_t>(), bytes);  // LRU has no anomaly
      capacity = point["capacity_bytes"];
      bytes = point["read_bytes"].get<std::uint64_t>() + point["write_bytes"].get<std::uint64_t>();
      std::uint64_t read = 0;
      for (const auto& [name, part] : point["classes"].items()) read += part["read_bytes"].get<std::uint64_t>();
      EXPECT_EQ(read, point["read_bytes"]);
    }
    EXPECT_GE(capacity, stage["last_change_bytes"].get<std::uint64_t>());
  }
  const test::Said four = run(curve_of_small({"--format", "json", "--threads", "4"}));
  Json other = Json::parse(four.out);
  document.erase("command");
  other.erase("command");
  EXPECT_EQ(document, other);
}

TEST_F(Curve, TextAndPicture) {
  const test::Said said = run(curve_of_small({"--stage", "decode", "--level", "l2", "-o", "curve.svg"}));
  ASSERT_EQ(said.code, 0) << said.err;
  for (const char* words : {"fully associative LRU", "decode: batch 1, context 700", "50 MiB (machine)", "distance from the truth", "knees",
                            "real cache", "not counted"}) {
    EXPECT_THAT(said.out, HasSubstr(words));
  }
  EXPECT_THAT(said.err, HasSubstr("wrote curve.svg"));
  EXPECT_EQ(files(), std::vector<std::string>{"curve.svg"});
  const std::string picture = test::slurp(folder() / "curve.svg");
  EXPECT_EQ(picture.rfind("<svg ", 0), 0U);
  EXPECT_THAT(picture, HasSubstr("</svg>\n"));
  EXPECT_THAT(picture, HasSubstr("polyline"));
  EXPECT_EQ(picture.find("nan"), std::string::npos);
}

TEST_F(Curve, MistakesAreOneLineAndLeaveNothingBehind) {
  const test::Said level = run(curve_of_small({"--level", "l3", "-o", "curve.svg"}));
  EXPECT_EQ(level.code, 2);
  EXPECT_THAT(level.err, HasSubstr("--level: \"l3\" is not one of l2"));
  const test::Said folder_missing = run(curve_of_small({"-o", "nowhere/curve.svg"}));
  EXPECT_EQ(folder_missing.code, 2);
  EXPECT_THAT(folder_missing.err, HasSubstr("nowhere"));
  EXPECT_EQ(folder_missing.out, "");
  EXPECT_TRUE(files().empty());
}

}  // namespace
}  // namespace rooftrace
