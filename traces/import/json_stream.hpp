// Characters of a JSON text for nlohmann's streaming parser, with line and column, and bounds on what one token may hold.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <vector>

#include "sim/core/error.hpp"
#include "traces/import/byte_source.hpp"

namespace rooftrace {

class JsonStream {
 public:
  static constexpr std::size_t kLongestString = 1 << 20;

  explicit JsonStream(ByteSource& source) : source_(source), piece_(64 * 1024) { advance(); }

  [[nodiscard]] bool over() const { return at_ == end_; }
  [[nodiscard]] char current() const { return piece_[at_]; }
  void next() {
    const char c = piece_[at_];
    ++column_;
    if (c == '\n') {
      ++line_;
      column_ = 1;
    }
    track(c);
    ++at_;
    if (at_ == end_) advance();
  }
  [[nodiscard]] SourceLocation place() const { return {source_.name(), line_, column_}; }

 private:
  void advance() {
    at_ = 0;
    end_ = source_.read(piece_.data(), piece_.size());
  }
  /// A token (string or number) without end would be kept whole by the parser.
  void track(char c) {
    if (in_string_) {
      in_string_ = escaped_ || c != '"';
      escaped_ = !escaped_ && c == '\\';
      if (++length_ > kLongestString) throw UserError(place(), "a string longer than 1 MiB");
      return;
    }
    in_string_ = c == '"';
    const bool in_number = (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '+' || c == 'e' || c == 'E';
    length_ = in_number ? length_ + 1 : 0;
    if (length_ > 1000) throw UserError(place(), "a number of more than 1000 digits");
  }

  ByteSource& source_;
  std::vector<char> piece_;
  std::size_t at_ = 0, end_ = 0, length_ = 0;
  std::uint32_t line_ = 1, column_ = 1;
  bool in_string_ = false, escaped_ = false;
};

/// An input iterator over it, as the parser wants one; the default one is the end.
class JsonIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = char;

  JsonIterator() = default;
  explicit JsonIterator(JsonStream& stream) : stream_(&stream) {}
  char operator*() const { return stream_->current(); }
  JsonIterator& operator++() {
    stream_->next();
    return *this;
  }
  JsonIterator operator++(int) {
    JsonIterator old = *this;
    ++*this;
    return old;
  }
  bool operator==(const JsonIterator& other) const { return over() == other.over(); }

 private:
  [[nodiscard]] bool over() const { return stream_ == nullptr || stream_->over(); }
  JsonStream* stream_ = nullptr;
};

}  // namespace rooftrace
