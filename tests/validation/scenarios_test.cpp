// What must hold for every scenario in the repository: bounds below times, compulsory bytes below simulated ones, and skipped layers equal
// to simulated ones.
#include <gtest/gtest.h>

#include <filesystem>

#include "analysis/summary.hpp"
#include "sim/app/peaks.hpp"
#include "sim/app/run.hpp"
#include "sim/app/scenario.hpp"

namespace rooftrace {
namespace {

const std::string kConfigs = std::string(ROOFTRACE_SOURCE_DIR) + "/configs";

std::vector<std::string> scenarios() {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(kConfigs + "/scenarios")) files.push_back(entry.path().string());
  std::sort(files.begin(), files.end());
  return files;
}

/// The scenario with fewer layers, so that exact runs stay short: three have a first, a middle and a last one.
Scenario short_scenario(const std::string& file, const std::vector<std::string>& more = {}) {
  std::vector<std::string> words = {"simulate", file, "--set", "model.layers=3"};
  for (const std::string& set : more) {
    words.emplace_back("--set");
    words.push_back(set);
  }
  return load_scenario(parse_options(words), ConfigPaths::of_process(kConfigs));
}

StageResult run(const Scenario& scenario, WorkloadOptions stage, RunOptions options) {
  if (stage.stage == Stage::prefill) stage.prompt = std::min(stage.prompt, 256U);
  options.group = stage.tp;
  const Trace trace = make_workload(scenario.model, scenario.machine.shape(), stage);
  return run_stage(scenario.machine, trace, stage.stage, 1, options);
}

void expect_compulsory(const KernelRecord& record) {
  for (const LevelId level : {LevelId::l2, LevelId::hbm}) {
    EXPECT_LE(record.compulsory.total(level, Direction::read), record.q.total(level, Direction::read))
        << record.label << " layer " << record.layer << " " << name(level);
  }
  EXPECT_EQ(record.compulsory.total(LevelId::pcie), record.q.total(LevelId::pcie)) << record.label;
  EXPECT_EQ(record.compulsory.total(LevelId::nvlink), record.q.total(LevelId::nvlink)) << record.label;
}

class EveryScenario : public ::testing::TestWithParam<std::string> {};

TEST_P(EveryScenario, BoundsAndCompulsoryBytesAreNeverAboveTheSimulatedOnes) {
  const Scenario scenario = short_scenario(GetParam());
  const Peaks peaks = peaks_of(scenario.machine);
  for (const WorkloadOptions& stage : scenario.stages) {
    for (const bool warm : {false, true}) {
      RunOptions options;
      options.warm = warm;
      const StageResult result = run(scenario, stage, options);
      const std::vector<double> bounds = kernel_bounds(result.kernels, peaks);
      for (std::size_t k = 0; k < bounds.size(); ++k) {
        EXPECT_LE(whole_picoseconds(bounds[k]), result.kernels[k].end - result.kernels[k].start) << result.kernels[k].label;
        expect_compulsory(result.kernels[k]);
      }
      const StageSummary summary = summarize(result.kernels, peaks, result.tokens, result.latency);
      EXPECT_LE(whole_picoseconds(summary.bound), result.latency);
      EXPECT_LE(summary.ceiling, summary.bound * (1 + 1e-12));
    }
  }
}

// The functional run has another order of accesses, so other hits; the closed form must hold for it as well.
TEST_P(EveryScenario, CompulsoryBytesHoldWithoutTime) {
  const Scenario scenario = short_scenario(GetParam());
  for (const WorkloadOptions& stage : scenario.stages) {
    RunOptions options;
    options.fidelity = Fidelity::cache;
    options.warm = true;
    for (const KernelRecord& record : run(scenario, stage, options).kernels) expect_compulsory(record);
  }
}

// --layers auto against the exact run: every byte of every kernel, and every picosecond.
TEST_P(EveryScenario, SkippedLayersEqualSimulatedOnes) {
  const Scenario scenario = short_scenario(GetParam(), {"model.layers=6"});
  for (const WorkloadOptions& stage : scenario.stages) {
    RunOptions options;
    const StageResult exact = run(scenario, stage, options);
    options.layers = Layers::automatic;
    const StageResult skipping = run(scenario, stage, options);
    EXPECT_EQ(exact.latency, skipping.latency);
    ASSERT_EQ(exact.kernels.size(), skipping.kernels.size());
    std::size_t replicated = 0;
    for (std::size_t k = 0; k < exact.kernels.size(); ++k) {
      EXPECT_EQ(exact.kernels[k].q, skipping.kernels[k].q) << exact.kernels[k].label << " layer " << exact.kernels[k].layer;
      EXPECT_EQ(exact.kernels[k].cache, skipping.kernels[k].cache);
      EXPECT_EQ(exact.kernels[k].start, skipping.kernels[k].start);
      EXPECT_EQ(exact.kernels[k].end, skipping.kernels[k].end);
      replicated += skipping.kernels[k].replicated ? 1 : 0;
    }
    // The test would be empty if nothing was ever skipped: it must happen where nothing is offloaded and the index is hashed.
    if (stage.offload_weights == 0 && scenario.machine.l2.hash == IndexHash::hashed && stage.stage == Stage::decode) {
      EXPECT_GT(replicated, 0U);
    }
  }
}

// --layers sample against the exact run: an estimate, and near.
TEST_P(EveryScenario, SampledLayersAreNear) {
  const Scenario scenario = short_scenario(GetParam(), {"model.layers=6"});
  for (const WorkloadOptions& stage : scenario.stages) {
    RunOptions options;
    const StageResult exact = run(scenario, stage, options);
    options.layers = Layers::sample;
    const StageResult sampled = run(scenario, stage, options);
    const auto hbm = [](const StageResult& result) {
      std::uint64_t bytes = 0;
      for (const KernelRecord& kernel : result.kernels) bytes += kernel.q.total(LevelId::hbm);
      return static_cast<double>(bytes);
    };
    const auto simulated =
        std::count_if(sampled.kernels.begin(), sampled.kernels.end(), [](const KernelRecord& k) { return !k.replicated; });
    if (stage.offload_weights == 0 && stage.offload_kv == 0) {  // Else streams overlap, and nothing is sampled.
      EXPECT_LT(simulated, static_cast<std::ptrdiff_t>(sampled.kernels.size() / 2 + 8));
    }
    EXPECT_NEAR(to_seconds(sampled.latency), to_seconds(exact.latency), 0.02 * to_seconds(exact.latency));
    EXPECT_NEAR(hbm(sampled), hbm(exact), 0.01 * hbm(exact));
  }
}

INSTANTIATE_TEST_SUITE_P(Configs, EveryScenario, ::testing::ValuesIn(scenarios()), [](const auto& p) {
  std::string word = std::filesystem::path(p.param).stem().string();
  for (char& c : word) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return word;
});

}  // namespace
}  // namespace rooftrace
