// Splitting lines and cells, and reading what cells say.
#include "sim/app/validate_csv.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <string_view>

#include "sim/core/error.hpp"
#include "sim/core/names.hpp"

namespace rooftrace {
namespace {

constexpr std::size_t kMostRows = 100000;

/// Cuts `text` into lines and lines into cells.
class Reader {
 public:
  Reader(const std::string& path, std::string_view text) : path_(path), rest_(text) {
    if (rest_.starts_with("\xEF\xBB\xBF")) rest_.remove_prefix(3);
  }

  /// The next line that is not empty; false at the end.
  bool next(std::vector<std::string>& cells) {
    while (!rest_.empty()) {
      ++line_;
      const std::size_t end = rest_.find('\n');
      std::string_view line = rest_.substr(0, end);
      rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
      if (line.ends_with('\r')) line.remove_suffix(1);
      if (line.empty()) continue;
      split(line, cells);
      return true;
    }
    return false;
  }
  [[noreturn]] void fail(const std::string& message, std::size_t column = 1) const {
    throw UserError(SourceLocation{path_, line_, static_cast<std::uint32_t>(column)}, message);
  }

 private:
  void split(std::string_view line, std::vector<std::string>& cells) const {
    cells.clear();
    std::size_t at = 0;
    while (true) {
      std::string cell;
      if (at < line.size() && line[at] == '"') {
        const std::size_t begin = at++;
        while (true) {
          const std::size_t quote = line.find('"', at);
          if (quote == std::string_view::npos) fail("this quoted cell does not end on its line", begin + 1);
          cell += line.substr(at, quote - at);
          at = quote + 1;
          if (at >= line.size() || line[at] != '"') break;
          cell += '"';
          ++at;
        }
        if (at < line.size() && line[at] != ',') fail("text after the closing quote; only a comma may follow", at + 1);
      } else {
        const std::size_t comma = std::min(line.find(',', at), line.size());
        cell = line.substr(at, comma - at);
        if (const std::size_t quote = cell.find('"'); quote != std::string::npos)
          fail("a quote inside a cell that is not quoted", at + quote + 1);
        at = comma;
      }
      if (cell.find('\0') != std::string::npos) fail("a zero byte");
      cells.push_back(std::move(cell));
      if (at >= line.size()) return;
      ++at;
    }
  }

  std::string path_;
  std::string_view rest_;
  std::uint32_t line_ = 0;
};

}  // namespace

const std::string& SuiteRow::text(const std::string& column) const {
  static const std::string none;
  const auto found = columns_->find(column);
  return found == columns_->end() ? none : cells_[found->second];
}

double SuiteRow::number(const std::string& column) const {
  const std::string& cell = text(column);
  double value = 0;
  const char* const end = cell.data() + cell.size();
  const auto [stop, error] = std::from_chars(cell.data(), end, value);
  if (cell.empty() || error != std::errc{} || stop != end || !std::isfinite(value)) {
    throw RowSkipped(fmt::format("{}: {} is not a number", column, quoted_word(cell)));
  }
  return value;
}

std::optional<double> SuiteRow::maybe_number(const std::string& column) const {
  if (!has(column)) return std::nullopt;
  return number(column);
}

std::uint64_t SuiteRow::integer(const std::string& column, std::uint64_t low, std::uint64_t high) const {
  const double value = number(column);
  if (value != std::floor(value) || value < static_cast<double>(low) || value > static_cast<double>(high)) {
    throw RowSkipped(fmt::format("{}: {} is not a whole number from {} to {}", column, quoted_word(text(column)), low, high));
  }
  return static_cast<std::uint64_t>(value);
}

std::uint64_t SuiteRow::integer_or(const std::string& column, std::uint64_t low, std::uint64_t high, std::uint64_t otherwise) const {
  return has(column) ? integer(column, low, high) : otherwise;
}

DataType SuiteRow::data_type(const std::string& column) const {
  // As frameworks and tables of measurements spell them.
  static const std::map<std::string, std::string> aliases = {
      {"float64", "fp64"}, {"double", "fp64"},   {"float32", "fp32"}, {"float", "fp32"}, {"float16", "fp16"},
      {"half", "fp16"},    {"bfloat16", "bf16"}, {"float8", "fp8"},   {"e4m3", "fp8"},   {"fp8_e4m3", "fp8"},
      {"fp8_e5m2", "fp8"}, {"nvfp4", "fp4"},     {"mxfp4", "fp4"}};
  const auto alias = aliases.find(text(column));
  const auto type = data_type_from(alias == aliases.end() ? text(column) : alias->second);
  if (!type) throw RowSkipped(fmt::format("{}: no data type {}", column, quoted_word(text(column))));
  return *type;
}

Suite parse_suite(const std::string& path, const std::string& kind, const std::string& text, const std::vector<std::string>& required) {
  Suite suite;
  suite.path = path;
  suite.kind = kind;
  Reader reader(path, text);
  std::vector<std::string> cells;
  if (!reader.next(cells)) throw UserError(SourceLocation{path}, "is empty; the first line names the columns");
  auto columns = std::make_shared<SuiteRow::Columns>();
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (!columns->emplace(cells[i], i).second) reader.fail(fmt::format("column {} is given twice", quoted_word(cells[i])));
  }
  std::string missing;
  for (const std::string& column : required) {
    if (!columns->contains(column)) missing += (missing.empty() ? "" : ", ") + column;
  }
  if (!missing.empty()) reader.fail(fmt::format("a suite of kind {} also needs the columns {}", kind, missing));
  const std::size_t width = cells.size();
  while (reader.next(cells)) {
    if (cells.size() != width) reader.fail(fmt::format("{} cells, but the header has {}", cells.size(), width));
    if (suite.rows.size() == kMostRows) reader.fail(fmt::format("more than {} rows", kMostRows));
    suite.rows.emplace_back(columns, cells);
  }
  return suite;
}

std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  std::string cell = "\"";
  for (const char c : text) {
    if (c == '"') cell += '"';
    cell += c == '\n' || c == '\r' ? ' ' : c;
  }
  return cell + '"';
}

}  // namespace rooftrace
