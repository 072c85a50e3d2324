// Weights are counted by memory_need, the same as a run counts them; nothing here has a formula of its own but the KV of one token.
#include "sim/app/describe_model.hpp"

#include <fmt/format.h>

#include <stdexcept>
#include <vector>

#include "sim/core/units.hpp"
#include "traces/workload.hpp"

namespace rooftrace {
namespace {

std::string row(const std::string& label, const std::string& value) {
  return fmt::format("  {:<18}{}\n", label, value);
}

std::string bytes_text(std::uint64_t bytes) {
  return format_quantity(static_cast<double>(bytes), Dimension::bytes);
}

/// One GPU, one sequence of one token: what the job itself weighs is left out as far as possible.
WorkloadOptions smallest_job() {
  WorkloadOptions job;
  job.context = 1;
  return job;
}

std::string weights_text(const ModelSpec& model) {
  std::string text;
  for (const DataType type : {DataType::bf16, DataType::fp8, DataType::fp4}) {
    WorkloadOptions job = smallest_job();
    job.weights = type;
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name(type), bytes_text(memory_need(model, job).weights));
  }
  return text;
}

std::string kv_text(const ModelSpec& model) {
  std::string text;
  for (const DataType type : {DataType::bf16, DataType::fp8}) {
    const double elements = static_cast<double>(model.layers) * static_cast<double>(model.kv_elements());
    text +=
        fmt::format("{}{} {}", text.empty() ? "" : ", ", name(type), format_quantity(elements * bytes_per_element(type), Dimension::bytes));
  }
  return text;
}

std::string tp_text(const ModelSpec& model) {
  std::vector<std::uint32_t> ways;
  constexpr std::uint32_t kMostShown = 64;
  for (std::uint32_t tp = 1; tp <= kMostShown; ++tp) {
    WorkloadOptions job = smallest_job();
    job.tp = tp;
    try {
      check_workload(model, job);
      ways.push_back(tp);
    } catch (const std::invalid_argument&) {
    }
  }
  return fmt::format("{}", fmt::join(ways, ", "));
}

std::string intermediate_text(const ModelSpec& model) {
  const std::string one = fmt::format("{}, {}{}", model.intermediate, model.gated ? "gated " : "", name(model.activation));
  if (model.experts == 0) return one;
  std::string text = fmt::format("{} experts of {}; a token takes {}", model.experts, one, model.experts_per_token);
  if (model.shared_experts > 0) text += fmt::format(" and {} shared", model.shared_experts);
  if (model.dense_layers > 0)
    text += fmt::format("; {} in the first {}", model.dense_intermediate,
                        model.dense_layers == 1 ? "layer" : fmt::format("{} layers", model.dense_layers));
  return text;
}

std::string positions_text(const ModelSpec& model) {
  if (model.learned_positions > 0) return fmt::format("learned, {} rows", model.learned_positions);
  if (model.alibi) return "ALiBi";
  if (model.latent()) return fmt::format("RoPE of {} features of a head", model.rope_dim);
  return model.rotary_dim == 0 ? "RoPE" : fmt::format("RoPE of {} features of a head", model.rotary_dim);
}

std::string block_text(const ModelSpec& model) {
  std::string text = model.parallel_block ? "attention and FFN in parallel" : "attention, then FFN";
  text += fmt::format("; {}", model.layer_norm ? "layer norm" : "RMSNorm");
  if (model.shared_norm) text += ", one for both";
  if (model.qk_norm) text += ", norms of Q and K";
  if (model.embedding_norm) text += ", one behind the embedding";
  return text;
}

}  // namespace

std::string describe_model(const ModelSpec& model) {
  std::string text = fmt::format("{}: {}\n", model.name, model.architecture);
  text += row("layers", std::to_string(model.layers));
  text += row("hidden", std::to_string(model.hidden));
  text += row("intermediate", intermediate_text(model));
  text += row("query heads", fmt::format("{} of {}", model.q_heads, model.head_dim));
  if (model.latent()) {
    text += row("latent of K and V",
                fmt::format("{} features and {} with position, for all heads; V {} per head", model.kv_rank, model.rope_dim, model.v_dim));
    if (model.q_rank > 0) text += row("Q made of", fmt::format("{} features", model.q_rank));
  } else {
    text += row("KV heads", fmt::format("{}, each for {} query head{}", model.kv_heads, model.q_heads / model.kv_heads,
                                        model.q_heads == model.kv_heads ? "" : "s"));
  }
  text += row("vocabulary",
              fmt::format("{}; the LM head {}", model.vocabulary, model.tied_embeddings ? "is the embedding" : "is a matrix of its own"));
  text += row("longest sequence", fmt::format("{} tokens", model.max_positions));
  text += row("positions", positions_text(model));
  text += row("block", block_text(model));
  text += row("attention window", model.window == 0 ? "none" : fmt::format("{} tokens", model.window));
  text += row("parameters",
              fmt::format("{} (each layer {}, embedding {})", model.parameters(), model.layer_parameters(), model.embedding_parameters()));
  if (model.experts > 0) text += row("active", fmt::format("{} parameters of one token", model.active_parameters()));
  text += row("weights", weights_text(model));
  text += row("KV per token", kv_text(model));
  text += row("TP that divides", tp_text(model));
  return text;
}

}  // namespace rooftrace
