// Many short texts without an allocation for each: the values of a sweep's axis, of which a sample has one for every point.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rooftrace {

class SweepLabels {
 public:
  SweepLabels() = default;
  explicit SweepLabels(const std::vector<std::string>& texts) {
    for (const std::string& text : texts) push_back(text);
  }
  void reserve(std::size_t count) { ends_.reserve(count); }
  void push_back(std::string_view text) {
    text_ += text;
    ends_.push_back(text_.size());
  }
  [[nodiscard]] std::size_t size() const { return ends_.size(); }
  [[nodiscard]] bool empty() const { return ends_.empty(); }
  /// Good until the next push_back.
  [[nodiscard]] std::string_view operator[](std::size_t i) const {
    const std::size_t begin = i == 0 ? 0 : ends_[i - 1];
    return std::string_view(text_).substr(begin, ends_[i] - begin);
  }
  [[nodiscard]] std::vector<std::string> all() const {
    std::vector<std::string> texts;
    texts.reserve(size());
    for (std::size_t i = 0; i < size(); ++i) texts.emplace_back((*this)[i]);
    return texts;
  }

 private:
  std::string text_;
  std::vector<std::uint64_t> ends_;
};

}  // namespace rooftrace
