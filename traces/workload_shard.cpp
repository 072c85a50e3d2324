// Sharding arithmetic, and what one GPU must hold.
#include "traces/workload_shard.hpp"

#include <algorithm>
#include <cmath>

#include "traces/collective.hpp"

namespace rooftrace {
namespace {

/// Rows of each matrix that go to host memory, the last used matrix first.
void place_host_rows(WorkloadShard& shard, double share) {
  double left = share * static_cast<double>(shard.linear_bytes());
  for (std::size_t i = shard.linears.size(); i-- > 0;) {
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

std::uint64_t WorkloadShard::linear_row_bytes(const LinearShape& linear_shape) const {
  return bytes_of(linear, linear_shape.k);
}

std::uint64_t WorkloadShard::linear_bytes() const {
  std::uint64_t sum = 0;
  for (const LinearShape& shape : linears) sum += shape.n * linear_row_bytes(shape);
  return sum;
}

std::uint64_t WorkloadShard::host_weight_bytes() const {
  std::uint64_t sum = 0;
  for (const LinearShape& shape : linears) sum += shape.host_rows * linear_row_bytes(shape);
  return sum;
}

std::uint64_t WorkloadShard::kv_page_bytes() const {
  return 2ULL * page_tokens * kv_heads * bytes_of(kv, head_dim);
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
  s.kv_heads = model.kv_heads / tp;
  s.intermediate = model.intermediate / tp;
  s.vocabulary = (std::uint64_t{model.vocabulary} + tp - 1) / tp;
  s.max_positions = model.max_positions;
  s.window = model.window;
  s.tied_embeddings = model.tied_embeddings;
  s.qkv_bias = model.qkv_bias;

  const bool decode = options.stage == Stage::decode;
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
  s.kv = options.kv;
  s.activations = options.activations;
  const std::uint64_t q_columns = s.q_heads * s.head_dim;
  s.linears = {LinearShape{KernelClass::qkv_projection, s.qkv_columns(), s.hidden, 0},
               LinearShape{KernelClass::output_projection, s.hidden, q_columns, 0},
               LinearShape{KernelClass::ffn_up, 2 * s.intermediate, s.hidden, 0},
               LinearShape{KernelClass::ffn_down, s.hidden, s.intermediate, 0}};
  place_host_rows(s, options.offload_weights);
  return s;
}

/// Activations: the buffers that make_workload allocates, with both staging slots, the RoPE table and the block table; not the workspaces
/// of split-K and split-KV, whose size is the GPU's choice (megabytes). Of an all-reduce what the largest choice takes that the rule
/// allows.
MemoryNeed memory_need(const ModelSpec& model, const WorkloadOptions& options) {
  const WorkloadShard s = make_shard(model, options);
  MemoryNeed need;

  std::uint64_t layer = s.linear_bytes() - s.host_weight_bytes() + 2 * bytes_of(s.dense, s.hidden);
  if (s.scaled) {
    for (const LinearShape& shape : s.linears) layer += shape.n * 4;
  }
  if (s.qkv_bias) layer += bytes_of(s.dense, s.qkv_columns());
  const std::uint64_t tables = (s.tied_embeddings ? 1 : 2) * s.vocabulary * bytes_of(s.dense, s.hidden);
  need.weights = s.layers * layer + tables + bytes_of(s.dense, s.hidden);

  need.kv = s.layers * s.sequences * (s.pages - s.host_pages) * s.kv_page_bytes();
  need.host = s.layers * (s.host_weight_bytes() + s.host_kv_bytes());

  const bool parallel = options.tp > 1;
  // Per token: residual, normed, projection (and its reduced copy), QKV, attention output, gate and up, their product.
  const std::uint64_t columns = (parallel ? 4 : 3) * s.hidden + s.qkv_columns() + s.q_heads * s.head_dim + 3 * s.intermediate;
  need.activations = s.tokens() * bytes_of(s.activations, columns);
  need.activations += s.sequences * bytes_of(s.activations, s.vocabulary);    // logits
  need.activations += s.tokens() * 4 + s.sequences * s.pages * 4;             // token ids, block table
  need.activations += s.max_positions * bytes_of(s.activations, s.head_dim);  // cosines and sines
  if (parallel) need.activations += all_reduce_room(options.tp, s.tokens() * s.hidden, s.activations, options.all_reduce).receive;
  need.activations += 2 * (s.host_weight_bytes() + s.host_kv_bytes());  // staging, double buffered
  return need;
}

}  // namespace rooftrace
