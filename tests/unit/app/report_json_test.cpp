// The JSON report parses, follows its schema and agrees with the records it was made from.
#include "sim/app/report_json.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/golden/sample_run.hpp"

namespace rooftrace {
namespace {

using nlohmann::json;

TEST(ReportJson, SaysWhereItComesFrom) {
  const json report = json::parse(report_json(golden::sample_run()));
  EXPECT_EQ(report["format"], "rooftrace-report");
  EXPECT_EQ(report["format_version"], 1);
  EXPECT_EQ(report["command"], "rooftrace simulate sample.yaml");
  EXPECT_EQ(report["config"], "hardware: round-gpu\nmodel: two-layers\n");
  EXPECT_EQ(report["rooftrace_commit"], "0123456789ab");
  EXPECT_EQ(report["seed"], 1);
  EXPECT_EQ(report["fidelity"], "des");
  EXPECT_EQ(report["peaks"]["tensor_flop_per_s"]["bf16"], 1000e12);
  EXPECT_EQ(report["peaks"]["nvlink_bytes_per_s"], 500e9);
}

TEST(ReportJson, SumsAgreeWithTheRecords) {
  const RunResult run = golden::sample_run();
  const json report = json::parse(report_json(run));
  ASSERT_EQ(report["stages"].size(), run.stages.size());
  for (std::size_t s = 0; s < run.stages.size(); ++s) {
    const json& stage = report["stages"][s];
    double flop = 0;
    std::uint64_t hbm_read = 0;
    std::uint64_t hbm_write = 0;
    for (const KernelRecord& kernel : run.stages[s].kernels) {
      flop += kernel.work[0] + kernel.work[1];
      hbm_read += kernel.q.total(LevelId::hbm, Direction::read);
      hbm_write += kernel.q.total(LevelId::hbm, Direction::write);
    }
    EXPECT_DOUBLE_EQ(stage["total"]["flop"].get<double>(), flop);
    EXPECT_EQ(stage["total"]["hbm_read_bytes"], hbm_read);
    EXPECT_EQ(stage["total"]["hbm_write_bytes"], hbm_write);
    EXPECT_EQ(stage["total"]["kernels"], run.stages[s].kernels.size());
    EXPECT_DOUBLE_EQ(stage["latency_s"].get<double>(), to_seconds(run.stages[s].latency));
    // Classes add up to the total, and so do the byte counts by role and cause.
    std::uint64_t classes = 0;
    for (const json& sum : stage["classes"]) classes += sum["hbm_read_bytes"].get<std::uint64_t>();
    EXPECT_EQ(classes, hbm_read);
    std::uint64_t counted = 0;
    for (const json& entry : stage["byte_counts"]) {
      EXPECT_GT(entry["bytes"], 0);
      if (entry["level"] == "hbm") counted += entry["bytes"].get<std::uint64_t>();
    }
    EXPECT_EQ(counted, hbm_read + hbm_write);
  }
}

TEST(ReportJson, RooflineOfAClass) {
  // all_reduce of the prefill: 1e9 FLOP, 300 MB in and 200 MB out over NVLink (500 GB/s each way): I = 1e9 / 300e6, bound 0.6 ms of 1 ms.
  const json report = json::parse(report_json(golden::sample_run()));
  const json& reduce = report["stages"][1]["classes"][1];
  EXPECT_EQ(reduce["kernel_class"], "all_reduce");
  EXPECT_EQ(reduce["levels"]["nvlink"]["serial_bytes"], 300'000'000);
  EXPECT_DOUBLE_EQ(reduce["levels"]["nvlink"]["intensity_flop_per_byte"].get<double>(), 10.0 / 3);
  EXPECT_TRUE(reduce["levels"]["nvlink"]["memory_bound"].get<bool>());
  EXPECT_TRUE(reduce["levels"]["pcie"]["intensity_flop_per_byte"].is_null());  // nothing crossed PCIe: infinite
  EXPECT_FALSE(reduce["levels"]["pcie"]["memory_bound"].get<bool>());
  EXPECT_EQ(reduce["binding"], "nvlink");
  EXPECT_DOUBLE_EQ(reduce["bound_s"].get<double>(), 0.6e-3);
  EXPECT_DOUBLE_EQ(reduce["bound_reached"].get<double>(), 0.6);
  EXPECT_EQ(report["stages"][1]["ceiling_binding"], "tensor");
  EXPECT_DOUBLE_EQ(report["stages"][1]["ceiling_tokens_per_s"].get<double>(), 512000);
  EXPECT_DOUBLE_EQ(report["stages"][0]["total"]["l2_hit_rate"].get<double>(), 0.1);
}

TEST(ReportJson, UnsimulatedIsNullNotZero) {
  const json report = json::parse(report_json(golden::bound_run(), JsonKernels::include));
  const json& stage = report["stages"][0];
  for (const char* key : {"latency_s", "tokens_per_s", "bound_reached", "ceiling_reached"}) EXPECT_TRUE(stage[key].is_null()) << key;
  EXPECT_TRUE(stage["total"]["simulated_s"].is_null());
  EXPECT_TRUE(stage["kernels"][0]["start_s"].is_null());
  EXPECT_TRUE(stage["total"]["l2_hit_rate"].is_null());
  EXPECT_TRUE(report["step"]["latency_s"].is_null());
  EXPECT_GT(stage["bound_s"], 0);
}

TEST(ReportJson, KernelsOnRequest) {
  const RunResult run = golden::sample_run();
  EXPECT_FALSE(json::parse(report_json(run))["stages"][0].contains("kernels"));
  const json report = json::parse(report_json(run, JsonKernels::include));
  const json& kernels = report["stages"][0]["kernels"];
  ASSERT_EQ(kernels.size(), 11u);
  EXPECT_EQ(kernels[1]["kernel_class"], "copy");
  EXPECT_EQ(kernels[1]["stream"], 1);
  EXPECT_EQ(kernels[4]["waits_for"], json::array({1}));
  EXPECT_DOUBLE_EQ(kernels[1]["bound_s"].get<double>(), 0.2e-3);  // 10 MB at 50 GB/s
  EXPECT_DOUBLE_EQ(kernels[1]["simulated_s"].get<double>(), 0.25e-3);
}

TEST(ReportJson, SurvivesBytesThatAreNotUtf8) {
  RunResult run = golden::sample_run();
  run.command = "rooftrace simulate \xff.yaml";
  EXPECT_TRUE(json::accept(report_json(run)));
}

}  // namespace
}  // namespace rooftrace
