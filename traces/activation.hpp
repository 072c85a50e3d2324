// The nonlinear functions of FFNs.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace rooftrace {

enum class Activation : std::uint8_t { silu, gelu, relu };

[[nodiscard]] std::string_view name(Activation activation);
/// As config.json files say it: "silu", "gelu", "gelu_new", "gelu_fast", "gelu_pytorch_tanh", "relu" ...
[[nodiscard]] std::optional<Activation> activation_from(std::string_view word);

}  // namespace rooftrace
