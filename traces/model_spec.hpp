// A decoder-only transformer, dense or with experts in all layers but perhaps the first ones, read from a Hugging Face config.json as
// published.
//
// The known architectures and their keys are one table (model_architectures.cpp). Keys that we do not know are tolerated here and only here
// (the file is somebody else's); keys that we need and miss are named. Latent attention (MLA, DeepSeek): K and V of all heads of a token
// are one vector of kv_rank features, from which W_UK and W_UV make them, and rope_dim features of K that carry the position and are shared
// by all heads. Not modeled: RoPE scaling (it moves no bytes), dropout, the tokenizer, several kinds of attention in one model, heads that
// predict further tokens (MTP), the groups of experts of DeepSeek's router: a token's groups are as even as its experts, so how many
// experts a batch touches does not change.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "traces/activation.hpp"

namespace rooftrace {

struct ModelSpec {
  std::string name;          ///< "llama-3.1-8b" (folder name), or the path given.
  std::string architecture;  ///< "LlamaForCausalLM"
  std::uint32_t layers = 0;
  std::uint32_t hidden = 0;
  std::uint32_t intermediate = 0;  ///< Features of the FFN, of one expert where there are experts.
  std::uint32_t q_heads = 0;
  std::uint32_t kv_heads = 0;
  std::uint32_t head_dim = 0;
  std::uint32_t vocabulary = 0;
  std::uint32_t max_positions = 0;
  std::uint32_t window = 0;             ///< Sliding window of attention in tokens; 0: none.
  std::uint32_t rotary_dim = 0;         ///< Features of a head that RoPE rotates; 0: all.
  std::uint32_t learned_positions = 0;  ///< Rows of a table of position embeddings, in place of RoPE; 0: none.
  std::uint32_t experts = 0;            ///< FFNs of a layer that a router chooses from; 0: one FFN and no router.
  std::uint32_t experts_per_token = 0;
  std::uint32_t shared_experts = 0;      ///< Experts that every token takes beside its own.
  std::uint32_t dense_layers = 0;        ///< The first so many layers have one FFN in place of experts.
  std::uint32_t dense_intermediate = 0;  ///< Features of that FFN.
  std::uint32_t kv_rank = 0;             ///< Latent attention: features of the latent vector; 0: none.
  std::uint32_t q_rank = 0;              ///< Latent attention: features between the two matrices that make Q; 0: one matrix makes it.
  std::uint32_t rope_dim = 0;            ///< Latent attention: features of head_dim that carry the position.
  std::uint32_t v_dim = 0;               ///< Latent attention: features of a head of V.
  Activation activation = Activation::silu;
  bool tied_embeddings = false;
  bool gated = true;            ///< FFN: activation(gate) * up, then down; else activation(up), then down.
  bool layer_norm = false;      ///< Norms have a gain and a bias; else RMSNorm with a gain.
  bool parallel_block = false;  ///< Attention and FFN read the same residual, and both are added to it.
  bool shared_norm = false;     ///< In a parallel block: one norm for both.
  bool alibi = false;           ///< Biases by distance in place of RoPE; they move no bytes.
  bool qk_norm = false;         ///< RMSNorm of every head of Q and K.
  bool embedding_norm = false;  ///< A norm behind the embedding.
  bool qkv_bias = false, output_bias = false, ffn_bias = false, lm_head_bias = false;

  [[nodiscard]] bool rope() const { return learned_positions == 0 && !alibi; }
  [[nodiscard]] bool latent() const { return kv_rank > 0; }
  [[nodiscard]] bool has_experts(std::uint32_t layer) const { return experts > 0 && layer >= dense_layers; }
  /// Of a token and layer in the cache, all GPUs of a group together where heads are divided: K and V of all heads, or the latent.
  [[nodiscard]] std::uint64_t kv_elements() const { return latent() ? std::uint64_t{kv_rank} + rope_dim : 2ULL * kv_heads * head_dim; }
  [[nodiscard]] std::uint64_t embedding_parameters() const;  ///< One vocabulary x hidden matrix.
  [[nodiscard]] std::uint64_t norm_parameters() const { return (layer_norm ? 2ULL : 1ULL) * hidden; }
  [[nodiscard]] std::uint64_t expert_parameters() const;     ///< Matrices of one FFN.
  [[nodiscard]] std::uint64_t attention_parameters() const;  ///< Matrices of attention and the norms inside it.
  [[nodiscard]] std::uint64_t layer_parameters() const;      ///< Of a layer behind the dense ones.
  [[nodiscard]] std::uint64_t dense_layer_parameters() const;
  [[nodiscard]] std::uint64_t parameters() const;         ///< All of them, as published.
  [[nodiscard]] std::uint64_t active_parameters() const;  ///< Without the experts that one token does not meet.
};

/// `text` is the content of config.json, `file` the path that errors print. UserError with file:line:column for broken JSON, an unknown
/// architecture (with the list of known ones), missing or impossible values.
[[nodiscard]] ModelSpec parse_model(const std::string& text, const std::string& file, const std::string& name);
[[nodiscard]] ModelSpec load_model(const std::string& path, const std::string& name);
[[nodiscard]] std::vector<std::string> known_architectures();

}  // namespace rooftrace
