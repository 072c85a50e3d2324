// The fields of a model that can be changed, in one table, with their limits.
#include "sim/app/model_choice.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "sim/app/config_text.hpp"

namespace rooftrace {
namespace {

struct Field {
  const char* name;
  const char* published;  ///< In config.json.
  std::uint32_t ModelSpec::*member;
  std::int64_t low, high;
};
/// The same limits as for a config.json: far above every published model, small enough that no product overflows.
constexpr std::array kFields = {
    Field{"layers", "num_hidden_layers", &ModelSpec::layers, 1, 1 << 14},
    Field{"hidden", "hidden_size", &ModelSpec::hidden, 1, 1 << 22},
    Field{"intermediate", "intermediate_size", &ModelSpec::intermediate, 1, 1 << 22},
    Field{"q_heads", "num_attention_heads", &ModelSpec::q_heads, 1, 1 << 14},
    Field{"kv_heads", "num_key_value_heads", &ModelSpec::kv_heads, 1, 1 << 14},
    Field{"head_dim", "head_dim", &ModelSpec::head_dim, 1, 1 << 14},
    Field{"vocabulary", "vocab_size", &ModelSpec::vocabulary, 1, 1 << 24},
    Field{"max_positions", "max_position_embeddings", &ModelSpec::max_positions, 1, 1 << 30},
    Field{"window", "sliding_window", &ModelSpec::window, 0, 1 << 30},
    Field{"rotary_dim", "", &ModelSpec::rotary_dim, 0, 1 << 14},
    Field{"learned_positions", "", &ModelSpec::learned_positions, 0, (1 << 30) + 2},
    Field{"experts", "num_experts", &ModelSpec::experts, 0, 1 << 12},
    Field{"experts_per_token", "num_experts_per_tok", &ModelSpec::experts_per_token, 0, 64},
};
/// Of some architectures only: written where they are not 0, and 0 where they are not given.
constexpr std::array kRareFields = {
    Field{"shared_experts", "n_shared_experts", &ModelSpec::shared_experts, 0, 64},
    Field{"dense_layers", "first_k_dense_replace", &ModelSpec::dense_layers, 0, 1 << 14},
    Field{"dense_intermediate", "", &ModelSpec::dense_intermediate, 0, 1 << 22},
    Field{"kv_rank", "kv_lora_rank", &ModelSpec::kv_rank, 0, 1 << 14},
    Field{"q_rank", "q_lora_rank", &ModelSpec::q_rank, 0, 1 << 14},
    Field{"rope_dim", "qk_rope_head_dim", &ModelSpec::rope_dim, 0, 1 << 11},
    Field{"v_dim", "v_head_dim", &ModelSpec::v_dim, 0, 1 << 12},
};

struct Flag {
  const char* name;
  const char* published;
  bool ModelSpec::*member;
};
constexpr std::array kFlags = {
    Flag{"tied_embeddings", "tie_word_embeddings", &ModelSpec::tied_embeddings},
    Flag{"gated", "", &ModelSpec::gated},
    Flag{"layer_norm", "", &ModelSpec::layer_norm},
    Flag{"parallel_block", "", &ModelSpec::parallel_block},
    Flag{"shared_norm", "", &ModelSpec::shared_norm},
    Flag{"alibi", "", &ModelSpec::alibi},
    Flag{"qk_norm", "", &ModelSpec::qk_norm},
    Flag{"embedding_norm", "", &ModelSpec::embedding_norm},
    Flag{"qkv_bias", "", &ModelSpec::qkv_bias},
    Flag{"output_bias", "", &ModelSpec::output_bias},
    Flag{"ffn_bias", "", &ModelSpec::ffn_bias},
    Flag{"lm_head_bias", "", &ModelSpec::lm_head_bias},
};
const std::vector<std::string> kActivations = {"silu", "gelu", "relu"};

/// The value of a field under either of its names; both at once is a contradiction.
std::optional<ConfigNode> find_either(const ConfigNode& map, const std::string& name, const std::string& published) {
  const auto own = map.find(name);
  if (published.empty() || published == name) return own;
  const auto other = map.find(published);
  if (own && other) other->fail(fmt::format("is the same as \"{}\", which is given too", name));
  return own ? own : other;
}

void check_latent(const ModelSpec& model, const ConfigNode& last) {
  if (!model.latent()) {
    if (model.q_rank + model.rope_dim + model.v_dim > 0) last.fail("q_rank, rope_dim and v_dim belong to latent attention (kv_rank)");
    return;
  }
  if (model.kv_heads != 1) last.fail(fmt::format("kv_heads is {}; latent attention has one latent for all heads", model.kv_heads));
  if (model.rope_dim == 0 || model.rope_dim >= model.head_dim || model.v_dim == 0) {
    last.fail(fmt::format("rope_dim {} of head_dim {} and v_dim {}: latent attention needs features with position, without, and of V",
                          model.rope_dim, model.head_dim, model.v_dim));
  }
  if (model.window + model.rotary_dim + model.learned_positions > 0 || model.alibi || model.qk_norm || model.qkv_bias ||
      model.parallel_block) {
    last.fail("latent attention has RoPE, no window, no biases or norms of Q and K, and no parallel block");
  }
}

/// What single limits cannot say; `last` is the place that an error names.
void check_consistent(const ModelSpec& model, const ConfigNode& last) {
  if (model.rotary_dim > model.head_dim || model.rotary_dim % 2 != 0) {
    last.fail(fmt::format("rotary_dim {} is odd or more than head_dim {}", model.rotary_dim, model.head_dim));
  }
  if (model.learned_positions > 0 && model.learned_positions < model.max_positions) {
    last.fail(fmt::format("max_positions {} is more than the {} learned_positions", model.max_positions, model.learned_positions));
  }
  if (model.experts == 0 ? model.experts_per_token != 0 : model.experts_per_token < 1 || model.experts_per_token > model.experts) {
    last.fail(fmt::format("experts_per_token {} does not go with {} experts", model.experts_per_token, model.experts));
  }
  constexpr std::uint64_t kMostExpertFeatures = 1ULL << 24;
  if (std::uint64_t{model.experts} * model.intermediate > kMostExpertFeatures) {
    last.fail(fmt::format("{} experts of {} features are too many", model.experts, model.intermediate));
  }
  if (model.experts > 0 && model.ffn_bias) last.fail("ffn_bias of experts is not modeled");
  if (model.dense_layers >= model.layers || (model.dense_layers > 0) != (model.dense_intermediate > 0)) {
    last.fail(fmt::format("{} dense_layers of {} layers do not go with dense_intermediate {}", model.dense_layers, model.layers,
                          model.dense_intermediate));
  }
  if (model.experts == 0 && model.shared_experts + model.dense_layers > 0) {
    last.fail("shared_experts and dense_layers go with experts");
  }
  check_latent(model, last);
}

/// Lays the fields that `map` gives on `model`.
void apply_changes(const ConfigNode& map, ModelSpec& model) {
  const bool heads_split_hidden = model.q_heads != 0 && model.head_dim * model.q_heads == model.hidden;
  bool head_dim_given = false;
  std::optional<ConfigNode> last;
  const auto read = [&](const Field& field) {
    const auto node = find_either(map, field.name, field.published);
    if (!node) return;
    model.*field.member = static_cast<std::uint32_t>(node->integer(field.low, field.high));
    head_dim_given = head_dim_given || field.member == &ModelSpec::head_dim;
    last = node;
  };
  std::for_each(kFields.begin(), kFields.end(), read);
  std::for_each(kRareFields.begin(), kRareFields.end(), read);
  for (const Flag& flag : kFlags) {
    if (const auto node = find_either(map, flag.name, flag.published)) model.*flag.member = node->boolean();
  }
  if (const auto node = find_either(map, "activation", "hidden_act"))
    model.activation = *activation_from(kActivations[node->one_of(kActivations)]);
  if (!last) return;
  if (heads_split_hidden && !head_dim_given) {
    if (model.hidden % model.q_heads != 0) {
      last->fail(fmt::format("q_heads {} does not divide hidden {}, and no head_dim is given", model.q_heads, model.hidden));
    }
    model.head_dim = model.hidden / model.q_heads;
  }
  if (model.q_heads % model.kv_heads != 0) {
    last->fail(fmt::format("kv_heads {} does not divide q_heads {}", model.kv_heads, model.q_heads));
  }
  check_consistent(model, *last);
}

void apply_sets(const std::vector<std::string>& sets, ModelSpec& model) {
  ConfigDocument changes = ConfigDocument::parse("{}", "--set");
  for (const std::string& assignment : sets) changes.set(assignment);
  apply_changes(changes.root(), model);
  changes.check_all_read();
}

bool is_complete(const ConfigNode& map) {
  if (!map.find("architecture")) return false;
  const auto has_field = [&](const Field& field) { return find_either(map, field.name, field.published).has_value(); };
  const auto has_flag = [&](const Flag& flag) { return find_either(map, flag.name, flag.published).has_value(); };
  return find_either(map, "activation", "hidden_act") && std::all_of(kFields.begin(), kFields.end(), has_field) &&
         std::all_of(kFlags.begin(), kFlags.end(), has_flag);
}

}  // namespace

ModelSpec choose_model(const std::string& word, const std::vector<std::string>& sets, const ConfigPaths& paths, const std::string& base,
                       const SourceLocation& where) {
  const ConfigFile file = paths.find(ConfigKind::model, word, base, where);
  ModelSpec model = paths.model(file);
  apply_sets(sets, model);
  return model;
}

ModelSpec choose_model(const ConfigNode& node, const std::vector<std::string>& sets, const ConfigPaths& paths, const std::string& base) {
  if (!node.is_map()) return choose_model(node.string(), sets, paths, base, node.where());
  const ConfigNode name = node["name"];
  ModelSpec model;
  if (is_complete(node)) {
    model.name = name.string();
    const std::vector<std::string> known = known_architectures();
    model.architecture = known[node["architecture"].one_of(known)];
  } else {
    const ConfigFile file = paths.find(ConfigKind::model, name.string(), base, name.where());
    model = paths.model(file);
  }
  apply_changes(node, model);
  apply_sets(sets, model);
  return model;
}

std::string model_yaml(const ModelSpec& model) {
  std::string text = fmt::format("name: {}\narchitecture: {}\n", yaml_scalar(model.name), model.architecture);
  for (const Field& field : kFields) text += fmt::format("{}: {}\n", field.name, model.*field.member);
  for (const Field& field : kRareFields) {
    if (model.*field.member > 0) text += fmt::format("{}: {}\n", field.name, model.*field.member);
  }
  text += fmt::format("activation: {}\n", name(model.activation));
  for (const Flag& flag : kFlags) text += fmt::format("{}: {}\n", flag.name, model.*flag.member);
  return text;
}

}  // namespace rooftrace
