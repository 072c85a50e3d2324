#include "traces/activation.hpp"

#include <array>

namespace rooftrace {
namespace {

struct Word {
  std::string_view word;
  Activation activation;
};
/// The approximations of GELU differ in their last digits, not in what they cost.
constexpr std::array kWords = {
    Word{"silu", Activation::silu},     Word{"swish", Activation::silu},     Word{"gelu", Activation::gelu},
    Word{"gelu_new", Activation::gelu}, Word{"gelu_fast", Activation::gelu}, Word{"gelu_pytorch_tanh", Activation::gelu},
    Word{"relu", Activation::relu},
};
constexpr std::array<std::string_view, 3> kNames = {"silu", "gelu", "relu"};

}  // namespace

std::string_view name(Activation activation) {
  return kNames.at(static_cast<std::size_t>(activation));
}

std::optional<Activation> activation_from(std::string_view word) {
  for (const Word& known : kWords) {
    if (known.word == word) return known.activation;
  }
  return std::nullopt;
}

}  // namespace rooftrace
