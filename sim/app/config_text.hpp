// Config values back to YAML text, for carrying a mapping from one document into another and for writing resolved scenarios.
#pragma once

#include <string>
#include <vector>

#include "sim/core/config.hpp"

namespace rooftrace {

/// One value of a mapping that is no mapping itself.
struct ConfigLeaf {
  std::string path;  ///< "l2.capacity", relative to the mapping.
  std::string yaml;  ///< The value as flow YAML.
  SourceLocation where;
};

/// All leaves below `map`, in file order, without its own keys `except`. Marks them all as read: whoever takes them answers for them.
[[nodiscard]] std::vector<ConfigLeaf> config_leaves(const ConfigNode& map, const std::vector<std::string>& except = {});

/// A scalar that YAML reads back as the same text: plain when that is safe, else in double quotes.
[[nodiscard]] std::string yaml_scalar(const std::string& text);
/// Every line moved right by `columns` spaces; empty lines stay empty.
[[nodiscard]] std::string indented(const std::string& text, int columns);

}  // namespace rooftrace
