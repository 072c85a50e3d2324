// Reading a Hugging Face config.json, and counting the parameters of what it describes.
//
// Promises: every mistake is one UserError with file:line:column; every number is inside limits that keep all later products inside 64
// bits (model_architectures.hpp).
#include "traces/model_spec.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "sim/core/error.hpp"
#include "traces/config_json.hpp"
#include "traces/model_architectures.hpp"

namespace rooftrace {
namespace {

std::string listed(const std::vector<std::string>& words) {
  std::string all;
  for (const std::string& word : words) all += (all.empty() ? "" : ", ") + word;
  return all;
}

const Architecture& read_architecture(const ConfigJson& config) {
  const std::vector<std::string> known = known_architectures();
  const std::vector<std::string> words = config.words("architectures");
  if (words.size() != 1) {
    config.fail("architectures", fmt::format("{} is not a list of one name; known: {}", config.shown("architectures"), listed(known)));
  }
  const std::string& name = words.front();
  for (const Architecture& architecture : architectures()) {
    if (name == architecture.name) return architecture;
  }
  // As JSON writes it, so that the message stays one line.
  const std::string list = config.shown("architectures");
  config.fail("architectures", fmt::format("unknown architecture {}; known: {}{}", list.substr(1, list.size() - 2), listed(known),
                                           did_you_mean(name, known)));
}

std::uint32_t read_kv_heads(const ConfigJson& config, const Architecture& a, const ModelSpec& model) {
  const std::string key = a.kv_heads;
  if (key.empty() || (a.kv_heads_may_miss && !config.given(key))) return model.q_heads;
  const std::uint32_t heads = config.integer(key, kMostHeads);
  if (model.q_heads % heads != 0) config.fail(key, fmt::format("{} does not divide the {} heads of {}", heads, model.q_heads, a.q_heads));
  return heads;
}

std::uint32_t read_head_dim(const ConfigJson& config, const Architecture& a, const ModelSpec& model) {
  if (a.latent) return config.integer("qk_nope_head_dim", kMostHeadDim / 2) + config.integer("qk_rope_head_dim", kMostHeadDim / 2);
  if (config.given("head_dim")) return config.integer("head_dim", kMostHeadDim);
  if (model.hidden % model.q_heads != 0) {
    config.fail(a.q_heads, fmt::format("{} does not divide {} {}, and no head_dim is given", model.q_heads, a.hidden, model.hidden));
  }
  const std::uint32_t head_dim = model.hidden / model.q_heads;
  if (head_dim > kMostHeadDim) config.fail(a.hidden, fmt::format("{} per head is outside 1 to {}", head_dim, kMostHeadDim));
  return head_dim;
}

std::uint32_t read_intermediate(const ConfigJson& config, const Architecture& a, const ModelSpec& model) {
  const std::string key = a.intermediate;
  if (!key.empty() && (!a.intermediate_may_miss || config.given(key))) return config.integer(key, kMostWidth);
  if (model.hidden > kMostWidth / 4) config.fail(a.hidden, fmt::format("4 * {} is outside 1 to {}", model.hidden, kMostWidth));
  return 4 * model.hidden;
}

Activation read_activation(const ConfigJson& config, const Architecture& a) {
  const std::string key = a.activation;
  const std::string word = key.empty() ? a.activation_absent : config.word(key, a.activation_absent);
  const auto activation = activation_from(word);
  if (!activation) config.fail(key, fmt::format("\"{}\" is not an activation I know; known: silu, gelu, relu and their variants", word));
  return *activation;
}

}  // namespace

std::vector<std::string> known_architectures() {
  std::vector<std::string> names;
  for (const Architecture& architecture : architectures()) names.emplace_back(architecture.name);
  return names;
}

std::uint64_t ModelSpec::embedding_parameters() const {
  return std::uint64_t{vocabulary} * hidden;
}

std::uint64_t ModelSpec::expert_parameters() const {
  return (gated ? 3ULL : 2ULL) * hidden * intermediate;  // Gate, up, down; or up, down.
}

std::uint64_t ModelSpec::attention_parameters() const {
  const std::uint64_t q = std::uint64_t{q_heads} * head_dim;
  if (latent()) {
    // Q, by way of q_rank features and their norm or not; latent and position, and the norm of the latent; W_UK and W_UV; output.
    const std::uint64_t up = q_rank == 0 ? hidden * q : q_rank * (hidden + q + 1);
    return up + hidden * kv_elements() + kv_rank + std::uint64_t{kv_rank} * q_heads * (head_dim - rope_dim + v_dim) +
           std::uint64_t{q_heads} * v_dim * hidden;
  }
  const std::uint64_t kv = std::uint64_t{kv_heads} * head_dim;
  return hidden * (q + 2 * kv) + q * hidden;  // Q, K, V; output.
}

std::uint64_t ModelSpec::layer_parameters() const {
  const std::uint64_t q = std::uint64_t{q_heads} * head_dim;
  const std::uint64_t kv = std::uint64_t{kv_heads} * head_dim;
  const std::uint64_t attention = attention_parameters();
  const std::uint64_t ffn =
      experts == 0 ? expert_parameters() : (experts + shared_experts) * expert_parameters() + std::uint64_t{experts} * hidden;
  std::uint64_t small = (shared_norm ? 1ULL : 2ULL) * norm_parameters();
  if (qkv_bias) small += q + 2 * kv;
  if (output_bias) small += hidden;
  if (ffn_bias) small += (gated ? 2ULL : 1ULL) * intermediate + hidden;
  if (qk_norm) small += 2ULL * head_dim;
  return attention + ffn + small;
}

std::uint64_t ModelSpec::dense_layer_parameters() const {
  ModelSpec dense = *this;
  dense.intermediate = dense_intermediate;
  dense.experts = dense.shared_experts = 0;
  return dense.layer_parameters();
}

std::uint64_t ModelSpec::parameters() const {
  const std::uint64_t matrices = tied_embeddings ? 1 : 2;  // Embedding, and an LM head that may be the same matrix.
  std::uint64_t sum = matrices * embedding_parameters() + (layers - dense_layers) * layer_parameters() + norm_parameters();
  if (dense_layers > 0) sum += dense_layers * dense_layer_parameters();
  sum += std::uint64_t{learned_positions} * hidden;
  if (embedding_norm) sum += norm_parameters();
  if (lm_head_bias) sum += vocabulary;
  return sum;
}

std::uint64_t ModelSpec::active_parameters() const {
  return parameters() - (layers - dense_layers) * (experts == 0 ? 0ULL : experts - experts_per_token) * expert_parameters();
}

ModelSpec parse_model(const std::string& text, const std::string& file, const std::string& name) {
  const ConfigJson config(text, file);
  const Architecture& a = read_architecture(config);
  ModelSpec model;
  model.name = name;
  model.architecture = a.name;
  model.layers = config.integer(a.layers, kMostLayers);
  model.hidden = config.integer(a.hidden, kMostWidth);
  model.intermediate = read_intermediate(config, a, model);
  model.q_heads = config.integer(a.q_heads, kMostHeads);
  model.kv_heads = read_kv_heads(config, a, model);
  model.head_dim = read_head_dim(config, a, model);
  model.vocabulary = config.integer(a.vocabulary, kMostVocabulary);
  model.max_positions =
      a.positions_absent > 0 && !config.given(a.positions) ? a.positions_absent : config.integer(a.positions, kMostPositions);
  model.activation = read_activation(config, a);
  model.tied_embeddings = config.boolean("tie_word_embeddings", a.tied);
  a.rest(config, model);
  return model;
}

ModelSpec load_model(const std::string& path, const std::string& name) {
  std::error_code ignored;
  const std::filesystem::file_status status = std::filesystem::status(path, ignored);
  if (!std::filesystem::exists(status)) throw UserError(SourceLocation{path}, "no such file");
  if (std::filesystem::is_directory(status))
    throw UserError(SourceLocation{path}, fmt::format("is a directory; did you mean \"{}\"?", path + "/config.json"));
  std::ifstream stream(path, std::ios::binary);
  if (!stream) throw UserError(SourceLocation{path}, "cannot be read");
  std::string text(kMostConfigText + 1, '\0');  // One byte more than allowed, so that a file of any size is refused without being read.
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (stream.bad()) throw UserError(SourceLocation{path}, "cannot be read");
  text.resize(static_cast<std::size_t>(stream.gcount()));
  return parse_model(text, path, name);
}

}  // namespace rooftrace
