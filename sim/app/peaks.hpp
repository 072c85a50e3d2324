// The roofline's pi and beta of a machine.
//
// Promise: pi is the datasheet's dense peak and beta its peak bandwidth, in base units, links one way; and neither is ever below the rate
// at which the simulator itself runs (a board may hold a higher clock than the datasheet quotes its peaks at), so that bounds stay bounds.
#pragma once

#include "analysis/roofline.hpp"
#include "sim/machine/machine_spec.hpp"

namespace rooftrace {

[[nodiscard]] Peaks peaks_of(const MachineSpec& machine);

}  // namespace rooftrace
