// The knee of a read curve, and where it is printed.
#include "sim/app/validate_knee.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "sim/app/validate_report.hpp"

namespace rooftrace {
namespace {

using testing::HasSubstr;

// Plateaus 990 (of 1,000 and 980) and 205 (of 210 and 200): their mean is 597.5, between 800 at 32 and 400 at 64: half of the way is 600,
// so 2.5 / 400 of the octave further, 32 * 2^(202.5 / 400).
TEST(Knee, LiesWhereTheRateFallsThroughTheMeanOfThePlateaus) {
  const auto knee = knee_of({{8, 1000}, {16, 980}, {32, 800}, {64, 400}, {128, 210}, {256, 200}});
  ASSERT_TRUE(knee);
  EXPECT_NEAR(knee->bytes, 32 * std::pow(2, 202.5 / 400), 1e-9);
  EXPECT_EQ(knee->lower, 32);
  EXPECT_EQ(knee->upper, 64);
}

// The order of the rows does not matter, and a curve that is 10 % too fast throughout has its knee where it was.
TEST(Knee, IsOfTheShapeAlone) {
  const std::vector<CurvePoint> curve = {{8, 1000}, {16, 980}, {32, 800}, {64, 400}, {128, 210}, {256, 200}};
  std::vector<CurvePoint> other(curve.rbegin(), curve.rend());
  for (CurvePoint& point : other) point.rate *= 1.1;
  EXPECT_NEAR(knee_of(other)->bytes, knee_of(curve)->bytes, 1e-9);
}

TEST(Knee, IsNotThereWithoutTwoPlateaus) {
  EXPECT_FALSE(knee_of({{8, 1000}, {64, 400}, {128, 210}}));               // Three sizes.
  EXPECT_FALSE(knee_of({{8, 1000}, {8, 1000}, {64, 400}, {128, 210}}));    // Three sizes as well.
  EXPECT_FALSE(knee_of({{8, 1000}, {16, 990}, {64, 900}, {128, 800}}));    // One plateau.
  EXPECT_FALSE(knee_of({{8, 200}, {16, 1000}, {64, 1000}, {128, 1000}}));  // It rises.
  EXPECT_FALSE(knee_of({{8, std::nan("")}, {16, 0}, {64, 400}, {128, 210}}));
}

ScoredRow row(const std::string& hardware, double bytes, double measured, double simulated) {
  ScoredRow r;
  r.kind = "read_bandwidth";
  r.hardware = hardware;
  r.measured = measured;
  r.prediction.simulated = simulated;
  r.prediction.group = "bandwidth";
  r.error = simulated / measured - 1;
  r.curve.bytes = bytes;
  return r;
}

// Measured as above; simulated falls an octave later, so its knee is at twice the size. A GPU with one row has none, a skipped row no say.
TEST(Knee, IsPrintedPerGpu) {
  std::vector<ScoredRow> rows = {row("x", 8e6, 1000, 1000), row("x", 16e6, 980, 980),  row("x", 32e6, 800, 980), row("x", 64e6, 400, 800),
                                 row("x", 128e6, 210, 400), row("x", 256e6, 200, 200), row("y", 8e6, 1, 1)};
  rows.push_back(row("x", 12e6, 100, 100));
  rows.back().status = RowStatus::skipped;
  const Scores scores = score_all(rows);
  ASSERT_EQ(scores.knees.size(), 1U);
  EXPECT_NEAR(scores.knees[0].error(), 1, 0.02);
  EXPECT_THAT(validation_text(scores), HasSubstr("knee of x: 45.5 MB measured (between 32 and 64 MB), 91.6 MB simulated: +101."));
  EXPECT_THAT(validation_text(scores), HasSubstr(" % (goal 5 %)"));
  EXPECT_THAT(validation_json(scores), HasSubstr("\"knees\""));
  EXPECT_THAT(validation_text(score_all({row("y", 8e6, 1, 1)})), testing::Not(HasSubstr("knee")));
}

}  // namespace
}  // namespace rooftrace
