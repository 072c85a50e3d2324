// Locations as text, and the closest word to a wrong one.
//
// Promises: what() of a UserError is one line whatever the message holds (a quoted wrong word may contain anything a file can contain).
// Distance counts insertions, deletions, substitutions and swaps of neighbours, and a change of case costs nothing next to them, so that
// "bandwdith" and "BF16" find what was meant.
#include "sim/core/error.hpp"

#include <algorithm>
#include <cstddef>

namespace rooftrace {
namespace {

constexpr std::size_t kLongestWord = 200;  // Longer ones are not typing mistakes, and the table below is quadratic.

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string one_line(const std::string& text) {
  std::string line;
  line.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    line += byte < 0x20 || byte == 0x7f ? '?' : c;
  }
  return line;
}

std::string located(const SourceLocation& where, const std::string& message) {
  const std::string place = where.text();
  return one_line(place.empty() ? message : place + ": " + message);
}

// Optimal string alignment distance.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) above[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = lower(a[i - 1]) == lower(b[j - 1]) ? 0 : 1;
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + change});
      const bool swapped = i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]);
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    std::swap(before, above);
    std::swap(above, row);
  }
  return above[b.size()];
}

}  // namespace

std::string SourceLocation::text() const {
  if (file.empty() || line == 0) return file;
  return file + ":" + std::to_string(line) + ":" + std::to_string(column);
}

UserError::UserError(const SourceLocation& where, const std::string& message) : std::runtime_error(located(where, message)) {}

std::string quoted_word(std::string_view word) {
  constexpr std::size_t kShown = 60;
  constexpr std::string_view kHex = "0123456789abcdef";
  std::size_t end = word.size();
  if (end > kShown) {
    end = kShown;
    // Do not cut a UTF-8 character in two: continuation bytes are 10xxxxxx.
    while (end > 0 && (static_cast<unsigned char>(word[end]) & 0xc0) == 0x80) --end;
  }
  std::string text = "\"";
  for (const char c : word.substr(0, end)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      text += "\\x";
      text += kHex[byte >> 4];
      text += kHex[byte & 15];
    } else {
      text += c;
    }
  }
  return text + (end < word.size() ? "...\"" : "\"");
}

std::string closest(std::string_view word, const std::vector<std::string>& candidates) {
  if (word.empty() || word.size() > kLongestWord) return "";
  const std::size_t limit = std::max<std::size_t>(2, word.size() / 3);
  std::size_t best = limit + 1;
  std::string found;
  for (const std::string& candidate : candidates) {
    if (candidate.empty() || candidate.size() > word.size() + limit) continue;
    const std::size_t d = distance(word, candidate);
    // A word of which nothing is left is not a near miss: "tp" is not "kv".
    if (d < best && d < std::max(word.size(), candidate.size())) {
      best = d;
      found = candidate;
    }
  }
  return found;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates) {
  const std::string meant = closest(word, candidates);
  return meant.empty() ? "" : "; did you mean \"" + meant + "\"?";
}

}  // namespace rooftrace
