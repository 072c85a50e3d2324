// A small text file as one string.
//
// Promises: a missing file, a folder, a file without permission and one that is too large are UserErrors that say which it is; a missing
// file names the closest one in its folder. Not for: data files, which are read in pieces.
#pragma once

#include <cstddef>
#include <string>

#include "sim/core/error.hpp"

namespace rooftrace {

inline constexpr std::size_t kTextFileLimit = 1 << 20;  ///< 1 MiB: configs and model files are a thousand times smaller.

[[nodiscard]] std::string read_text_file(const std::string& path, std::size_t limit = kTextFileLimit);

/// "; did you mean "h100-sxm.yaml"?" for a path whose folder holds a file of a similar name, else "".
[[nodiscard]] std::string similar_file(const std::string& path);

}  // namespace rooftrace
