// Small pieces of YAML text, for writing resolved scenarios.
#pragma once

#include <string>

namespace rooftrace {

/// A scalar that YAML reads back as the same text: plain when that is safe, else in double quotes.
[[nodiscard]] std::string yaml_scalar(const std::string& text);
/// Every line moved right by `columns` spaces; empty lines stay empty.
[[nodiscard]] std::string indented(const std::string& text, int columns);

}  // namespace rooftrace
