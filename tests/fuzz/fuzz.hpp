// What every fuzzer here says: a UserError on one line is a good answer to bad input; anything else that is thrown is a finding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "sim/core/error.hpp"

namespace rooftrace::fuzz {

inline std::string text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// Runs `parse`; the message of a UserError must be one line.
template <typename Parse>
void expect_user_errors_only(Parse parse) {
  try {
    parse();
  } catch (const UserError& error) {
    if (std::string_view(error.what()).find('\n') != std::string_view::npos) __builtin_trap();
  }
}

}  // namespace rooftrace::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
