// "hardware NAME" and "model NAME" as arguments of a verb, with the --set and --configs that go with them.
#pragma once

#include <string>
#include <vector>

#include "sim/app/options.hpp"
#include "sim/machine/machine_spec.hpp"
#include "traces/model_spec.hpp"

namespace rooftrace {

/// The kind (first argument), one of `kinds`; UserError also when the name (second argument) is missing or a --set is not for it.
std::string check_kind(const Options& options, const std::vector<std::string>& kinds);

[[nodiscard]] MachineSpec hardware_argument(const Options& options);
[[nodiscard]] ModelSpec model_argument(const Options& options);

}  // namespace rooftrace
