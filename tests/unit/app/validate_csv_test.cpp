// Suites: form is strict and says where, content is judged row by row.
#include "sim/app/validate_csv.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sim/core/error.hpp"

namespace rooftrace {
namespace {

using testing::HasSubstr;

Suite parse(const std::string& text, const std::vector<std::string>& required = {"a", "b"}) {
  return parse_suite("x.csv", "x", text, required);
}

std::string refusal(const std::string& text) {
  try {
    static_cast<void>(parse(text));
  } catch (const UserError& error) {
    return error.what();
  }
  return "accepted";
}

std::string skip_reason(const SuiteRow& row, const std::string& column) {
  try {
    static_cast<void>(row.integer(column, 1, 100));
  } catch (const RowSkipped& error) {
    return error.what();
  }
  return "read";
}

TEST(ValidateCsv, ReadsColumnsInAnyOrderWithExtrasQuotesAndCarriageReturns) {
  const Suite suite = parse(
      "\xEF\xBB\xBF"
      "b,extra,a\r\n2,\"x, \"\"y\"\"\",1\r\n\n4,,3");
  ASSERT_EQ(suite.rows.size(), 2U);
  EXPECT_EQ(suite.rows[0].number("a"), 1);
  EXPECT_EQ(suite.rows[0].number("b"), 2);
  EXPECT_EQ(suite.rows[0].text("extra"), "x, \"y\"");
  EXPECT_EQ(suite.rows[1].number("a"), 3);
  EXPECT_FALSE(suite.rows[1].has("extra"));
  EXPECT_EQ(suite.rows[1].text("no such column"), "");
}

TEST(ValidateCsv, MissingColumnsAreAllNamed) {
  EXPECT_THAT(refusal("c\n1\n"), HasSubstr("x.csv:1:1: a suite of kind x also needs the columns a, b"));
}

TEST(ValidateCsv, BrokenFormIsAnErrorWithItsLine) {
  EXPECT_THAT(refusal(""), HasSubstr("is empty"));
  EXPECT_THAT(refusal("a,a,b\n"), HasSubstr("given twice"));
  EXPECT_THAT(refusal("a,b\n1,2\n1\n"), HasSubstr("x.csv:3:1: 1 cells, but the header has 2"));
  EXPECT_THAT(refusal("a,b\n\"1,2\n"), HasSubstr("x.csv:2:1: this quoted cell does not end"));
  EXPECT_THAT(refusal("a,b\n\"1\"x,2\n"), HasSubstr("x.csv:2:4: text after the closing quote"));
  EXPECT_THAT(refusal("a,b\n1\",2\n"), HasSubstr("x.csv:2:2: a quote inside"));
  EXPECT_THAT(refusal(std::string("a,b\n1\0,2\n", 9)), HasSubstr("zero byte"));
}

TEST(ValidateCsv, NumbersThatAreNoneOrOutOfRangeSaySo) {
  const Suite suite = parse("a,b\n1e400,nan\n-3,2.5\n0x10,101\n,7\n");
  ASSERT_EQ(suite.rows.size(), 4U);
  for (const SuiteRow& row : suite.rows) EXPECT_NE(skip_reason(row, "a"), "read");
  EXPECT_THAT(skip_reason(suite.rows[0], "b"), HasSubstr("is not a number"));
  EXPECT_THAT(skip_reason(suite.rows[1], "b"), HasSubstr("b: \"2.5\" is not a whole number from 1 to 100"));
  EXPECT_THAT(skip_reason(suite.rows[2], "b"), HasSubstr("101"));
  EXPECT_EQ(skip_reason(suite.rows[3], "b"), "read");
}

TEST(ValidateCsv, CellsAreQuotedWhereNeeded) {
  EXPECT_EQ(csv_cell("plain"), "plain");
  EXPECT_EQ(csv_cell("a,\"b\"\n"), "\"a,\"\"b\"\" \"");
}

}  // namespace
}  // namespace rooftrace
