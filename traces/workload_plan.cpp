// WorkloadPlan: tilings first (they set the size of the workspaces), then addresses.
#include "traces/workload_plan.hpp"

#include <algorithm>

#include "traces/collective.hpp"

namespace rooftrace {
namespace {

void apply(const TilingOverride& override, GemmTiling& tiling) {
  const auto set = [](std::int64_t value, std::uint32_t& field) {
    if (value >= 0) field = static_cast<std::uint32_t>(value);
  };
  set(override.block_m, tiling.block_m);
  set(override.block_n, tiling.block_n);
  set(override.block_k, tiling.block_k);
  set(override.stages, tiling.stages);
  set(override.blocks_per_sm, tiling.blocks_per_sm);
  set(override.split_k, tiling.split_k);
  set(override.cluster_m, tiling.cluster_m);
  set(override.cluster_n, tiling.cluster_n);
  if (override.persistent >= 0) tiling.persistent = override.persistent == 1;
  if (override.group_m >= 0) {
    tiling.raster = override.group_m > 1 ? Raster::grouped : Raster::row_major;
    tiling.group_m = static_cast<std::uint32_t>(override.group_m);
  }
}

}  // namespace

WorkloadPlan::WorkloadPlan(const ModelSpec& model, const DeviceShape& device, const WorkloadOptions& wanted)
    : gpu(device), options(wanted), shard(make_shard(model, wanted)) {
  kv_.sequences = shard.sequences;
  kv_.kv_heads = shard.kv_heads;
  kv_.head_dim = static_cast<std::uint32_t>(shard.kv_width());
  kv_.latent = model.latent();
  kv_.tokens = shard.kv_len;
  kv_.type = shard.kv;
  kv_.page_tokens = shard.page_tokens;
  kv_.host_pages = static_cast<std::uint32_t>(shard.host_pages);
  choose_tilings();
  allocate_front();
  allocate_arena();
  map.place_layers(static_cast<std::uint32_t>(shard.layers));
  kv_.table = block_table;
  // Last: the address space above bounds how many pages there can be.
  kv_.physical = shuffled_pages(kv_.sequences * kv_.resident_pages(), options.seed);
}

GemmTiling WorkloadPlan::tiling(KernelClass kernel_class, std::uint64_t m, std::uint64_t n, std::uint64_t k, DataType weights) const {
  return overridden(kernel_class, choose_gemm_tiling(gpu, m, n, k, weights, shard.activations));
}

GemmTiling WorkloadPlan::overridden(KernelClass kernel_class, GemmTiling tiling) const {
  if (const auto found = options.tiling.find(kernel_class); found != options.tiling.end()) apply(found->second, tiling);
  return tiling;
}

void WorkloadPlan::choose_tilings() {
  const ModelSpec& model = shard.model;
  if (model.experts > 0) {
    routing = route_tokens(shard.tokens(), model.experts, model.experts_per_token, options.seed);
    router_tiling = tiling(KernelClass::router, shard.tokens(), model.experts, shard.hidden, shard.dense);
  }
  std::uint64_t staged = 0;
  for (std::size_t i = 0; i < linears.size(); ++i) {
    LinearPlan& plan = linears[i];
    plan.shape = shard.linears[i];
    const LinearShape& shape = plan.shape;
    if (shape.absent()) continue;
    if (shape.copies > 1) {
      plan.parts = {{0, shape.n, false, overridden(shape.kernel_class, choose_moe_tiling(gpu, *routing, shard.linear, shard.activations))}};
      continue;
    }
    plan.staged = staged;
    staged += shape.host_rows * shard.linear_row_bytes(shape);
    for (const auto& [first, rows] :
         {std::pair{std::uint64_t{0}, shape.host_rows}, std::pair{shape.host_rows, shape.n - shape.host_rows}}) {
      if (rows == 0) continue;
      const bool host = shape.host_rows > 0 && first == 0;
      plan.parts.push_back(
          {first, rows, host, tiling(shape.kernel_class, shard.tokens(), rows, shape.k, shape.wide ? shard.dense : shard.linear)});
    }
  }
  head = {0, shard.vocabulary, false, tiling(KernelClass::lm_head, shard.sequences, shard.vocabulary, shard.hidden, shard.dense)};
  if (model.latent()) {
    choose_latent();
  } else if (options.stage == Stage::decode) {
    decode = choose_decode_tiling(gpu, attention_shape(), options.kv_splits, options.attention_engine);
  } else {
    prefill = choose_prefill_tiling(gpu, static_cast<std::uint32_t>(shard.head_dim), shard.activations, shard.kv);
  }
}

void WorkloadPlan::allocate_front() {
  const std::uint64_t tokens = shard.tokens();
  const bool parallel = options.tp > 1;
  const auto buffer = [&](std::uint64_t rows, std::uint64_t cols) {
    return map.allocate(rows * bytes_of(shard.activations, cols), TensorRole::activations);
  };
  const std::uint64_t table_bytes = shard.vocabulary * bytes_of(shard.dense, shard.hidden);
  embedding = map.allocate(table_bytes, TensorRole::weights);
  lm_head = shard.tied_embeddings ? embedding : map.allocate(table_bytes, TensorRole::weights);
  const std::uint64_t norm_bytes = bytes_of(shard.dense, shard.model.norm_parameters());
  final_norm = map.allocate(norm_bytes, TensorRole::weights);
  if (shard.model.embedding_norm) embedding_norm = map.allocate(norm_bytes, TensorRole::weights);
  if (shard.model.learned_positions > 0) {
    positions = map.allocate(shard.model.learned_positions * bytes_of(shard.dense, shard.hidden), TensorRole::weights);
  }
  if (shard.model.lm_head_bias) lm_head_bias = map.allocate(bytes_of(shard.dense, shard.vocabulary), TensorRole::weights);
  ids = map.allocate(tokens * 4, TensorRole::tables);
  block_table = map.allocate(kv_.table_bytes(), TensorRole::tables);
  if (shard.model.rope()) {
    cos_sin = map.allocate(shard.max_positions * bytes_of(shard.activations, shard.rotary_columns()), TensorRole::tables);
  }
  residual = buffer(tokens, shard.hidden);
  normed = buffer(tokens, shard.hidden);
  qkv = buffer(tokens, shard.qkv_columns());
  attended = buffer(tokens, shard.attended_columns());
  projected = buffer(tokens, shard.hidden);
  reduced = parallel ? buffer(tokens, shard.hidden) : projected;
  if (shard.model.parallel_block || shard.model.shared_experts > 0) ffn_out = buffer(tokens, shard.hidden);
  gate_up = buffer(1, shard.up_elements());
  gated = buffer(1, shard.down_elements());
  allocate_experts();
  allocate_latent();
  logits = buffer(shard.sequences, shard.vocabulary);
  if (parallel) {
    const std::uint64_t elements = tokens * shard.hidden;
    all_reduce = choose_all_reduce(gpu, options.tp, bytes_of(shard.activations, elements), options.all_reduce);
    const AllReduceRoom room = all_reduce_room(options.tp, elements, shard.activations, all_reduce);
    if (room.receive > 0) receive = map.allocate(room.receive, TensorRole::activations);
    peer = map.allocate(room.peer, TensorRole::activations);
  }

  std::uint64_t partials = 0;
  if (routing && router_tiling.split_k > 1) partials = router_tiling.split_k * tokens * shard.model.experts * 4;
  const auto split_bytes = [](const LinearPart& part, std::uint64_t rows) {
    return part.tiling.split_k > 1 ? part.tiling.split_k * rows * part.rows * 4 : 0;
  };
  for (const LinearPlan& plan : linears) {
    if (plan.shape.copies > 1) continue;
    for (const LinearPart& part : plan.parts) partials = std::max(partials, split_bytes(part, tokens));
  }
  partials = std::max(partials, split_bytes(head, shard.sequences));
  if (partials > 0) gemm_workspace = map.allocate(partials, TensorRole::activations);
  std::uint64_t split_sums = 0;
  if (options.stage == Stage::decode) {
    split_sums =
        shard.model.latent() ? latent_workspace_bytes(attention_shape(), latent) : decode_workspace_bytes(attention_shape(), decode);
  }
  if (split_sums > 0) attention_workspace = map.allocate(split_sums, TensorRole::activations);
  for (std::size_t slot = 0; slot < 2; ++slot) {
    if (shard.host_weight_bytes() > 0) weight_slots[slot] = map.allocate(shard.host_weight_bytes(), TensorRole::weights);
    if (shard.host_kv_bytes() > 0) kv_slots[slot] = map.allocate(shard.host_kv_bytes(), TensorRole::kv);
  }
}

void WorkloadPlan::allocate_arena() {
  const ModelSpec& model = shard.model;
  const auto weights = [&](std::uint64_t elements) { return map.allocate_in_layer(bytes_of(shard.dense, elements), TensorRole::weights); };
  attention_norm = weights(model.norm_parameters());
  if (!model.shared_norm) ffn_norm = weights(model.norm_parameters());
  if (model.qk_norm) qk_gain = weights(2 * shard.head_dim);
  if (model.latent()) {
    if (model.q_rank > 0) q_norm = weights(model.q_rank);
    latent_norm = weights(model.kv_rank);
  }
  if (model.experts > 0) router = weights(model.experts * shard.hidden);
  if (shard.qkv_bias) bias = weights(shard.qkv_columns());
  for (LinearPlan& plan : linears) {
    if (plan.shape.absent()) continue;
    const std::uint64_t rows = plan.shape.rows() - plan.shape.host_rows;
    plan.resident = map.allocate_in_layer(rows * shard.linear_row_bytes(plan.shape), TensorRole::weights);
    if (shard.scaled && !plan.shape.wide) {
      plan.scales = map.allocate_in_layer(plan.shape.rows() * shard.scale_columns(plan.shape) * 4, TensorRole::scales);
    }
    if (plan.shape.bias) plan.bias = weights(plan.shape.n);
  }
  k_pool = map.allocate_in_layer(kv_.pool_bytes(), TensorRole::kv);
  if (!kv_.latent) v_pool = map.allocate_in_layer(kv_.pool_bytes(), TensorRole::kv);
  if (shard.host_weight_bytes() > 0) host_weights = map.allocate_in_layer(shard.host_weight_bytes(), TensorRole::weights);
  if (shard.host_kv_bytes() > 0) host_kv = map.allocate_in_layer(shard.host_kv_bytes(), TensorRole::kv);
}

DataType WorkloadPlan::tensor_type(DataType weights) const {
  if (weights == DataType::fp8 && gpu.fp8_tensor) return DataType::fp8;
  const DataType type = bytes_per_element(weights) >= 2 ? weights : shard.activations;
  return type == DataType::fp32 ? DataType::tf32 : type;
}

Matrix WorkloadPlan::activations(std::uint64_t address, std::uint64_t cols) const {
  Matrix out = matrix_at(address, shard.tokens(), cols, shard.activations, TensorRole::activations);
  out.produced = true;
  return out;
}

Matrix WorkloadPlan::gain(std::uint64_t address) const {
  return table(address, shard.model.layer_norm ? 2 : 1);
}

Matrix WorkloadPlan::table(std::uint64_t address, std::uint64_t rows) const {
  return matrix_at(address, rows, shard.hidden, shard.dense, TensorRole::weights);
}

GemmProblem WorkloadPlan::linear(const LinearPlan& plan, const LinearPart& part, std::uint32_t layer, std::uint64_t in,
                                 std::uint64_t out) const {
  GemmProblem problem;
  problem.a = activations(in, plan.shape.k);
  const std::uint64_t row = shard.linear_row_bytes(plan.shape);
  const std::uint64_t from = part.staged ? weight_slots[layer % 2] + plan.staged : map.address(plan.resident, layer);
  const DataType type = plan.shape.wide ? shard.dense : shard.linear;
  problem.b = matrix_at(from, part.rows, plan.shape.k, type, TensorRole::weights);
  problem.b.produced = part.staged;  // The copy engine has just written it.
  problem.b.pitch = row;
  problem.c = activations(out, plan.shape.n);
  problem.c.address += bytes_of(shard.activations, part.first_row);
  problem.c.cols = part.rows;
  if (shard.scaled && !plan.shape.wide) {
    const std::uint64_t columns = shard.scale_columns(plan.shape);
    const std::uint64_t own = map.address(plan.scales, layer) + part.first_row * columns * 4;
    problem.b_scales = matrix_at(own, part.rows, columns, DataType::fp32, TensorRole::scales);
  }
  if (plan.shape.bias) {
    const std::uint64_t own = map.address(plan.bias, layer) + bytes_of(shard.dense, part.first_row);
    problem.bias = matrix_at(own, 1, part.rows, shard.dense, TensorRole::weights);
  }
  problem.workspace = matrix_at(gemm_workspace, part.tiling.split_k * shard.tokens(), part.rows, DataType::fp32, TensorRole::activations);
  problem.workspace.produced = true;
  problem.tensor_type = tensor_type(type);
  return problem;
}

GemmProblem WorkloadPlan::lm_head_problem() const {
  GemmProblem problem;
  problem.a = activations(normed, shard.hidden);
  // The last token of each sequence: one row in q_len.
  problem.a.address += (shard.q_len - 1) * problem.a.pitch;
  problem.a.pitch *= shard.q_len;
  problem.a.rows = shard.sequences;
  problem.b = matrix_at(lm_head, shard.vocabulary, shard.hidden, shard.dense, TensorRole::weights);
  problem.c = activations(logits, shard.vocabulary);
  problem.c.rows = shard.sequences;
  if (shard.model.lm_head_bias) problem.bias = matrix_at(lm_head_bias, 1, shard.vocabulary, shard.dense, TensorRole::weights);
  problem.workspace =
      matrix_at(gemm_workspace, head.tiling.split_k * shard.sequences, shard.vocabulary, DataType::fp32, TensorRole::activations);
  problem.workspace.produced = true;
  problem.tensor_type = tensor_type(shard.dense);
  return problem;
}

KvCache WorkloadPlan::cache(std::uint32_t layer) const {
  KvCache out = kv_;
  out.k_pool = map.address(k_pool, layer);
  out.v_pool = map.address(v_pool, layer);
  out.staged = kv_slots[layer % 2];
  return out;
}

RopeProblem WorkloadPlan::rope(std::uint32_t layer) const {
  RopeProblem problem;
  problem.batch = shard.sequences;
  problem.q_len = shard.q_len;
  problem.first_position = shard.kv_len - shard.q_len;
  problem.q_heads = shard.q_heads;
  problem.kv_heads = shard.kv_heads;
  problem.head_dim = static_cast<std::uint32_t>(shard.head_dim);
  problem.qkv = activations(qkv, shard.qkv_columns());
  if (shard.model.rope()) {
    problem.cos_sin = matrix_at(cos_sin, shard.max_positions, shard.rotary_columns(), shard.activations, TensorRole::tables);
  }
  if (shard.model.qk_norm) problem.qk_gain = matrix_at(map.address(qk_gain, layer), 2, shard.head_dim, shard.dense, TensorRole::weights);
  if (shard.qkv_bias) problem.bias = matrix_at(map.address(bias, layer), 1, shard.qkv_columns(), shard.dense, TensorRole::weights);
  problem.kv = cache(layer);
  return problem;
}

AttentionProblem WorkloadPlan::attention_shape() const {
  if (shard.model.latent()) return latent_shape();
  AttentionProblem problem;
  problem.batch = shard.sequences;
  problem.q_heads = shard.q_heads;
  problem.kv_heads = shard.kv_heads;
  problem.head_dim = static_cast<std::uint32_t>(shard.head_dim);
  problem.q_len = shard.q_len;
  problem.kv_len = shard.kv_len;
  problem.window_left = shard.window > 0 ? static_cast<std::int64_t>(shard.window) - 1 : kNoWindow;
  problem.q = activations(qkv, shard.q_heads * shard.head_dim);
  problem.q.pitch = bytes_of(shard.activations, shard.qkv_columns());
  problem.o = activations(attended, shard.q_heads * shard.head_dim);
  problem.kv = kv_;
  problem.kv_produced = shard.q_len;  // RoPE has just written them.
  problem.tensor_type = tensor_type(shard.activations);
  return problem;
}

AttentionProblem WorkloadPlan::attention(std::uint32_t layer) const {
  AttentionProblem problem = attention_shape();
  if (problem.kv.paged()) problem.kv = cache(layer);
  return problem;
}

std::uint64_t WorkloadPlan::unseen_kv_bytes() const {
  if (options.stage != Stage::decode) return 0;
  const std::uint64_t first_page = decode_first_token(attention_shape()) / shard.page_tokens;
  return shard.sequences * std::min(first_page, shard.host_pages) * shard.kv_page_bytes();
}

ByteRange WorkloadPlan::host_weights_of(std::uint32_t layer) const {
  return {map.address(host_weights, layer), shard.host_weight_bytes(), TensorRole::weights, Home::host, false, CacheHint::normal};
}

ByteRange WorkloadPlan::staged_weights_of(std::uint32_t layer) const {
  return {weight_slots[layer % 2], shard.host_weight_bytes(), TensorRole::weights, Home::local, true, CacheHint::normal};
}

ByteRange WorkloadPlan::host_kv_of(std::uint32_t layer) const {
  const std::uint64_t skip = unseen_kv_bytes();
  return {map.address(host_kv, layer) + skip, shard.host_kv_bytes() - skip, TensorRole::kv, Home::host, false, CacheHint::normal};
}

ByteRange WorkloadPlan::staged_kv_of(std::uint32_t layer) const {
  const std::uint64_t skip = unseen_kv_bytes();
  return {kv_slots[layer % 2] + skip, shard.host_kv_bytes() - skip, TensorRole::kv, Home::local, true, CacheHint::normal};
}

}  // namespace rooftrace
