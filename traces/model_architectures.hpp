// The architectures that we read, and what each of them calls its sizes in config.json: one visible table.
#pragma once

#include <string>
#include <vector>

#include "traces/config_json.hpp"
#include "traces/model_spec.hpp"

namespace rooftrace {

// Limits far above every published model, and small enough that parameters() cannot overflow: attention has at most 4 * hidden * heads *
// head_dim = 2^48 parameters per layer (latent attention less: its ranks are at most kMostRank) and all experts of the FFN together
// 3 * 2^46, so 2^14 layers stay below 2^63.
inline constexpr std::int64_t kMostLayers = 1 << 14;
inline constexpr std::int64_t kMostWidth = 1 << 22;
inline constexpr std::int64_t kMostHeads = 1 << 12;
inline constexpr std::int64_t kMostHeadDim = 1 << 12;
inline constexpr std::int64_t kMostVocabulary = 1 << 24;
inline constexpr std::int64_t kMostPositions = 1 << 30;
inline constexpr std::int64_t kMostExperts = 1 << 12;
inline constexpr std::int64_t kMostExpertsPerToken = 64;
inline constexpr std::int64_t kMostRank = 1 << 14;
inline constexpr std::uint64_t kMostExpertFeatures = 1ULL << 24;  ///< experts * intermediate.

struct Architecture {
  const char* name;
  // Keys, alternatives divided by "|".
  const char *layers, *hidden, *q_heads, *vocabulary;
  const char* kv_heads;      ///< "": as many as query heads.
  bool kv_heads_may_miss;    ///< Then, too.
  const char* intermediate;  ///< "": always 4 * hidden.
  bool intermediate_may_miss;
  const char* positions;
  std::uint32_t positions_absent;  ///< 0: the key must be there.
  const char* activation;          ///< "": always gelu.
  const char* activation_absent;
  bool tied;  ///< tie_word_embeddings where the file does not say.
  void (*rest)(const ConfigJson& config, ModelSpec& model);
  bool latent = false;  ///< head_dim is given as two parts, without and with position.
};

[[nodiscard]] const std::vector<Architecture>& architectures();

}  // namespace rooftrace
