// Pictures of a validation: what must be in them, and that no words lie on others.
#include "sim/app/validate_picture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <regex>

#include "sim/app/svg.hpp"

namespace rooftrace {
namespace {

using testing::HasSubstr;
using testing::Not;

ScoredRow row(const std::string& kind, const std::string& hardware, const std::string& quantity, double measured, double simulated,
              double bytes = 0) {
  ScoredRow r;
  r.id = "row";
  r.kind = kind;
  r.hardware = hardware;
  r.quantity = quantity;
  r.measured = measured;
  r.prediction.simulated = simulated;
  r.prediction.group = "g";
  r.error = simulated / measured - 1;
  r.curve.bytes = bytes;
  return r;
}

std::size_t count(const std::string& text, const std::string& word) {
  std::size_t found = 0;
  for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++found;
  return found;
}

/// Boxes around horizontal words: 13 px letters are at most 8 px wide on average, and 13 high.
struct Box {
  double left, right, top, bottom;
  std::string text;
};

std::vector<Box> words_of(const std::string& svg) {
  static const std::regex pattern("<text[^>]* x=\"([-0-9.]+)\" y=\"([-0-9.]+)\" text-anchor=\"([a-z]+)\">([^<]*)</text>");
  std::vector<Box> boxes;
  for (std::sregex_iterator it(svg.begin(), svg.end(), pattern), end; it != end; ++it) {
    const double x = std::stod((*it)[1]), y = std::stod((*it)[2]), width = 7.5 * static_cast<double>((*it)[4].length());
    const std::string anchor = (*it)[3];
    const double left = anchor == "start" ? x : anchor == "end" ? x - width : x - width / 2;
    boxes.push_back({left, left + width, y - 11, y + 2, (*it)[4]});
  }
  return boxes;
}

void expect_readable(const std::string& svg) {
  const std::vector<Box> boxes = words_of(svg);
  EXPECT_GE(boxes.size(), 8U);
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    EXPECT_GE(boxes[i].left, 0) << boxes[i].text;
    for (std::size_t j = 0; j < i; ++j) {
      const bool apart = boxes[i].right <= boxes[j].left || boxes[j].right <= boxes[i].left || boxes[i].bottom <= boxes[j].top ||
                         boxes[j].bottom <= boxes[i].top;
      EXPECT_TRUE(apart) << boxes[i].text << " lies on " << boxes[j].text;
    }
  }
}

TEST(ValidatePicture, AScatterHasEveryRowItsAxesAndItsLegend) {
  std::vector<ScoredRow> rows;
  for (int i = 0; i < 7; ++i) rows.push_back(row("gemm", i % 2 == 0 ? "a100" : "h100", "time_us", 3 * i + 1, 4 * i + 1));
  rows.push_back(row("gemm", "h100", "hbm_read_bytes", 1e6, 1.1e6));
  rows.push_back(row("gemm", "h100", "hbm_read_bytes", 3e9, 2e9));
  rows[1].status = RowStatus::flagged;
  rows.push_back(row("gemm", "h100", "time_us", 5, ScoredRow::kNone));
  rows.back().status = RowStatus::skipped;
  const std::vector<Picture> pictures = validation_pictures(rows);
  ASSERT_EQ(pictures.size(), 1U);
  EXPECT_EQ(pictures[0].file, "gemm.svg");
  const std::string& svg = pictures[0].svg;
  EXPECT_EQ(count(svg, "class=\"mark\""), 9U + 2U);       // Nine rows, and one mark per group and GPU in the legend.
  EXPECT_EQ(count(svg, "fill=\"none\" stroke=\"#"), 1U);  // The flagged one is hollow.
  EXPECT_THAT(svg, HasSubstr(">measured time (us)<"));
  EXPECT_THAT(svg, HasSubstr(">simulated time (us)<"));
  EXPECT_THAT(svg, HasSubstr(">measured HBM read (B)<"));
  EXPECT_THAT(svg, HasSubstr("10 rows: 8 scored, 1 flagged (hollow), 1 skipped (not drawn)"));
  EXPECT_THAT(svg, HasSubstr("g, a100: 4 rows, median"));
  for (const char* line : {"equal", "near", "far"}) EXPECT_THAT(svg, HasSubstr(std::string("<line class=\"") + line));
  expect_readable(svg);
  EXPECT_EQ(validation_pictures(rows)[0].svg, svg);
}

// A panel is 340 px wide and its values span 1 to 100: with 4 % room at both ends one decade is 340 / (2 x 1.08) = 157.4 px. A value
// simulated as measured lies on the line of equality: as far from the left (84) as from the bottom (62 + 410 - 62 = 410).
TEST(ValidatePicture, EqualValuesLieOnTheDiagonal) {
  const svg::Axis x = svg::Axis::logarithmic({1, 100}, 84, 424);
  EXPECT_NEAR(x.at(10) - x.at(1), 157.4, 0.05);
  const std::string svg = validation_pictures({row("gemm", "x", "time_us", 1, 1), row("gemm", "x", "time_us", 100, 100)})[0].svg;
  EXPECT_THAT(svg, HasSubstr("cx=\"96.6\""));  // 84 + 0.04 x 2 / 2.16 x 340
}

TEST(ValidatePicture, CurvesJoinTheSimulatedValuesInTheOrderOfTheBytes) {
  std::vector<ScoredRow> rows;
  for (const double mib : {64.0, 4.0, 16.0})
    rows.push_back(row("read_bandwidth", "a100", "bandwidth_GBps", 5000 / mib, 4000 / mib, mib * 1048576));
  const std::vector<Picture> pictures = validation_pictures(rows);
  ASSERT_EQ(pictures.size(), 2U);
  EXPECT_EQ(pictures[1].file, "read_bandwidth-curve.svg");
  const std::string& svg = pictures[1].svg;
  EXPECT_EQ(count(svg, "class=\"mark\""), 3U + 1U);
  EXPECT_EQ(count(svg, "<polyline"), 1U);
  EXPECT_THAT(svg, HasSubstr(">working set<"));
  EXPECT_THAT(svg, HasSubstr(">bandwidth (GB/s)<"));
  EXPECT_THAT(svg, HasSubstr(">16 MiB<"));
  const std::size_t at = svg.find("points=\"") + 8;
  double last = -1;
  std::istringstream points(svg.substr(at, svg.find('"', at) - at));
  int found = 0;
  for (std::string point; points >> point; ++found) {
    EXPECT_GT(std::stod(point), last);
    last = std::stod(point);
  }
  EXPECT_EQ(found, 3);
  expect_readable(svg);
}

TEST(ValidatePicture, WordsStayApartHoweverTheValuesLie) {
  for (const auto& [low, high] : {std::pair{1e-9, 1e15}, {999.0, 1001.0}, {1.0, 30000.0}, {12.0, 55.0}, {5.0, 5.0}}) {
    for (const std::string quantity : {"time_us", "l2_read_bytes", "odd"}) {
      if (quantity == "l2_read_bytes" && low < 1) continue;
      expect_readable(
          validation_pictures({row("latency", "x", quantity, low, high, 100), row("latency", "x", quantity, high, low, 1e12)})[1].svg);
    }
  }
}

TEST(ValidatePicture, NamesFromSuitesCannotBreakOut) {
  const std::string svg = validation_pictures({row("gemm", "<script>&\"\x01", "time_us", 1, 2)})[0].svg;
  EXPECT_THAT(svg, Not(HasSubstr("<script>")));
  EXPECT_THAT(svg, HasSubstr("&lt;script&gt;&amp;&quot;?"));
}

TEST(ValidatePicture, ManyGroupsAndQuantitiesAreBounded) {
  std::vector<ScoredRow> rows;
  for (int i = 0; i < 300; ++i) rows.push_back(row("gemm", "gpu" + std::to_string(i), "q" + std::to_string(i), 1 + i, 2));
  const std::string svg = validation_pictures(rows)[0].svg;
  EXPECT_EQ(count(svg, "<clipPath"), 12U);
  EXPECT_EQ(count(svg, "class=\"mark\""), 300U + 60U);
}

TEST(ValidatePicture, NothingSimulatedIsNoPicture) {
  EXPECT_TRUE(validation_pictures({}).empty());
  EXPECT_TRUE(validation_pictures({row("gemm", "x", "time_us", 1, ScoredRow::kNone)}).empty());
}

}  // namespace
}  // namespace rooftrace
