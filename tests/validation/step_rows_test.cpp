// Does a whole decode step take the time that a real engine needed for it?
#include <gtest/gtest.h>

#include "analysis/summary.hpp"
#include "sim/app/peaks.hpp"
#include "sim/app/run_scenario.hpp"
#include "sim/app/scenario.hpp"

namespace rooftrace {
namespace {

// step-0001: Llama-2-7B, bf16, batch 1, one A100-80GB (330 W limit), gpt-fast @32971d3: 104.9 tokens/s over 200 tokens after a prompt of 5,
// so a mean context of 5 + 100 tokens. Goal: within 10 %, and the ceiling above the measurement.
TEST(DecodeStep, Llama2On80GBA100) {
  constexpr double kMeasured = 104.9;
  const Options options = parse_options(
      {"simulate", "--hardware", "a100-sxm-80gb", "--model", "llama-2-7b", "--stage", "decode", "--batch", "1", "--context", "105"});
  const Scenario scenario = load_scenario(options, ConfigPaths::of_process(std::string(ROOFTRACE_SOURCE_DIR) + "/configs"));
  const StageResult result = run_workload(scenario, scenario.stages.front());
  const StageSummary summary = summarize(result.kernels, peaks_of(scenario.machine), result.tokens, result.latency);
  RecordProperty("tokens_per_s", std::to_string(*summary.tokens_per_second()));
  EXPECT_NEAR(*summary.tokens_per_second() / kMeasured, 1, 0.10);
  EXPECT_GT(*summary.ceiling_tokens_per_second(), kMeasured);
}

}  // namespace
}  // namespace rooftrace
