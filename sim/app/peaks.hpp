// The roofline's pi and beta of a machine.
//
// Promise: pi is the datasheet's dense peak and beta its peak bandwidth, in base units, links one way. A machine file whose sustained rates
// exceed its peaks is refused on loading, so bounds made from these are below simulated time.
#pragma once

#include "analysis/roofline.hpp"
#include "sim/machine/machine_spec.hpp"

namespace rooftrace {

[[nodiscard]] Peaks peaks_of(const MachineSpec& machine);

}  // namespace rooftrace
