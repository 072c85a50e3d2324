// A suite of measurements: one CSV file, its kind in its name, one measured quantity per row.
//
// Strict about form: the columns of the kind must be there (extra ones are ignored), every row has as many cells as the header, cells are
// quoted as RFC 4180 says and end on their line; anything else is a UserError with file and line. Lenient about content: what a cell says
// is judged row by row (SuiteRow), so that one odd row is one skipped row. Limits: 16 MiB and 100,000 rows per file.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "sim/core/kernel.hpp"

namespace rooftrace {

/// This row cannot be simulated, and why: it is counted as skipped, never as an error of the user.
class RowSkipped : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// One row; columns by name. Whatever cannot be read as asked throws RowSkipped.
class SuiteRow {
 public:
  using Columns = std::map<std::string, std::size_t>;
  SuiteRow(std::shared_ptr<const Columns> columns, std::vector<std::string> cells)
      : columns_(std::move(columns)), cells_(std::move(cells)) {}

  [[nodiscard]] const std::string& text(const std::string& column) const;  ///< "" when the file has no such column.
  [[nodiscard]] bool has(const std::string& column) const { return !text(column).empty(); }
  [[nodiscard]] double number(const std::string& column) const;                       ///< Finite.
  [[nodiscard]] std::optional<double> maybe_number(const std::string& column) const;  ///< Empty cell or no such column: nothing.
  [[nodiscard]] std::uint64_t integer(const std::string& column, std::uint64_t low, std::uint64_t high) const;
  [[nodiscard]] std::uint64_t integer_or(const std::string& column, std::uint64_t low, std::uint64_t high, std::uint64_t otherwise) const;
  [[nodiscard]] DataType data_type(const std::string& column) const;

 private:
  std::shared_ptr<const Columns> columns_;
  std::vector<std::string> cells_;
};

struct Suite {
  std::string path;
  std::string kind;
  std::vector<SuiteRow> rows;
};

/// `text` is the content of `path`, `required` the columns of this kind.
[[nodiscard]] Suite parse_suite(const std::string& path, const std::string& kind, const std::string& text,
                                const std::vector<std::string>& required);

/// The cell as a CSV writer must write it.
[[nodiscard]] std::string csv_cell(const std::string& text);

}  // namespace rooftrace
