// Enumerations in a file: a number, and in the same file the words that the numbers mean.
//
// So a file stays readable when an enum of ours grows or is put in another order. A word that this program does not know is an error only
// where a record uses it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rooftrace::trace_file {

enum class Words : std::uint8_t { stage, kernel_class, unit, data_type, op, hint, role, home };
inline constexpr std::size_t kWordLists = 8;

/// Of the note that holds the list: "words.kernel_class".
[[nodiscard]] std::string note_key(Words list);
/// In the order of the enum.
[[nodiscard]] std::vector<std::string> words_of(Words list);
/// The same, with blanks between: the note's value.
[[nodiscard]] std::string note_value(Words list);

/// The lists of one file.
class WordTable {
 public:
  /// `value` is a note's. Lists of more than 256 words are cut.
  void learn(Words list, std::string_view value);
  [[nodiscard]] bool knows(Words list) const { return !words_[static_cast<std::size_t>(list)].empty(); }
  /// Our enum's value for the number in the file; nothing when the number has no word, or the word no value here.
  [[nodiscard]] std::optional<std::uint8_t> value(Words list, std::uint8_t number) const {
    const std::uint8_t meant = values_[static_cast<std::size_t>(list)][number];
    if (meant == kUnknown) return std::nullopt;
    return meant;
  }
  /// For messages: "the kernel_class 17 (moe_route), which ...".
  [[nodiscard]] std::string describe(Words list, std::uint8_t number) const;

 private:
  static constexpr std::uint8_t kUnknown = 255;
  static constexpr std::array<std::uint8_t, 256> nothing() {
    std::array<std::uint8_t, 256> all{};
    all.fill(kUnknown);
    return all;
  }
  std::array<std::array<std::uint8_t, 256>, kWordLists> values_ = {nothing(), nothing(), nothing(), nothing(),
                                                                   nothing(), nothing(), nothing(), nothing()};
  std::array<std::vector<std::string>, kWordLists> words_;
};

}  // namespace rooftrace::trace_file
