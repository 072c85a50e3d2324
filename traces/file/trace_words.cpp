// The lists, and reading them back.
#include "traces/file/trace_words.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "sim/core/error.hpp"
#include "sim/core/names.hpp"

namespace rooftrace::trace_file {
namespace {

constexpr std::array<std::string_view, kWordLists> kListNames = {"stage", "kernel_class", "unit", "data_type",
                                                                 "op",    "hint",         "role", "home"};

}  // namespace

std::string note_key(Words list) {
  return "words." + std::string(kListNames[static_cast<std::size_t>(list)]);
}

std::vector<std::string> words_of(Words list) {
  switch (list) {
    case Words::stage:
      return stage_names();
    case Words::kernel_class:
      return kernel_class_names();
    case Words::unit:
      return {"sm", "copy_engine"};
    case Words::data_type:
      return data_type_names();
    case Words::op:
      return {"load", "store", "reduce"};
    case Words::hint:
      return {"normal", "evict_first", "evict_last", "no_allocate"};
    case Words::role:
      return tensor_role_names();
    case Words::home:
      break;
  }
  return {std::string(name(Home::local)), std::string(name(Home::peer)), std::string(name(Home::host))};
}

std::string note_value(Words list) {
  return fmt::format("{}", fmt::join(words_of(list), " "));
}

void WordTable::learn(Words list, std::string_view value) {
  const std::vector<std::string> ours = words_of(list);
  auto& words = words_[static_cast<std::size_t>(list)];
  auto& values = values_[static_cast<std::size_t>(list)];
  words.clear();
  values.fill(kUnknown);
  while (!value.empty() && words.size() < values.size()) {
    const std::size_t end = std::min(value.find(' '), value.size());
    const std::string word(value.substr(0, end));
    const auto found = std::find(ours.begin(), ours.end(), word);
    if (found != ours.end()) values[words.size()] = static_cast<std::uint8_t>(found - ours.begin());
    words.push_back(word);
    value.remove_prefix(std::min(end + 1, value.size()));
  }
}

std::string WordTable::describe(Words list, std::uint8_t number) const {
  const auto& words = words_[static_cast<std::size_t>(list)];
  const std::string_view what = kListNames[static_cast<std::size_t>(list)];
  if (number >= words.size()) return fmt::format("{} {}, but the file names only {}", what, number, words.size());
  return fmt::format("{} {} ({}), which this rooftrace does not know", what, number, quoted_word(words[number]));
}

}  // namespace rooftrace::trace_file
