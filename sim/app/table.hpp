// Aligned plain-text tables, and numbers short enough for their cells.
//
// Promises: columns as wide as their widest cell, two spaces apart, no trailing blanks, no colour, ASCII only; the same value always prints
// the same text. Not for machines to read: that is report_json.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rooftrace {

/// The first column is left-aligned, all others right-aligned.
class Table {
 public:
  struct Column {
    std::string group;  ///< Printed once above neighbouring columns of the same group; "" for none.
    std::string title;
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  void row(std::vector<std::string> cells);  ///< std::logic_error unless there is one cell per column.
  void rule();                               ///< A line of dashes before the next row.
  [[nodiscard]] std::string text(std::string_view indent = "") const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;  ///< An empty row is a rule.
};

/// `value` with an SI prefix and `digits` significant digits: si(16060522496, "B", 4) = "16.06 GB", si(0.0049, "s", 3) = "4.90 ms",
/// Zero is "-": in these tables it means that nothing was there; infinity too.
[[nodiscard]] std::string si(double value, std::string_view unit, int digits);
/// The same for counts; below 1000 they print whole: si_whole(12, "B", 3) = "12 B".
[[nodiscard]] std::string si_whole(std::uint64_t value, std::string_view unit, int digits);

/// A plain number with `digits` significant digits, never in exponent form below 1e6: "0.998", "12.3", "4096". Infinity is "-".
[[nodiscard]] std::string number(double value, int digits);

/// 0.8412 -> "84.1 %".
[[nodiscard]] std::string percent(double share);

}  // namespace rooftrace
