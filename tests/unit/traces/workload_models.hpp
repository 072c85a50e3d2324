// Models for the tests of this folder. The published ones are typed from their Hugging Face config.json.
#pragma once

#include <vector>

#include "traces/model_spec.hpp"

namespace rooftrace::models {

inline ModelSpec make(const char* name, std::uint32_t layers, std::uint32_t hidden, std::uint32_t intermediate, std::uint32_t q_heads,
                      std::uint32_t kv_heads, std::uint32_t head_dim, std::uint32_t vocabulary, std::uint32_t positions) {
  ModelSpec m;
  m.name = name;
  m.architecture = "LlamaForCausalLM";
  m.layers = layers;
  m.hidden = hidden;
  m.intermediate = intermediate;
  m.q_heads = q_heads;
  m.kv_heads = kv_heads;
  m.head_dim = head_dim;
  m.vocabulary = vocabulary;
  m.max_positions = positions;
  return m;
}

inline ModelSpec llama_3_1_8b() {
  return make("llama-3.1-8b", 32, 4096, 14336, 32, 8, 128, 128256, 131072);
}

inline ModelSpec mistral_7b() {
  ModelSpec m = make("mistral-7b", 32, 4096, 14336, 32, 8, 128, 32000, 32768);
  m.window = 4096;
  return m;
}

/// What one architecture has that others have not, on top of any sizes.
struct Trait {
  const char* name;
  void (*apply)(ModelSpec&);
};
inline const std::vector<Trait>& traits() {
  static const auto layer_norm = [](ModelSpec& m) {
    m.layer_norm = true;
    m.gated = false;
    m.activation = Activation::gelu;
  };
  static const auto biases = [](ModelSpec& m) { m.qkv_bias = m.output_bias = m.ffn_bias = true; };
  static const std::vector<Trait> all = {
      {"llama", [](ModelSpec&) {}},
      {"llama with biases", [](ModelSpec& m) { biases(m); }},
      {"qwen3", [](ModelSpec& m) { m.qk_norm = true; }},
      {"qwen3 with experts",
       [](ModelSpec& m) {
         m.qk_norm = true;
         m.experts = 16;
         m.experts_per_token = 4;
       }},
      {"mixtral",
       [](ModelSpec& m) {
         m.experts = 8;
         m.experts_per_token = 2;
       }},
      {"gpt-2",
       [](ModelSpec& m) {
         layer_norm(m);
         biases(m);
         m.learned_positions = m.max_positions;
       }},
      {"opt",
       [](ModelSpec& m) {
         layer_norm(m);
         biases(m);
         m.activation = Activation::relu;
         m.learned_positions = m.max_positions + 2;
       }},
      {"gpt-j",
       [](ModelSpec& m) {
         layer_norm(m);
         m.parallel_block = m.shared_norm = m.ffn_bias = m.lm_head_bias = true;
         m.rotary_dim = m.head_dim / 2;
       }},
      {"falcon",
       [](ModelSpec& m) {
         layer_norm(m);
         m.parallel_block = true;
       }},
      {"bloom",
       [](ModelSpec& m) {
         layer_norm(m);
         biases(m);
         m.alibi = m.embedding_norm = true;
       }},
  };
  return all;
}

/// Small enough to walk every byte: 3 layers, 8 query heads and 4 KV heads of 32.
inline ModelSpec small() {
  return make("small", 3, 256, 384, 8, 4, 32, 1000, 2048);
}

}  // namespace rooftrace::models
