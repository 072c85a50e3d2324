// The reports of a run made by hand, as approved texts; and the golden machinery itself.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "sim/app/report_json.hpp"
#include "sim/app/report_text.hpp"
#include "tests/golden/golden.hpp"
#include "tests/golden/sample_run.hpp"

namespace rooftrace::golden {
namespace {

TEST(Golden, TextOfTwoSimulatedStages) {
  EXPECT_EQ(mismatch(data_folder(), "report_des.txt", report_text(sample_run())), "");
}

TEST(Golden, TextOfABoundOnTwoGpus) {
  EXPECT_EQ(mismatch(data_folder(), "report_bound_tp2.txt", report_text(bound_run())), "");
}

TEST(Golden, JsonOfTwoSimulatedStages) {
  EXPECT_EQ(mismatch(data_folder(), "report_des.json", report_json(sample_run())), "");
}

class GoldenMachinery : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) /
              (std::string("rooftrace_golden_") + testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    std::ofstream(folder_ / "a.txt") << "one\ntwo\nthree\n";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::filesystem::path folder_;
};

TEST_F(GoldenMachinery, EqualTextPassesAndClearsAStaleNew) {
  std::ofstream(folder_ / "a.txt.new") << "stale";
  EXPECT_EQ(mismatch(folder_, "a.txt", "one\ntwo\nthree\n"), "");
  EXPECT_FALSE(std::filesystem::exists(folder_ / "a.txt.new"));
}

TEST_F(GoldenMachinery, DifferenceNamesBothPathsAndTheLine) {
  const std::string message = mismatch(folder_, "a.txt", "one\nTWO\nthree\n");
  EXPECT_NE(message.find("line 2"), std::string::npos) << message;
  EXPECT_NE(message.find((folder_ / "a.txt").string() + ","), std::string::npos) << message;
  EXPECT_NE(message.find((folder_ / "a.txt.new").string()), std::string::npos) << message;
  EXPECT_EQ(read_all(folder_ / "a.txt.new"), "one\nTWO\nthree\n");
  EXPECT_EQ(read_all(folder_ / "a.txt"), "one\ntwo\nthree\n");  // the approved text is never touched
}

TEST_F(GoldenMachinery, ATextThatOnlyEndsEarlierDiffers) {
  EXPECT_NE(mismatch(folder_, "a.txt", "one\ntwo\n"), "");
}

TEST_F(GoldenMachinery, MissingGoldenFailsAndShowsWhatItWouldBe) {
  EXPECT_NE(mismatch(folder_, "b.txt", "x").find("no golden text"), std::string::npos);
  EXPECT_EQ(read_all(folder_ / "b.txt.new"), "x");
}

}  // namespace
}  // namespace rooftrace::golden
