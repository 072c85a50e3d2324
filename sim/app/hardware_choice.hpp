// From what a user calls a machine to the machine: a name, a path, or a mapping with changes, and `--set hardware.*` on top.
//
// Promise: every key of the chosen file can be changed and none can be misspelled (keys that nobody reads are UserErrors); `yaml` is the
// complete machine, changes included, in a form that choosing reads back.
#pragma once

#include <string>
#include <vector>

#include "sim/app/config_paths.hpp"
#include "sim/core/config.hpp"
#include "sim/machine/machine_spec.hpp"

namespace rooftrace {

struct HardwareChoice {
  MachineSpec machine;
  std::string yaml;  ///< A block mapping that starts at column 1.
};

/// `sets` are the assignments behind "hardware." ("l2.capacity=96 MiB"); `base` the folder that relative paths count from.
[[nodiscard]] HardwareChoice choose_hardware(const std::string& word, const std::vector<std::string>& sets, const ConfigPaths& paths,
                                             const std::string& base = "", const SourceLocation& where = {});
/// A scenario's `hardware:` value: a word as above, or a mapping {extends: WORD, changes ...}, or a complete machine as a mapping.
[[nodiscard]] HardwareChoice choose_hardware(const ConfigNode& node, const std::vector<std::string>& sets, const ConfigPaths& paths,
                                             const std::string& base);

}  // namespace rooftrace
