#include "traces/expert_routing.hpp"

#include <algorithm>
#include <stdexcept>

#include "traces/random.hpp"

namespace rooftrace {

std::uint32_t ExpertRouting::touched() const {
  std::uint32_t sum = 0;
  for (std::uint32_t expert = 0; expert < experts; ++expert) sum += count(expert) > 0 ? 1 : 0;
  return sum;
}

std::shared_ptr<const ExpertRouting> route_tokens(std::uint64_t tokens, std::uint32_t experts, std::uint32_t per_token,
                                                  std::uint64_t seed) {
  if (per_token == 0 || per_token > experts) throw std::invalid_argument("a token takes from 1 to all of the experts");
  if (tokens > UINT32_MAX / per_token) throw std::invalid_argument("2^32 or more pairs of token and expert");
  auto routing = std::make_shared<ExpertRouting>();
  routing->experts = experts;
  routing->per_token = per_token;
  routing->tokens = tokens;
  // The first per_token places of a shuffle of all experts; the shuffle goes on from token to token.
  SplitMix random(seed);
  std::vector<std::uint32_t> order(experts);
  for (std::uint32_t expert = 0; expert < experts; ++expert) order[expert] = expert;
  std::vector<std::uint32_t> chosen(tokens * per_token);
  routing->begin.assign(experts + 1ULL, 0);
  for (std::uint64_t token = 0; token < tokens; ++token) {
    for (std::uint32_t choice = 0; choice < per_token; ++choice) {
      std::swap(order[choice], order[choice + random.below(experts - choice)]);
      chosen[token * per_token + choice] = order[choice];
      ++routing->begin[order[choice] + 1ULL];
    }
  }
  for (std::uint32_t expert = 0; expert < experts; ++expert) routing->begin[expert + 1ULL] += routing->begin[expert];
  std::vector<std::uint64_t> next(routing->begin.begin(), routing->begin.end() - 1);
  routing->slots.resize(chosen.size());
  for (std::uint32_t slot = 0; slot < chosen.size(); ++slot) routing->slots[next[chosen[slot]]++] = slot;
  return routing;
}

}  // namespace rooftrace
