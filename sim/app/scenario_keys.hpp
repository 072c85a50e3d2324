// The keys of a scenario that shape the work: from the document, and back to YAML. Both directions stand in one file, so that a new key
// cannot be read without being recorded.
#pragma once

#include <string>
#include <vector>

#include "sim/core/config.hpp"
#include "traces/workload.hpp"

namespace rooftrace {

inline constexpr std::uint32_t kMaxBatch = 1U << 16;
inline constexpr std::uint32_t kMaxTokens =
    1U << 24;  ///< Of context and prompt. Together with kMaxBatch this keeps byte counts in 64 bits.
inline constexpr std::uint32_t kMaxTp = 1024;
inline constexpr std::uint32_t kUnsaid = 0;

/// tp, weights, kv, activations, page_tokens, kv_splits, attention_engine, offload, all_reduce, all_reduce_protocol, one_shot_below,
/// two_shot_below, seed, tiling.
[[nodiscard]] WorkloadOptions read_workload(const ConfigNode& root);
/// stages, batch, context, prompt; every stage is a copy of `common` with its own shape; context and prompt are kUnsaid where nothing is
/// said.
[[nodiscard]] std::vector<WorkloadOptions> read_stages(const ConfigNode& root, const WorkloadOptions& common);

/// Context and prompt that neither file nor options said: 4,096 and 2,048 tokens, or what the model holds.
void fill_unsaid(const ModelSpec& model, std::vector<WorkloadOptions>& stages);

/// What both readers read, of at least one stage.
[[nodiscard]] std::string workload_yaml(const std::vector<WorkloadOptions>& stages);

}  // namespace rooftrace
