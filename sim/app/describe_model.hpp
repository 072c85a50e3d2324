// A model as a table for people: its shape, its parameters, what its weights and its KV cache weigh.
#pragma once

#include <string>

#include "traces/model_spec.hpp"

namespace rooftrace {

[[nodiscard]] std::string describe_model(const ModelSpec& model);

}  // namespace rooftrace
