// Scores from errors: medians, p90, ranks, and what counts as beyond the bound.
#include "sim/app/validate_score.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "sim/app/validate_report.hpp"

namespace rooftrace {
namespace {

using testing::HasSubstr;

TEST(ValidateScore, MedianMeanP90MaxAndBias) {
  // Absolute: 0.1, 0.1, 0.2, 0.3, 0.4. Median 0.2, mean 1.1 / 5; nine of ten of 5 rows are 4.5, so 5 rows: the largest. Signed and sorted:
  // -0.4, -0.1, 0.1, 0.2, 0.3: median 0.1.
  const ErrorScore s = error_score({0.1, -0.4, 0.3, -0.1, 0.2});
  EXPECT_EQ(s.rows, 5U);
  EXPECT_DOUBLE_EQ(s.median, 0.2);
  EXPECT_DOUBLE_EQ(s.mean, 0.22);
  EXPECT_DOUBLE_EQ(s.p90, 0.4);
  EXPECT_DOUBLE_EQ(s.max, 0.4);
  EXPECT_DOUBLE_EQ(s.bias, 0.1);
}

TEST(ValidateScore, P90OfTenRowsLeavesOneAbove) {
  std::vector<double> errors;
  for (int i = 1; i <= 10; ++i) errors.push_back(i);
  EXPECT_DOUBLE_EQ(error_score(errors).p90, 9);
  EXPECT_DOUBLE_EQ(error_score(errors).median, 5.5);
}

TEST(ValidateScore, NothingScoredIsNotZero) {
  EXPECT_TRUE(std::isnan(error_score({}).median));
}

TEST(ValidateScore, RankCorrelation) {
  EXPECT_DOUBLE_EQ(rank_correlation({1, 10, 100}, {2, 3, 4}), 1);
  EXPECT_DOUBLE_EQ(rank_correlation({1, 10, 100}, {4, 3, 2}), -1);
  // Ranks 1, 2.5, 2.5, 4 against 1, 2, 3, 4: covariance 4.5, variances 4.5 and 5.
  EXPECT_NEAR(rank_correlation({1, 2, 2, 3}, {1, 2, 3, 4}), 4.5 / std::sqrt(4.5 * 5), 1e-12);
  EXPECT_TRUE(std::isnan(rank_correlation({1, 2}, {1, 2})));
  EXPECT_TRUE(std::isnan(rank_correlation({1, 2, 3}, {5, 5, 5})));
}

Prediction fixed(double simulated, double bound, Side side) {
  Prediction p;
  p.group = "g";
  p.simulated = simulated;
  p.bound = p.roofline = bound;
  p.side = side;
  return p;
}

/// Kinds whose prediction is known, in place of a simulation.
ScoredRow score(Prediction (*predict)(const SuiteRow&, Bench&), const std::string& value, const std::string& flag = "") {
  const Suite suite = parse_suite("gemm.csv", "gemm", "hardware,value,flag,tolerance\nx," + value + "," + flag + ",0.1\n", {"value"});
  Bench bench(ConfigPaths::of_process(""), Fidelity::bound);
  return score_row({"gemm", {}, predict}, suite.rows.front(), 7, bench);
}

TEST(ValidateScore, BeyondTheBoundOnEitherSide) {
  const auto time = [](const SuiteRow&, Bench&) { return fixed(90, 100, Side::above); };
  EXPECT_TRUE(score(time, "100").simulated_beyond_bound);
  EXPECT_FALSE(score(time, "91").measured_beyond_bound);  // Within the row's tolerance of 0.1.
  EXPECT_TRUE(score(time, "89").measured_beyond_bound);
  const auto rate = [](const SuiteRow&, Bench&) { return fixed(90, 100, Side::below); };
  EXPECT_FALSE(score(rate, "100").simulated_beyond_bound);
  EXPECT_TRUE(score(rate, "111").measured_beyond_bound);
}

TEST(ValidateScore, ErrorsAreRelativeOrPoints) {
  EXPECT_DOUBLE_EQ(score([](const SuiteRow&, Bench&) { return fixed(90, 0, Side::none); }, "100").error, -0.1);
  const ScoredRow points = score(
      [](const SuiteRow&, Bench&) {
        Prediction p = fixed(0.5, 0, Side::none);
        p.points = true;
        return p;
      },
      "0.75");
  EXPECT_DOUBLE_EQ(points.error, -0.25);
}

TEST(ValidateScore, FlaggedAndSkippedRowsAreListedNotScored) {
  const auto predict = [](const SuiteRow&, Bench&) { return fixed(50, 100, Side::above); };
  const ScoredRow flagged = score(predict, "100", "odd clock");
  EXPECT_EQ(flagged.status, RowStatus::flagged);
  EXPECT_EQ(flagged.reason, "odd clock");
  const ScoredRow skipped = score([](const SuiteRow&, Bench&) -> Prediction { throw RowSkipped("no file"); }, "100");
  EXPECT_EQ(skipped.status, RowStatus::skipped);
  EXPECT_EQ(skipped.id, "gemm-0007");
  const ScoredRow negative = score(predict, "-1");
  EXPECT_EQ(negative.status, RowStatus::skipped);
  const Scores scores = score_all({flagged, skipped, negative, score(predict, "100")});
  EXPECT_EQ(scores.rows, 4U);
  EXPECT_EQ(scores.ok, 1U);
  EXPECT_EQ(scores.simulated_beyond_bound, 1U);  // The flagged row is beyond it, too, but does not count.
  ASSERT_EQ(scores.groups.size(), 1U);
  EXPECT_EQ(scores.groups[0].simulated.rows, 1U);
  EXPECT_DOUBLE_EQ(scores.groups[0].simulated.median, 0.5);
  EXPECT_DOUBLE_EQ(scores.groups[0].roofline.median, 0);
  EXPECT_EQ(scores.skips.size(), 2U);
  EXPECT_THAT(validation_text(scores), HasSubstr("skipped: gemm x, 1 row: no file"));
}

}  // namespace
}  // namespace rooftrace
