// Which kernels of a trace a user means by --kernel: a number, a class, or a part of a label.
//
// Promise: a filter that fits no kernel is a UserError that names the classes there are.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/core/kernel.hpp"

namespace rooftrace {

/// In ascending order.
[[nodiscard]] std::vector<std::uint32_t> chosen_kernels(const Trace& trace, const std::string& wanted);

/// The trace with these kernels only. Waits for kernels that are gone are gone; layers are still as far apart as before.
[[nodiscard]] Trace keep_kernels(const Trace& trace, const std::vector<std::uint32_t>& kept);

}  // namespace rooftrace
