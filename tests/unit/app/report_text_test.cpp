// What the text report must say and how it must look; the full pages are goldens (tests/golden).
#include "sim/app/report_text.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "tests/golden/sample_run.hpp"

namespace rooftrace {
namespace {

using testing::HasSubstr;
using testing::Not;

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

/// The n-th line (from 0) whose first word is `word`.
std::string line_of(const std::string& text, const std::string& word, int n = 0) {
  for (const std::string& line : lines_of(text)) {
    std::istringstream in(line);
    std::string first;
    in >> first;
    if (first == word && n-- == 0) return line;
  }
  return "no line " + word;
}

TEST(ReportText, FitsTheScreenInPlainAscii) {
  RunResult wide = golden::sample_run();
  for (KernelRecord& kernel : wide.stages[0].kernels) {  // widest cells in every column
    for (LevelId level : {LevelId::l2, LevelId::hbm, LevelId::nvlink, LevelId::pcie}) {
      for (Direction direction : {Direction::read, Direction::write}) {
        kernel.q.at(level, TensorRole::activations, direction, Cause::requested) = 111'111'111'111;
      }
    }
    kernel.work = {1.234e14, 1.234e13, 1.234e12};
    kernel.kernel_class = KernelClass::output_projection;
  }
  for (const RunResult& run : {golden::sample_run(), golden::bound_run(), wide}) {
    for (const std::string& line : lines_of(report_text(run))) {
      EXPECT_LE(line.size(), 150u) << line;
      EXPECT_TRUE(line.empty() || line.back() != ' ') << line;
      for (char c : line) EXPECT_TRUE(c >= ' ' && c <= '~') << line;
    }
  }
}

TEST(ReportText, HeaderSaysWhatRanOnWhat) {
  const std::string text = report_text(golden::sample_run());
  EXPECT_THAT(text, HasSubstr("round-gpu (A GPU of round numbers)"));
  EXPECT_THAT(text, HasSubstr("two-layers, weights bf16, KV bf16, TP 1"));
  EXPECT_THAT(text, HasSubstr("fidelity des, layers exact, start warm"));
  EXPECT_THAT(text, HasSubstr("L2 5.000 TB/s, HBM 2.500 TB/s (reads and writes together); NVLink 500.0 GB/s, PCIe 50.00 GB/s (each way)"));
  EXPECT_THAT(text, HasSubstr("bf16: L2 200, HBM 400, NVLink 2000, PCIe 20000 FLOP/B"));  // 1e15 / 5e12 ...
  EXPECT_THAT(text, Not(HasSubstr("per GPU")));
}

TEST(ReportText, ClassesAppearInOrderOfTheTrace) {
  const std::string text = report_text(golden::sample_run());
  std::size_t at = text.find("decode:");
  for (const char* word : {"\n  norm ", "\n  copy ", "\n  qkv_projection ", "\n  attention ", "\n  ffn_up ", "\n  lm_head "}) {
    const std::size_t next = text.find(word, at);
    ASSERT_NE(next, std::string::npos) << word;
    at = next;
  }
}

TEST(ReportText, RooflineRowOfAttention) {
  // Two layers: W = 2 * (4e8 + 1e6) = 802 MFLOP. HBM 2 * (20e6 + 5e6 + 64) = 50.000128e6 B: I = 16.04, ceiling 16.04 * 2.5e12 = 40.1 T,
  // bound 50.000128e6 / 2.5e12 = 20.00 us. Simulated 2 * 16 us: 62.5 %.
  const std::string traffic = line_of(report_text(golden::sample_run()), "attention", 0);
  EXPECT_THAT(traffic, HasSubstr("802.0 MFLOP"));
  EXPECT_THAT(traffic, HasSubstr("6.000 Mop"));
  EXPECT_THAT(traffic, HasSubstr("50.00 MB     128 B"));
  const std::string roofline = line_of(report_text(golden::sample_run()), "attention", 1);
  EXPECT_THAT(roofline, HasSubstr("16.0"));
  EXPECT_THAT(roofline, HasSubstr("40.1 T"));
  EXPECT_THAT(roofline, HasSubstr("HBM         yes  20.00 us   32.00 us   62.5 %"));
}

TEST(ReportText, StageFigures) {
  // Prefill: ffn_up 4e12 / 1e15 = 4 ms, all_reduce 300e6 / 500e9 = 0.6 ms, in order 4.6 ms of 6 ms = 76.7 %. Ceiling: 4 ms of tensor work
  // for 2048 tokens = 512,000/s; simulated 2048 / 6 ms = 341,333/s, 66.7 %.
  const std::string text = report_text(golden::sample_run());
  const std::string prefill = text.substr(text.find("prefill:"));
  EXPECT_THAT(line_of(prefill, "latency"),
              HasSubstr("6.000 ms simulated,  4.600 ms bound (longest path of kernel bounds), 76.7 % reached"));
  EXPECT_THAT(line_of(prefill, "tokens/s"), HasSubstr("341300 simulated,    512000 ceiling (tensor pipe at its peak), 66.7 % reached"));
  EXPECT_THAT(line_of(prefill, "ffn_up", 1), HasSubstr("tensor          no"));
  EXPECT_THAT(line_of(text, "L2"), HasSubstr("10.0 % of the sectors loaded; 18.00 MB crossed"));
  // HBM bytes by role and cause, both layers of decode.
  EXPECT_THAT(line_of(text, "kv"), HasSubstr("50.00 MB         -    40.00 MB  10.00 MB           -    2.5 %"));
}

TEST(ReportText, WithoutSimulationTimesAreDashes) {
  const std::string text = report_text(golden::bound_run());
  EXPECT_THAT(text, HasSubstr("fidelity bound"));
  EXPECT_THAT(text, HasSubstr("one of the 2 GPUs"));
  EXPECT_THAT(line_of(text, "latency"), HasSubstr("- simulated,  960.0 us bound"));
  EXPECT_THAT(line_of(text, "latency"), Not(HasSubstr("reached")));
  EXPECT_THAT(line_of(text, "stage"), HasSubstr("yes  960.0 us          -        -"));
}

TEST(ReportText, RequestedBytesAtHbmAreNotHidden) {
  RunResult run = golden::sample_run();
  EXPECT_THAT(report_text(run), Not(HasSubstr("requested")));
  run.stages[0].kernels[0].q.at(LevelId::hbm, TensorRole::tables, Direction::write, Cause::requested) = 77;
  EXPECT_THAT(report_text(run), HasSubstr("requested"));
  EXPECT_THAT(line_of(report_text(run), "tables"), HasSubstr("77 B"));
}

TEST(ReportText, RunWithoutKernelsStillPrints) {
  RunResult run = golden::sample_run();
  for (StageResult& stage : run.stages) {
    stage.kernels.clear();
    stage.latency = 0;
  }
  EXPECT_THAT(report_text(run), HasSubstr("nothing to do"));
}

}  // namespace
}  // namespace rooftrace
