// What a user did wrong, in one line: where, the wrong word, the right words.
//
// Promise: a UserError always ends the program with exit code 2 and its one-line message on standard error, before anything was written.
// Not for: broken invariants of our own code; those are assertions or std::logic_error (exit code 70).
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace rooftrace {

/// A place in a text the user wrote. Lines and columns count from 1; 0 means "the file as a whole".
struct SourceLocation {
  std::string file;
  std::uint32_t line = 0;
  std::uint32_t column = 0;

  /// "file:line:column", "file" without a line, "" without a file.
  [[nodiscard]] std::string text() const;
};

/// A mistake of the user; what() is "file:line:column: message" on one line.
class UserError : public std::runtime_error {
 public:
  explicit UserError(const std::string& message) : std::runtime_error(message) {}
  UserError(const SourceLocation& where, const std::string& message);
};

/// The word as messages print it: in double quotes, control characters as \xNN, cut after about 60 characters.
[[nodiscard]] std::string quoted_word(std::string_view word);

/// The candidate closest to `word` by edit distance, or "" when none is close enough to be meant (distance > a third of the word, at least
/// 2).
[[nodiscard]] std::string closest(std::string_view word, const std::vector<std::string>& candidates);

/// "; did you mean "x"?" or "" (see closest).
[[nodiscard]] std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace rooftrace
