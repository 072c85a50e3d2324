// Who may include whom, as a function of a source tree that is handed over as text.
//
// Promise: check_tree() reads nothing but its argument, so that tests can show it a small tree with mistakes in it. It looks at #include
// lines as they are written; it does not run the preprocessor, so an include inside #if counts as well.
#pragma once

#include <string>
#include <vector>

namespace rooftrace {

struct SourceFile {
  std::string path;  ///< From the repository root: "sim/core/units.hpp".
  std::string text;
};

/// One line for each broken rule, "path:line: what", sorted by path; empty when all is well.
[[nodiscard]] std::vector<std::string> check_tree(const std::vector<SourceFile>& files);

/// All .hpp and .cpp files below the named folders of `root`, sorted by path.
[[nodiscard]] std::vector<SourceFile> read_tree(const std::string& root, const std::vector<std::string>& folders);

}  // namespace rooftrace
