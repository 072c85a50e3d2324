// Sharding arithmetic, and what one GPU must hold.
#include "traces/workload_shard.hpp"

#include <algorithm>
#include <cmath>

#include "traces/collective.hpp"

namespace rooftrace {
namespace {

/// Rows of each matrix that go to host memory, the last used matrix first.
void place_host_rows(WorkloadShard& shard, double share) {
  double left = share * static_cast<double>(shard.linear_bytes(false));
  for (std::size_t i = kDown + 1; i-- > 0;) {  // Models with more matrices are not offloaded (workload_check.cpp).
    LinearShape& linear = shard.linears[i];
    const auto row = static_cast<double>(shard.linear_row_bytes(linear));
    const double rows = std::clamp(std::round(left / row), 0.0, static_cast<double>(linear.n));
    linear.host_rows = static_cast<std::uint64_t>(rows);
    left -= rows * row;
  }
}

}  // namespace

std::uint64_t bytes_of(DataType type, std::uint64_t count) {
  return static_cast<std::uint64_t>(bytes_per_element(type) * static_cast<double>(count));
}

Matrix matrix_at(std::uint64_t address, std::uint64_t rows, std::uint64_t cols, DataType type, TensorRole role) {
  Matrix out;
  out.address = address;
  out.rows = rows;
  out.cols = cols;
  out.pitch = bytes_of(type, cols);
  out.type = type;
  out.role = role;
  return out;
}

std::uint64_t WorkloadShard::linear_row_bytes(const LinearShape& linear_shape) const {
  return bytes_of(linear_shape.wide ? dense : linear, linear_shape.k);
}

std::uint64_t WorkloadShard::scale_columns(const LinearShape& shape) const {
  return weight_group == 0 || shape.copies > 1 ? 1 : (shape.k + weight_group - 1) / weight_group;
}

std::uint64_t WorkloadShard::up_elements() const {
  return std::max({ffn_rows() * up_columns(), tokens() * linears[kSharedUp].n, tokens() * linears[kDenseUp].n});
}

std::uint64_t WorkloadShard::down_elements() const {
  return std::max({ffn_rows() * intermediate, tokens() * linears[kSharedDown].k, tokens() * linears[kDenseDown].k});
}

/// Q; decode: Q and O in the latent space; prefill: K without position and V, and K put together.
std::uint64_t WorkloadShard::latent_elements() const {
  if (!model.latent()) return 0;
  const std::uint64_t rank = model.kv_rank;
  return (model.q_rank > 0 ? q_columns() : 0) +
         (decodes ? q_heads * (kv_width() + rank) : q_heads * (head_dim - model.rope_dim + model.v_dim) + q_columns());
}

bool WorkloadShard::in_layer(std::size_t which, bool dense_layer) const {
  if (linears[which].absent()) return false;
  if (which == kDenseUp || which == kDenseDown) return dense_layer;
  const bool ffn = which == kUp || which == kDown || which == kSharedUp || which == kSharedDown;
  return !ffn || !dense_layer;
}

std::uint64_t WorkloadShard::linear_bytes(bool dense_layer) const {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < kLinears; ++i) sum += in_layer(i, dense_layer) ? linears[i].rows() * linear_row_bytes(linears[i]) : 0;
  return sum;
}

std::uint64_t WorkloadShard::host_weight_bytes() const {
  std::uint64_t sum = 0;
  for (const LinearShape& shape : linears) sum += shape.host_rows * linear_row_bytes(shape);
  return sum;
}

std::uint64_t WorkloadShard::small_bytes(bool dense_layer) const {
  std::uint64_t elements = (model.shared_norm ? 1ULL : 2ULL) * model.norm_parameters();
  if (!dense_layer) elements += std::uint64_t{model.experts} * hidden;
  if (qkv_bias) elements += qkv_columns();
  if (model.qk_norm) elements += 2 * head_dim;
  if (model.latent()) elements += model.kv_rank + model.q_rank;
  for (const LinearShape& shape : linears) elements += shape.bias ? shape.n : 0;
  return bytes_of(dense, elements);
}

std::uint64_t WorkloadShard::kv_page_bytes() const {
  return (model.latent() ? 1ULL : 2ULL) * page_tokens * kv_heads * bytes_of(kv, kv_width());
}

std::uint64_t WorkloadShard::host_kv_bytes() const {
  return sequences * host_pages * kv_page_bytes();
}

WorkloadShard make_shard(const ModelSpec& model, const WorkloadOptions& options) {
  const std::uint32_t tp = options.tp;
  WorkloadShard s;
  s.layers = model.layers;
  s.hidden = model.hidden;
  s.head_dim = model.head_dim;
  s.q_heads = model.q_heads / tp;
  s.kv_heads = std::max(1U, model.kv_heads / tp);
  s.intermediate = model.intermediate / tp;
  s.vocabulary = (std::uint64_t{model.vocabulary} + tp - 1) / tp;
  s.max_positions = model.max_positions;
  s.window = model.window;
  s.tied_embeddings = model.tied_embeddings;
  s.qkv_bias = model.qkv_bias;
  s.model = model;

  const bool decode = s.decodes = options.stage == Stage::decode;
  s.sequences = options.batch;
  s.q_len = decode ? 1 : options.prompt;
  s.kv_len = decode ? std::uint64_t{options.context} + 1 : options.prompt;
  s.page_tokens = options.page_tokens;
  s.pages = (s.kv_len + s.page_tokens - 1) / s.page_tokens;
  const std::uint64_t movable = decode ? options.context / options.page_tokens : s.pages;
  s.host_pages = std::min(movable, static_cast<std::uint64_t>(std::llround(options.offload_kv * static_cast<double>(s.pages))));

  s.linear = options.weights;
  s.dense = bytes_per_element(options.weights) >= 2 ? options.weights : DataType::bf16;
  s.scaled = bytes_per_element(options.weights) < 2;
  s.weight_group = options.weight_group;
  s.kv = options.kv;
  s.activations = options.activations;
  const std::uint64_t experts = std::max(1U, model.experts);
  s.linears = {LinearShape{KernelClass::qkv_projection, s.qkv_columns(), s.hidden, 0, 1, false},
               LinearShape{KernelClass::output_projection, s.hidden, s.attended_columns(), 0, 1, model.output_bias},
               LinearShape{KernelClass::ffn_up, s.up_columns(), s.hidden, 0, experts, model.ffn_bias},
               LinearShape{KernelClass::ffn_down, s.hidden, s.intermediate, 0, experts, model.ffn_bias}};
  if (model.latent()) {
    if (model.q_rank > 0) s.linears[kQUp] = {KernelClass::qkv_projection, s.q_columns(), model.q_rank, 0, 1, false};
    const std::uint64_t up = std::uint64_t{s.q_heads} * (model.head_dim - model.rope_dim + model.v_dim);
    s.linears[kKvUp] = {KernelClass::qkv_projection, up, model.kv_rank, 0, 1, false, true};
  }
  const auto ffn = [&](std::size_t up, std::size_t down, std::uint64_t features) {
    s.linears[up] = {KernelClass::ffn_up, (model.gated ? 2 : 1) * features, s.hidden, 0, 1, model.ffn_bias};
    s.linears[down] = {KernelClass::ffn_down, s.hidden, features, 0, 1, model.ffn_bias};
  };
  if (model.shared_experts > 0) ffn(kSharedUp, kSharedDown, model.shared_experts * s.intermediate);
  if (model.dense_layers > 0) ffn(kDenseUp, kDenseDown, model.dense_intermediate / tp);
  place_host_rows(s, options.offload_weights);
  return s;
}

/// Activations: the buffers that make_workload allocates, with both staging slots, the RoPE table and the block table; not the workspaces
/// of split-K and split-KV, whose size is the GPU's choice (megabytes). Of an all-reduce what the largest choice takes that the rule
/// allows.
MemoryNeed memory_need(const ModelSpec& model, const WorkloadOptions& options) {
  const WorkloadShard s = make_shard(model, options);
  MemoryNeed need;

  const auto layer = [&](bool dense) {
    std::uint64_t bytes = s.linear_bytes(dense) - s.host_weight_bytes() + s.small_bytes(dense);
    for (std::size_t i = 0; s.scaled && i < kLinears; ++i) {
      if (s.in_layer(i, dense) && !s.linears[i].wide) bytes += s.linears[i].rows() * s.scale_columns(s.linears[i]) * 4;
    }
    return bytes;
  };
  const std::uint64_t tables = (s.tied_embeddings ? 1 : 2) * s.vocabulary * bytes_of(s.dense, s.hidden);
  const std::uint64_t front = (model.embedding_norm ? 2 : 1) * model.norm_parameters() + model.learned_positions * s.hidden +
                              (model.lm_head_bias ? s.vocabulary : 0);
  need.weights = (s.layers - model.dense_layers) * layer(false) + tables + bytes_of(s.dense, front);
  if (model.dense_layers > 0) need.weights += model.dense_layers * layer(true);

  need.kv = s.layers * s.sequences * (s.pages - s.host_pages) * s.kv_page_bytes();
  need.host = s.layers * (s.host_weight_bytes() + s.host_kv_bytes());

  const bool parallel = options.tp > 1;
  // Per token: residual, normed, projection (its reduced copy, the FFN's own output in a parallel block, that of shared experts), QKV,
  // attention output; per row of the FFN: what goes up, what goes down.
  const std::uint64_t buffers = 3 + (parallel ? 1 : 0) + (model.parallel_block || model.shared_experts > 0 ? 1 : 0);
  need.activations =
      s.tokens() * bytes_of(s.activations, buffers * s.hidden + s.qkv_columns() + s.attended_columns() + s.latent_elements());
  need.activations += bytes_of(s.activations, s.up_elements() + s.down_elements());
  // Scores; expert and weight of every slot and the sorted list; outputs of the experts.
  if (model.experts > 0)
    need.activations += s.tokens() * bytes_of(s.activations, model.experts) + s.ffn_rows() * (12 + bytes_of(s.activations, s.hidden));
  need.activations += s.sequences * bytes_of(s.activations, s.vocabulary);                              // logits
  need.activations += s.tokens() * 4 + s.sequences * s.pages * 4;                                       // token ids, block table
  if (model.rope()) need.activations += s.max_positions * bytes_of(s.activations, s.rotary_columns());  // cosines and sines
  if (parallel) need.activations += all_reduce_room(options.tp, s.tokens() * s.hidden, s.activations, options.all_reduce).receive;
  need.activations += 2 * (s.host_weight_bytes() + s.host_kv_bytes());  // staging, double buffered
  return need;
}

}  // namespace rooftrace
