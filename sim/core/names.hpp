// Words to enums: the inverse of the name() functions, for configs, command lines and result files.
//
// Promises: X_from(name(x)) == x for every value of every enum here; the names() lists are in the order of the enum, so that an index into
// them (ConfigNode::one_of) is the enum's value. Matching is exact; suggestions for near misses are error.hpp's did_you_mean on the list.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/core/access.hpp"
#include "sim/core/kernel.hpp"
#include "sim/core/run_record.hpp"

namespace rooftrace {

[[nodiscard]] std::optional<DataType> data_type_from(std::string_view word);
[[nodiscard]] std::optional<KernelClass> kernel_class_from(std::string_view word);
[[nodiscard]] std::optional<Fidelity> fidelity_from(std::string_view word);
[[nodiscard]] std::optional<Stage> stage_from(std::string_view word);
[[nodiscard]] std::optional<TensorRole> tensor_role_from(std::string_view word);

[[nodiscard]] std::vector<std::string> data_type_names();
[[nodiscard]] std::vector<std::string> kernel_class_names();
[[nodiscard]] std::vector<std::string> fidelity_names();
[[nodiscard]] std::vector<std::string> stage_names();
[[nodiscard]] std::vector<std::string> tensor_role_names();

}  // namespace rooftrace
