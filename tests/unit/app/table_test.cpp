// Tables and the numbers in their cells.
#include "sim/app/table.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <stdexcept>

namespace rooftrace {
namespace {

TEST(Numbers, SiPicksThePrefixAfterRounding) {
  EXPECT_EQ(si(16060522496.0, "B", 4), "16.06 GB");
  EXPECT_EQ(si(3.35e12, "B/s", 3), "3.35 TB/s");
  EXPECT_EQ(si(989.4e12, "FLOP/s", 4), "989.4 TFLOP/s");
  EXPECT_EQ(si(999.96e9, "B", 4), "1.000 TB");  // rounds to 1000 G
  EXPECT_EQ(si(999.94e9, "B", 4), "999.9 GB");
  EXPECT_EQ(si(0.0049, "s", 3), "4.90 ms");
  EXPECT_EQ(si(1e-12, "s", 4), "1.000 ps");
  EXPECT_EQ(si(1000, "B", 3), "1.00 kB");  // exact powers of 1000 take the larger prefix
  EXPECT_EQ(si(1e-6, "s", 3), "1.00 us");
  EXPECT_EQ(si(1e18, "B", 3), "1.00 EB");
  EXPECT_EQ(si(5e22, "B", 3), "50000 EB");  // beyond the prefixes it grows instead of failing
  EXPECT_EQ(si(0, "B", 3), "-");
  EXPECT_EQ(si(std::numeric_limits<double>::infinity(), "B", 3), "-");
}

TEST(Numbers, CountsBelowAThousandArePrintedWhole) {
  EXPECT_EQ(si_whole(12, "B", 4), "12 B");
  EXPECT_EQ(si_whole(999, "B", 4), "999 B");
  EXPECT_EQ(si_whole(1000, "B", 4), "1.000 kB");
  EXPECT_EQ(si_whole(0, "B", 4), "-");
}

TEST(Numbers, PlainNumbersKeepSignificantDigits) {
  EXPECT_EQ(number(0.99766, 3), "0.998");
  EXPECT_EQ(number(12.345, 3), "12.3");
  EXPECT_EQ(number(9.996, 3), "10.0");
  EXPECT_EQ(number(20000, 3), "20000");
  EXPECT_EQ(number(1.5e7, 3), "1.50e+07");
  EXPECT_EQ(number(0.00012, 3), "1.20e-04");
  EXPECT_EQ(number(0, 3), "0");
  EXPECT_EQ(number(std::numeric_limits<double>::infinity(), 3), "-");
  EXPECT_EQ(percent(0.8412), "84.1 %");
}

TEST(TableTest, AlignsAndGroups) {
  // First column left, others right; "Q" spans its two columns ("read" 4 + gap 2 + "written" 7 = 13 wide), dashes fill what is left of it.
  Table table({{"", "name"}, {"Q", "read"}, {"Q", "written"}});
  table.row({"a", "1 B", "22 kB"});
  table.rule();
  table.row({"longer", "-", "3 B"});
  EXPECT_EQ(table.text(" "),
            "         ----- Q -----\n"
            " name    read  written\n"
            " a        1 B    22 kB\n"
            " ---------------------\n"
            " longer     -      3 B\n");
}

TEST(TableTest, GroupWiderThanItsColumnsWidensTheLast) {
  Table table({{"", "x"}, {"wide group", "a"}, {"", "b"}});
  table.row({"1", "2", "3"});
  EXPECT_EQ(table.text(),
            "   wide group\n"
            "x           a  b\n"
            "1           2  3\n");
}

TEST(TableTest, RowsMustFit) {
  Table table(std::vector<Table::Column>{{"", "x"}});
  EXPECT_THROW(table.row({"1", "2"}), std::logic_error);
  EXPECT_THROW(table.row({}), std::logic_error);  // an empty row would be a rule
}

}  // namespace
}  // namespace rooftrace
