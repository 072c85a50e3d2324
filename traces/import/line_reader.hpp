// Lines of a text, one at a time, and the words of a line with their columns.
//
// Promises: a line longer than kLongestLine, and more than kMostBlankLines empty ones in a row (a compression bomb), are UserErrors with
// file:line:column; memory is one line. Words are separated by spaces and tabs; a carriage return before the line's end is taken off.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sim/core/error.hpp"
#include "traces/import/byte_source.hpp"

namespace rooftrace {

/// A line of 32 registers' values is 12 KiB, one of a 64 KiB tensor copy listed in 16-byte pieces 78 KiB.
inline constexpr std::size_t kLongestLine = 1 << 20;
inline constexpr std::uint32_t kMostBlankLines = 100'000;

class LineReader {
 public:
  explicit LineReader(ByteSource& source) : source_(source) {}
  /// The next line without its end; false at the end of the text. The view lives until the next call.
  bool next(std::string_view& line);
  /// The next line that is not blank.
  bool next_filled(std::string_view& line);
  /// Gives the last line out again.
  void push_back() { again_ = true; }

  /// Of the last line; column counts from 1.
  [[nodiscard]] SourceLocation at(std::size_t column = 1) const;
  [[noreturn]] void refuse(std::size_t column, const std::string& why) const { throw UserError(at(column), why); }

 private:
  bool fill();

  ByteSource& source_;
  std::vector<char> piece_;
  std::size_t begin_ = 0, end_ = 0;
  std::string line_;
  std::uint32_t number_ = 0;
  bool again_ = false;
};

/// Walks the words of one line. Every read is a UserError with the column when the word is missing or is not what was asked for.
class Words {
 public:
  Words(std::string_view line, const LineReader& reader) : line_(line), reader_(reader) {}

  /// False when no word is left.
  bool more();
  /// `what` names the word in messages: "the mask".
  std::string_view word(const char* what);
  /// Does not move on; "" at the end.
  std::string_view peek();
  std::uint64_t decimal(const char* what, std::uint64_t most = UINT64_MAX);
  std::int64_t signed_decimal(const char* what);
  /// With or without 0x.
  std::uint64_t hex(const char* what, std::uint64_t most = UINT64_MAX);
  /// Moves on by `text`, which must be next (after spaces).
  bool skip(std::string_view text);

  [[nodiscard]] std::size_t column() const { return word_ + 1; }  ///< Of the last word read.
  [[noreturn]] void refuse(const std::string& why) const { reader_.refuse(column(), why); }

 private:
  std::string_view line_;
  const LineReader& reader_;
  std::size_t at_ = 0, word_ = 0;
};

}  // namespace rooftrace
