#include "traces/import/line_reader.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cstring>

namespace rooftrace {
namespace {

constexpr std::size_t kPiece = 64 * 1024;

bool blank(char c) {
  return c == ' ' || c == '\t';
}

}  // namespace

bool LineReader::fill() {
  if (piece_.empty()) piece_.resize(kPiece);
  begin_ = 0;
  end_ = source_.read(piece_.data(), piece_.size());
  return end_ > 0;
}

bool LineReader::next(std::string_view& line) {
  if (!again_) {
    line_.clear();
    bool any = false;
    for (bool ended = false; !ended;) {
      if (begin_ == end_ && !fill()) break;
      if (!any) ++number_;
      any = true;
      const char* const from = piece_.data() + begin_;
      const auto* const stop = static_cast<const char*>(std::memchr(from, '\n', end_ - begin_));
      const std::size_t length = stop != nullptr ? static_cast<std::size_t>(stop - from) : end_ - begin_;
      line_.append(from, length);
      begin_ += length + (stop != nullptr ? 1 : 0);
      ended = stop != nullptr;
      if (line_.size() > kLongestLine) refuse(kLongestLine + 1, fmt::format("the line is longer than {} KiB", kLongestLine >> 10));
    }
    if (!any) return false;
    if (!line_.empty() && line_.back() == '\r') line_.pop_back();
  }
  again_ = false;
  line = line_;
  return true;
}

bool LineReader::next_filled(std::string_view& line) {
  for (std::uint32_t empty = 0; next(line); ++empty) {
    if (line.find_first_not_of(" \t") != std::string_view::npos) return true;
    if (empty == kMostBlankLines) refuse(1, fmt::format("more than {} blank lines in a row", kMostBlankLines));
  }
  return false;
}

SourceLocation LineReader::at(std::size_t column) const {
  return {source_.name(), number_, static_cast<std::uint32_t>(column)};
}

bool Words::more() {
  while (at_ < line_.size() && blank(line_[at_])) ++at_;
  return at_ < line_.size();
}

std::string_view Words::peek() {
  if (!more()) return {};
  std::size_t end = at_;
  while (end < line_.size() && !blank(line_[end])) ++end;
  return line_.substr(at_, end - at_);
}

std::string_view Words::word(const char* what) {
  const std::string_view found = peek();
  word_ = at_;
  if (found.empty()) refuse(fmt::format("the line ends where {} should be", what));
  at_ += found.size();
  return found;
}

std::uint64_t Words::decimal(const char* what, std::uint64_t most) {
  const std::string_view text = word(what);
  std::uint64_t value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || stop != text.data() + text.size() || value > most) {
    const std::string range = most == UINT64_MAX ? "" : fmt::format(" from 0 to {}", most);
    refuse(fmt::format("{} is {}, not a whole number{}", what, quoted_word(text), range));
  }
  return value;
}

std::int64_t Words::signed_decimal(const char* what) {
  const std::string_view text = word(what);
  std::int64_t value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || stop != text.data() + text.size()) {
    refuse(fmt::format("{} is {}, not a whole number", what, quoted_word(text)));
  }
  return value;
}

std::uint64_t Words::hex(const char* what, std::uint64_t most) {
  const std::string_view text = word(what);
  const std::string_view digits = text.starts_with("0x") || text.starts_with("0X") ? text.substr(2) : text;
  std::uint64_t value = 0;
  const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  if (error != std::errc{} || stop != digits.data() + digits.size() || value > most) {
    const std::string range = most == UINT64_MAX ? "of at most 64 bits" : fmt::format("up to 0x{:x}", most);
    refuse(fmt::format("{} is {}, not a hexadecimal number {}", what, quoted_word(text), range));
  }
  return value;
}

bool Words::skip(std::string_view text) {
  more();
  word_ = at_;
  if (!line_.substr(at_).starts_with(text)) return false;
  at_ += text.size();
  return true;
}

}  // namespace rooftrace
