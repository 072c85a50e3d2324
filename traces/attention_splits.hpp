// Into how many parts serving engines split the tokens of decode attention: one visible table, by the kernel they call.
//
// `automatic` is this project's own rule (choose_decode_tiling). The others follow the public sources named in the .cpp, for sequences of
// one length. Only the split and the packing of query heads are an engine's (and FlashAttention-3's tile and occupancy); tile, pipeline and
// occupancy stay those of the simulated kernel. Not modeled: kernels that multiply on CUDA cores (those with a block per query head),
// splits that differ between sequences, reductions inside a cluster, FlashAttention-3's splits made on the GPU for sequences of different
// lengths (prepare_varlen), the user's own limits.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rooftrace {

enum class AttentionEngine : std::uint8_t {
  automatic,
  flash_attention_2,  ///< Smallest number of splits whose waves are 0.85 as full as the best; 2 blocks per SM; at most 128.
  flash_attention_3,  ///< The same with a block per SM, tiles of 128 tokens, and no split up to four of them.
  flashinfer,         ///< The shortest run of pages with which all runs of all sequences fit the GPU at once; at least 128 tokens.
  vllm_paged,         ///< Runs of 512 tokens; none up to 8,192 tokens where sequences * heads exceed 512. A block per query head.
  trtllm_xqa,         ///< Runs of 128 tokens, fewer for long sequences (a square root) and beyond 8 waves.
  sglang_triton,      ///< At most 8, more the longer the sequence; blocks of up to 16 query heads.
  fastertransformer,  ///< Never. A block per query head.
};
inline constexpr int kAttentionEngines = 8;
[[nodiscard]] std::string_view name(AttentionEngine engine);
[[nodiscard]] std::vector<std::string> attention_engine_words();  ///< In the order of the enum.

/// What a rule may look at.
struct SplitQuestion {
  std::uint32_t sms = 1;
  std::uint64_t slots = 1;  ///< Blocks that the GPU holds at once.
  std::uint64_t batch = 1, q_heads = 1, kv_heads = 1;
  std::uint64_t tokens = 1;  ///< That a sequence attends to.
  std::uint64_t page_tokens = 1;
  std::uint32_t head_dim = 128;
};

/// Tokens of a split; at least `tokens` where there is one. Not for `automatic`.
[[nodiscard]] std::uint64_t tokens_per_split(AttentionEngine engine, const SplitQuestion& question);

/// Query heads that a block serves, a divisor of `group`, the query heads of one KV head.
[[nodiscard]] std::uint32_t heads_per_block(AttentionEngine engine, std::uint32_t group);

}  // namespace rooftrace
