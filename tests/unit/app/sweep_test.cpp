// Sweeps without running a point: values, filters, samples, the journal's lines, frontiers; and points in parallel.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <optional>
#include <set>

#include "sim/app/pareto.hpp"
#include "sim/app/sweep_journal.hpp"
#include "sim/app/sweep_run.hpp"
#include "sim/app/sweep_spec.hpp"
#include "sim/app/sweep_where.hpp"
#include "sim/core/error.hpp"

namespace rooftrace {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

SweepSpec sweep(const std::string& axes, const std::string& more = "", const std::vector<std::string>& where = {}) {
  return parse_sweep(ConfigDocument::parse("base: main\naxes: [" + axes + "]\n" + more, "sweep.yaml"), "", where);
}

std::vector<std::string> labels(const std::string& range) {
  return sweep("{key: k, range: " + range + "}").axes[0].keys[0].labels.all();
}

std::string mistake(const std::string& axes, const std::string& more = "") {
  try {
    const SweepSpec spec = sweep(axes, more);
    const SweepWhere where(spec);
  } catch (const UserError& error) {
    return error.what();
  }
  return "no mistake";
}

TEST(SweepSpec, RangesKeepTheirUnits) {
  EXPECT_THAT(labels("{from: 1, to: 8, scale: log2}"), ElementsAre("1", "2", "4", "8"));
  EXPECT_THAT(labels("{from: 2 TB/s, to: 8 TB/s, steps: 3}"), ElementsAre("2 TB/s", "5 TB/s", "8 TB/s"));
  // The unit of `from`, also where `to` has another; a third of 1 MiB is no whole number of them with nine digits, so it is in bytes.
  EXPECT_THAT(labels("{from: 500 GB/s, to: 2 TB/s, steps: 2}"), ElementsAre("500 GB/s", "2000 GB/s"));
  EXPECT_THAT(labels("{from: 1 MiB, to: 2 MiB, steps: 4}"), ElementsAre("1 MiB", "1398101 B", "1747627 B", "2 MiB"));
  // Ends 1 and 100 with one value between: sqrt(1 * 100) = 10.
  EXPECT_THAT(labels("{from: 1, to: 100, steps: 3, scale: geometric}"), ElementsAre("1", "10", "100"));
  // 1 MiB = 1,048,576 B; 2.5 MB = 2.38 MiB rounds to 2.
  EXPECT_THAT(labels("{from: 1 MB, to: 2.5 MB, steps: 2, multiple_of: 1 MiB}"), ElementsAre("1.048576 MB", "2.097152 MB"));
  // Fewer whole numbers between 0 and 1 than values: shares.
  EXPECT_THAT(labels("{from: 0, to: 1, steps: 3}"), ElementsAre("0", "0.5", "1"));
}

TEST(SweepSpec, TheLastAxisIsTheFastest) {
  const SweepSpec spec = sweep("{key: hardware.hbm.bandwidth, values: [2 TB/s, 4 TB/s]}, {key: batch, values: [1, 8, 64]}");
  ASSERT_EQ(spec.points(), 6U);
  EXPECT_THAT(spec.assignments(4), ElementsAre("hardware.hbm.bandwidth=4 TB/s", "batch=8"));
  EXPECT_EQ(spec.axes[0].name, "hbm_bandwidth");
  EXPECT_EQ(spec.axes[0].keys[0].units, "byte s-1");
  EXPECT_THAT(spec.axes[0].keys[0].numbers, ElementsAre(2e12, 4e12));
  EXPECT_TRUE(spec.axes[1].keys[0].whole);
}

TEST(SweepSpec, AnEmptyValueLeavesTheKeyAlone) {
  EXPECT_THAT(sweep("{key: k, values: [\"\", 2]}").assignments(0), ElementsAre());
}

TEST(SweepSpec, ATextIsReadBack) {
  const SweepSpec spec = sweep("{zip: [{key: a, values: [1, 2]}, {key: b, values: [x y, z]}]}", "where: a > 1\n");
  const SweepSpec again = parse_sweep(ConfigDocument::parse(spec.text, "again"), "", {});
  EXPECT_EQ(again.text, spec.text);
  EXPECT_EQ(again.assignments(1), spec.assignments(1));
  EXPECT_EQ(again.where, spec.where);
}

TEST(SweepSpec, SaysWhatIsWrong) {
  EXPECT_THAT(mistake("{key: batch, values: [1]}, {key: batch, values: [2], name: b}"), HasSubstr("is on two axes"));
  EXPECT_THAT(mistake("{key: latency, values: [1]}"), HasSubstr("give the axis another name"));
  EXPECT_THAT(mistake("{key: a, range: {from: 0, to: 4, scale: log2}}"), HasSubstr("above 0"));
  EXPECT_THAT(mistake("{key: a, values: [1], range: {from: 0, to: 4, steps: 2}}"), HasSubstr("either values or a range"));
  EXPECT_THAT(mistake("{key: a, values: [1]}", "wher: a > 1\n"), HasSubstr("did you mean \"where\""));
}

TEST(SweepSample, AHypercubeHasOnePointInEveryPart) {
  constexpr std::size_t kPoints = 40;
  const SweepSpec spec = sweep("{key: a, range: {from: 0.0 s, to: 40.0 s}}, {key: b, values: [x, y]}",
                               "sample: {kind: latin_hypercube, points: 40, seed: 5}\n");
  ASSERT_EQ(spec.points(), kPoints);
  std::set<int> parts;
  for (const double value : spec.axes[0].keys[0].numbers) parts.insert(static_cast<int>(value));
  EXPECT_EQ(parts.size(), kPoints);  // 40 seconds in 40 parts: every whole second once.
  const std::vector<std::string> words = spec.axes[0].keys[1].labels.all();
  EXPECT_EQ(std::count(words.begin(), words.end(), "x"), 20);
  const std::string other = "sample: {kind: latin_hypercube, points: 40, seed: 6}\n";
  EXPECT_NE(sweep("{key: a, range: {from: 0.0 s, to: 40.0 s}}", other).axes[0].keys[0].labels.all(), spec.axes[0].keys[0].labels.all());
}

TEST(SweepWhere, ComparesNumbersQuantitiesAndTexts) {
  const auto taken = [](const std::string& filter) {
    const SweepSpec spec = sweep(
        "{key: batch, values: [1, 2, 3]}, {key: hardware.hbm.bandwidth, values: [2 TB/s, 4 TB/s]}, "
        "{key: weights, values: [bf16, fp8]}",
        "", {filter});
    const SweepWhere where(spec);
    int count = 0;
    for (std::uint64_t i = 0; i < spec.points(); ++i) count += where.takes(i) ? 1 : 0;
    return count;
  };
  // 3 x 2 x 2 points.
  EXPECT_EQ(taken("batch > 1"), 8);
  EXPECT_EQ(taken("hbm_bandwidth == 4000 GB/s"), 6);
  EXPECT_EQ(taken("hardware.hbm.bandwidth < 3 TB/s and batch <= 2"), 4);
  EXPECT_EQ(taken("weights == 'fp8' or batch == 1"), 8);
  EXPECT_EQ(taken("not (weights == 'fp8' or batch == 1)"), 4);
  EXPECT_EQ(taken("batch * hbm_bandwidth >= 6 TB/s"), 6);  // 2 x 4, 3 x 2, 3 x 4
  EXPECT_EQ(taken("batch + 1 == 6 / (batch - -0)"), 4);    // only batch 2 solves b + 1 = 6 / b
}

TEST(SweepWhere, RefusesWhatMakesNoSense) {
  const std::string axes = "{key: batch, values: [1]}, {key: weights, values: [bf16]}";
  EXPECT_THAT(mistake(axes, "where: bach > 1\n"), HasSubstr("did you mean \"batch\""));
  EXPECT_THAT(mistake(axes, "where: weights > 1\n"), HasSubstr("between a text and a number"));
  EXPECT_THAT(mistake(axes, "where: batch = 1\n"), HasSubstr("write =="));
  EXPECT_THAT(mistake(axes, "where: (batch > 1\n"), HasSubstr("without its )"));
  EXPECT_THAT(mistake(axes, "where: weights\n"), HasSubstr("not a condition"));
  EXPECT_THAT(mistake(axes, "where: " + std::string(5000, '(') + "\n"), HasSubstr("too deeply"));
}

TEST(SweepJournal, ARecordComesBackExactly) {
  PointRecord record;
  record.status = PointStatus::done;
  StageNumbers& stage = record.stages.emplace_back();
  stage.stage = "decode";
  stage.binding = 4;
  stage.columns = {1.0 / 3, std::numeric_limits<double>::quiet_NaN(), 5e-324, 1e300};
  stage.q[7] = 9007199254740992.0;
  record.message = "two words";
  PointRecord again;
  ASSERT_TRUE(read_record(record_text(record), again));
  EXPECT_EQ(record_text(again), record_text(record));
  EXPECT_EQ(again.stages[0].columns[0], 1.0 / 3);
  EXPECT_EQ(again.message, "two words");
  EXPECT_FALSE(read_record("2 1 decode 4 0.5", again));
}

TEST(SweepTable, ArrayExpression) {
  EXPECT_EQ(array_expression({0, 1, 2, 5, 7, 8}), "0-2,5,7-8");
  EXPECT_EQ(array_expression({}), "");
}

TEST(Pareto, KeepsWhatNothingBeats) {
  const double none = std::numeric_limits<double>::quiet_NaN();
  const Goal speed{"speed", true, "", {1, 5, 5, 3, 9, none}};
  const Goal cost{"cost", false, "", {1, 4, 6, 4, 9, 0}};
  // 2 costs more than 1 for the same speed; 3 is slower than 1 at the same cost; 5 has no speed.
  EXPECT_THAT(pareto_frontier({speed, cost}), ElementsAre(4, 1, 0));
}

TEST(SweepRunParallel, EveryPointOnceAndStopsWhenTold) {
  constexpr std::uint64_t kPoints = 500;
  std::uint64_t given = 0;
  const auto next = [&]() -> std::optional<std::uint64_t> { return given < kPoints ? std::optional(given++) : std::nullopt; };
  std::vector<int> seen(kPoints);
  const auto run = [](std::uint64_t point) {
    PointRecord record;
    record.message = std::to_string(point);
    return record;
  };
  run_points(
      next, 4, run,
      [&](std::uint64_t point, PointRecord&& record) {
        EXPECT_EQ(record.message, std::to_string(point));
        ++seen[point];
      },
      [] { return false; });
  EXPECT_EQ(seen, std::vector<int>(kPoints, 1));

  int finished = 0;
  given = 0;
  run_points(
      next, 4, run, [&](std::uint64_t, PointRecord&&) { ++finished; }, [] { return true; });
  EXPECT_EQ(finished, 0);
  EXPECT_THROW(run_points(
                   next, 4, run, [](std::uint64_t, PointRecord&&) { throw UserError("disk full"); }, [] { return false; }),
               UserError);
}

}  // namespace
}  // namespace rooftrace
