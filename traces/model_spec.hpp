// A dense decoder-only transformer, read from a Hugging Face config.json as published.
//
// Known architectures: LlamaForCausalLM, MistralForCausalLM, Qwen2ForCausalLM. Keys that we do not know are tolerated here and only here
// (the file is somebody else's); keys that we need and miss are named. Not modeled: RoPE scaling (it moves no bytes), dropout, the
// tokenizer.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace rooftrace {

struct ModelSpec {
  std::string name;          ///< "llama-3.1-8b" (folder name), or the path given.
  std::string architecture;  ///< "LlamaForCausalLM"
  std::uint32_t layers = 0;
  std::uint32_t hidden = 0;
  std::uint32_t intermediate = 0;
  std::uint32_t q_heads = 0;
  std::uint32_t kv_heads = 0;
  std::uint32_t head_dim = 0;
  std::uint32_t vocabulary = 0;
  std::uint32_t max_positions = 0;
  std::uint32_t window = 0;  ///< Sliding window of attention in tokens; 0: none.
  bool tied_embeddings = false;
  bool qkv_bias = false;

  [[nodiscard]] std::uint64_t embedding_parameters() const;  ///< One vocabulary x hidden matrix.
  [[nodiscard]] std::uint64_t layer_parameters() const;
  [[nodiscard]] std::uint64_t parameters() const;  ///< All of them, as published.
};

/// `text` is the content of config.json, `file` the path that errors print. UserError with file:line:column for broken JSON, an unknown
/// architecture (with the list of known ones), missing or impossible values.
[[nodiscard]] ModelSpec parse_model(const std::string& text, const std::string& file, const std::string& name);
[[nodiscard]] ModelSpec load_model(const std::string& path, const std::string& name);
[[nodiscard]] std::vector<std::string> known_architectures();

}  // namespace rooftrace
