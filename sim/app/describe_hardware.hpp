// `rooftrace describe hardware NAME`: a machine on one page, from the SMs outwards.
//
// Promises: every number comes from the MachineSpec or is derived from it here (peaks, ridge points, copy rates, routes); datasheet and
// sustained stand side by side; columns are aligned, lines stay below 120 characters for machines with up to 8 GPUs. Not printed: where the
// numbers come from; that stands beside each of them in the hardware file.
#pragma once

#include <string>

#include "sim/machine/machine_spec.hpp"

namespace rooftrace {

[[nodiscard]] std::string describe_hardware(const MachineSpec& machine);

}  // namespace rooftrace
