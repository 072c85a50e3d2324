// A name for a text, to see at once whether two files were made from the same one. Not for security.
#pragma once

#include <string>

namespace rooftrace {

/// 40 hexadecimal digits.
[[nodiscard]] std::string sha1(const std::string& text);

}  // namespace rooftrace
