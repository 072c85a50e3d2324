// Models for the tests of this folder. The published ones are typed from their Hugging Face config.json.
#pragma once

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

/// Small enough to walk every byte: 3 layers, 8 query heads and 4 KV heads of 32.
inline ModelSpec small() {
  return make("small", 3, 256, 384, 8, 4, 32, 1000, 2048);
}

}  // namespace rooftrace::models
