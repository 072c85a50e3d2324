// Which tokens of a step go to which experts.
//
// Every token takes `per_token` different experts, drawn uniformly by the seed: what a router that was trained for balance comes to over
// many prompts. The number of experts that a step touches follows from the draw, about experts * (1 - (1 - per_token / experts)^tokens).
// The same draw for every layer, so that layers repeat. Not modeled: preferences of a router for some experts, dropped tokens.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace rooftrace {

/// A slot is one (token, choice) pair, number token * per_token + choice.
struct ExpertRouting {
  std::uint32_t experts = 0, per_token = 0;
  std::uint64_t tokens = 0;
  std::vector<std::uint32_t> slots;  ///< Sorted by expert, then by slot.
  std::vector<std::uint64_t> begin;  ///< experts + 1 places in `slots`.

  [[nodiscard]] std::uint64_t count(std::uint32_t expert) const { return begin[expert + 1] - begin[expert]; }
  [[nodiscard]] std::uint32_t touched() const;  ///< Experts with at least one token.
};

/// std::invalid_argument for more experts per token than experts, and for 2^32 slots or more.
[[nodiscard]] std::shared_ptr<const ExpertRouting> route_tokens(std::uint64_t tokens, std::uint32_t experts, std::uint32_t per_token,
                                                                std::uint64_t seed);

}  // namespace rooftrace
