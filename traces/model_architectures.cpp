// What the architectures have beyond their sizes.
//
// Not modeled, therefore refused: a sliding window in some layers only (max_window_layers of Qwen), layers without experts behind layers
// with (decoder_sparse_step, mlp_only_layers of Qwen3-MoE, moe_layer_freq of DeepSeek), norms behind the blocks and narrow embeddings
// (OPT-350M).
#include "traces/model_architectures.hpp"

#include <fmt/format.h>

namespace rooftrace {
namespace {

void attention_bias(const ConfigJson& config, ModelSpec& model, const char* key, bool absent) {
  model.qkv_bias = model.output_bias = config.boolean(key, absent);
}

void layer_norms(ModelSpec& model) {
  model.layer_norm = true;
  model.gated = false;
}

void partial_rotary(const ConfigJson& config, ModelSpec& model, const char* key) {
  const double share = config.number(key, 0.001, 1, 1);
  const auto rotated = static_cast<std::uint32_t>(share * model.head_dim);
  if (rotated < 2 || rotated % 2 != 0) config.fail(key, fmt::format("leaves {} of {} features to rotate", rotated, model.head_dim));
  model.rotary_dim = rotated == model.head_dim ? 0 : rotated;
}

void experts(const ConfigJson& config, ModelSpec& model, const char* count, const char* per_token) {
  model.experts = config.integer(count, kMostExperts);
  model.experts_per_token = config.integer(per_token, kMostExpertsPerToken);
  if (model.experts_per_token > model.experts) {
    config.fail(per_token, fmt::format("{} is more than the {} experts", model.experts_per_token, model.experts));
  }
  if (std::uint64_t{model.experts} * model.intermediate > kMostExpertFeatures) {
    config.fail(count, fmt::format("{} experts of {} features are too many", model.experts, model.intermediate));
  }
}

void window_or_null(const ConfigJson& config, ModelSpec& model) {
  if (config.given("sliding_window")) model.window = config.integer("sliding_window", kMostPositions);
}

void llama(const ConfigJson& config, ModelSpec& model) {
  attention_bias(config, model, "attention_bias", false);
  model.ffn_bias = config.boolean("mlp_bias", false);
}

void internlm(const ConfigJson& config, ModelSpec& model) {
  attention_bias(config, model, "bias", true);
}

void mistral(const ConfigJson& config, ModelSpec& model) {
  // Must be there: files without a window say null, and the default of a missing key is a window that nobody sees.
  config.require("sliding_window");
  window_or_null(config, model);
}

void mixtral(const ConfigJson& config, ModelSpec& model) {
  window_or_null(config, model);
  experts(config, model, "num_local_experts", "num_experts_per_tok");
}

void qwen_window(const ConfigJson& config, ModelSpec& model) {
  if (!config.boolean("use_sliding_window", false)) return;
  // Full attention in the first max_window_layers layers.
  if (config.is("max_window_layers", 0)) {
    model.window = config.integer("sliding_window", kMostPositions);
  } else if (config.integer("max_window_layers", kMostLayers) < model.layers) {
    config.fail("max_window_layers", fmt::format("{} of {} layers without a window: a mixture is not modeled; use 0 or {}",
                                                 config.shown("max_window_layers"), model.layers, model.layers));
  }
}

void qwen2(const ConfigJson& config, ModelSpec& model) {
  qwen_window(config, model);
  model.qkv_bias = true;  // Always; its files do not say so.
}

void qwen3(const ConfigJson& config, ModelSpec& model) {
  qwen_window(config, model);
  attention_bias(config, model, "attention_bias", false);
  model.qk_norm = true;
}

void qwen3_moe(const ConfigJson& config, ModelSpec& model) {
  qwen3(config, model);
  experts(config, model, "num_experts", "num_experts_per_tok");
  if (config.given("decoder_sparse_step") && !config.is("decoder_sparse_step", 1)) {
    config.fail("decoder_sparse_step", "only 1 (experts in every layer) is modeled");
  }
  if (config.given("mlp_only_layers") && !config.is_empty_list("mlp_only_layers")) {
    config.fail("mlp_only_layers", "layers without experts are not modeled; only [] is");
  }
}

/// DeepSeek-V2, V3 and R1. The first layers may have an FFN of intermediate_size; model.intermediate is moe_intermediate_size.
void deepseek(const ConfigJson& config, ModelSpec& model) {
  model.kv_heads = 1;  // The latent serves all heads.
  model.kv_rank = config.integer("kv_lora_rank", kMostRank);
  if (config.given("q_lora_rank")) model.q_rank = config.integer("q_lora_rank", kMostRank);
  model.rope_dim = config.integer("qk_rope_head_dim", kMostHeadDim / 2);
  model.v_dim = config.integer("v_head_dim", kMostHeadDim);
  if (config.boolean("attention_bias", false)) config.fail("attention_bias", "true is not modeled here; only false is");
  experts(config, model, "n_routed_experts", "num_experts_per_tok");
  if (config.given("n_shared_experts")) model.shared_experts = config.integer("n_shared_experts", kMostExpertsPerToken);
  if (config.given("moe_layer_freq") && !config.is("moe_layer_freq", 1)) {
    config.fail("moe_layer_freq", "only 1 (experts in every layer behind the first ones) is modeled");
  }
  if (!config.given("first_k_dense_replace") || config.is("first_k_dense_replace", 0)) return;
  model.dense_layers = config.integer("first_k_dense_replace", kMostLayers);
  model.dense_intermediate = config.integer("intermediate_size", kMostWidth);
  if (model.dense_layers >= model.layers) {
    config.fail("first_k_dense_replace", fmt::format("{} of {} layers leave none with experts", model.dense_layers, model.layers));
  }
}

void phi3(const ConfigJson& config, ModelSpec& model) {
  window_or_null(config, model);
  partial_rotary(config, model, "partial_rotary_factor");
}

void gptj(const ConfigJson& config, ModelSpec& model) {
  layer_norms(model);
  model.parallel_block = model.shared_norm = true;
  model.ffn_bias = model.lm_head_bias = true;
  if (!config.given("rotary_dim")) return;
  const std::uint32_t rotated = config.integer("rotary_dim", model.head_dim);
  model.rotary_dim = rotated == model.head_dim ? 0 : rotated;
}

void gpt_neox(const ConfigJson& config, ModelSpec& model) {
  layer_norms(model);
  model.parallel_block = config.boolean("use_parallel_residual", true);
  attention_bias(config, model, "attention_bias", true);
  model.ffn_bias = true;
  partial_rotary(config, model, "rotary_pct");
}

void gpt2(const ConfigJson&, ModelSpec& model) {
  layer_norms(model);
  model.qkv_bias = model.output_bias = model.ffn_bias = true;
  model.learned_positions = model.max_positions;
}

void opt(const ConfigJson& config, ModelSpec& model) {
  layer_norms(model);
  if (!config.boolean("do_layer_norm_before", true)) config.fail("do_layer_norm_before", "false is not modeled; only true is");
  if (config.given("word_embed_proj_dim") && config.integer("word_embed_proj_dim", kMostWidth) != model.hidden) {
    config.fail("word_embed_proj_dim", fmt::format("differs from hidden_size {}, which is not modeled", model.hidden));
  }
  attention_bias(config, model, "enable_bias", true);
  model.ffn_bias = model.qkv_bias;
  model.learned_positions = model.max_positions + 2;  // Two rows stand before the first position.
}

void bloom(const ConfigJson& config, ModelSpec& model) {
  layer_norms(model);
  if (config.boolean("apply_residual_connection_post_layernorm", false)) {
    config.fail("apply_residual_connection_post_layernorm", "true is not modeled; only false is");
  }
  model.qkv_bias = model.output_bias = model.ffn_bias = true;
  model.embedding_norm = model.alibi = true;
}

void falcon(const ConfigJson& config, ModelSpec& model) {
  layer_norms(model);
  const bool newer = config.boolean("new_decoder_architecture", false);
  if (!newer) model.kv_heads = config.boolean("multi_query", true) ? 1 : model.q_heads;
  model.parallel_block = newer || config.boolean("parallel_attn", true);
  // The newer ones have a norm for attention and one for the FFN, unless the file says one.
  const bool two = newer && !(config.given("num_ln_in_parallel_attn") && config.is("num_ln_in_parallel_attn", 1));
  model.shared_norm = model.parallel_block && !two;
  attention_bias(config, model, "bias", false);
  model.ffn_bias = model.qkv_bias;
  model.alibi = config.boolean("alibi", false);
}

}  // namespace

const std::vector<Architecture>& architectures() {
  constexpr auto kLayers = "num_hidden_layers", kHidden = "hidden_size", kHeads = "num_attention_heads", kWords = "vocab_size",
                 kKv = "num_key_value_heads", kFfn = "intermediate_size", kPositions = "max_position_embeddings", kAct = "hidden_act";
  // clang-format off
  static const std::vector<Architecture> table = {
      // name                 layers    hidden    q heads  words    KV heads, may miss  intermediate, may miss    positions, absent      activation, absent             tied   rest
      {"LlamaForCausalLM",    kLayers,  kHidden,  kHeads,  kWords,  kKv, true,          kFfn, false,              kPositions, 0,         kAct, "silu",                  false, llama},
      {"MistralForCausalLM",  kLayers,  kHidden,  kHeads,  kWords,  kKv, false,         kFfn, false,              kPositions, 0,         kAct, "silu",                  false, mistral},
      {"MixtralForCausalLM",  kLayers,  kHidden,  kHeads,  kWords,  kKv, false,         kFfn, false,              kPositions, 0,         kAct, "silu",                  false, mixtral},
      {"Qwen2ForCausalLM",    kLayers,  kHidden,  kHeads,  kWords,  kKv, false,         kFfn, false,              kPositions, 0,         kAct, "silu",                  false, qwen2},
      {"Qwen3ForCausalLM",    kLayers,  kHidden,  kHeads,  kWords,  kKv, false,         kFfn, false,              kPositions, 0,         kAct, "silu",                  false, qwen3},
      {"Qwen3MoeForCausalLM", kLayers,  kHidden,  kHeads,  kWords,  kKv, false,         "moe_intermediate_size", false, kPositions, 0,   kAct, "silu",                  false, qwen3_moe},
      {"DeepseekV2ForCausalLM", kLayers, kHidden, kHeads,  kWords,  "",  false,         "moe_intermediate_size", false, kPositions, 0,   kAct, "silu",                  false, deepseek, true},
      {"DeepseekV3ForCausalLM", kLayers, kHidden, kHeads,  kWords,  "",  false,         "moe_intermediate_size", false, kPositions, 0,   kAct, "silu",                  false, deepseek, true},
      {"InternLMForCausalLM", kLayers,  kHidden,  kHeads,  kWords,  kKv, true,          kFfn, false,              kPositions, 0,         kAct, "silu",                  false, internlm},
      {"Phi3ForCausalLM",     kLayers,  kHidden,  kHeads,  kWords,  kKv, true,          kFfn, false,              kPositions, 0,         kAct, "silu",                  false, phi3},
      {"GPT2LMHeadModel",     "n_layer", "n_embd", "n_head", kWords, "", false,         "n_inner", true,          "n_positions|n_ctx", 0, "activation_function", "gelu", true,  gpt2},
      {"GPTJForCausalLM",     "n_layer", "n_embd", "n_head", kWords, "", false,         "n_inner", true,          "n_positions", 0,      "activation_function", "gelu", false, gptj},
      {"GPTNeoXForCausalLM",  kLayers,  kHidden,  kHeads,  kWords,  "", false,          kFfn, false,              kPositions, 0,         kAct, "gelu",                  false, gpt_neox},
      {"OPTForCausalLM",      kLayers,  kHidden,  kHeads,  kWords,  "", false,          "ffn_dim", false,         kPositions, 0,         "activation_function", "relu", true,  opt},
      {"BloomForCausalLM",    "n_layer|num_hidden_layers", "n_embed|hidden_size", "n_head|num_attention_heads", kWords,
                                                                    "", false,          "", true,                 "seq_length", 2048,    "", "gelu",                    true,  bloom},
      {"FalconForCausalLM",   "num_hidden_layers|n_layer", kHidden, "num_attention_heads|n_head", kWords,
                                                                    "num_kv_heads", true, "ffn_hidden_size", true, kPositions, 2048,    "activation", "gelu",          true,  falcon},
  };
  // clang-format on
  return table;
}

}  // namespace rooftrace
