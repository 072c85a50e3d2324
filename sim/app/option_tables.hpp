// What the command line offers: every option and every verb, in two tables.
#pragma once

#include <string>
#include <vector>

#include "sim/app/options.hpp"

namespace rooftrace {

struct OptionShape {
  std::string name;
  std::string spelled;               ///< As Boost wants it: "output,o".
  std::string value;                 ///< What stands for the value in the help; "" for a switch.
  std::vector<std::string> allowed;  ///< Words; empty: any text.
  std::string text;                  ///< Help, with unit and default.
};

/// Every option of every verb, in the order of the help. Verbs are in options.hpp: verb_shapes().
[[nodiscard]] const std::vector<OptionShape>& option_shapes();

}  // namespace rooftrace
