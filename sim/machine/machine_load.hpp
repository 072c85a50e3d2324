// From a hardware file to a MachineSpec: configs/hardware/NAME.yaml, key by key as configs/README.md describes it.
//
// Promises: every number is read with its unit and checked against a physical range; link rates come out ONE WAY whatever the file counts;
// a machine that is returned has a possible geometry. Any mistake is a UserError at the line and column of the value. Keys that nobody
// reads are left to ConfigDocument::check_all_read. Not checked: whether the numbers are those of the GPU that the title names.
#pragma once

#include <string>

#include "sim/core/config.hpp"
#include "sim/machine/machine_spec.hpp"

namespace rooftrace {

/// Reads every key of the document's root; check_geometry is called before it returns.
[[nodiscard]] MachineSpec load_machine(const ConfigNode& root, const std::string& name);

/// Refuses numbers that are fine one by one but cannot be one machine: a cache that is not a whole number of sets, partitions that do not
/// divide the slices, sustained above peak ... The message says which neighbouring values would do.
void check_geometry(const ConfigNode& root, const MachineSpec& machine);

}  // namespace rooftrace
