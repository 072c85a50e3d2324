// A layer's latent attention (MLA): where its tensors lie, and its kernels.
//
// Both stages: one projection makes what Q is made of (or Q itself) and the latent; both are normed in place; a second projection makes Q.
// Decode, absorbed: Q without position goes through W_UK into the latent space, head by head; RoPE and the cache; attention over the
// latent; what it found goes through W_UV, head by head. Prefill: one projection makes K without position and V of all heads; RoPE puts K
// together and writes the cache; attention over K and V as any other, with heads of head_dim and v_dim features.
#include <fmt/format.h>

#include "traces/elementwise.hpp"
#include "traces/workload_layer.hpp"

namespace rooftrace {
namespace {

std::uint64_t nope(const ModelSpec& model) {
  return model.head_dim - model.rope_dim;
}

}  // namespace

void WorkloadPlan::choose_latent() {
  const ModelSpec& model = shard.model;
  if (!shard.decodes) {
    // Tiles of K and V differ in width: their mean decides what fits.
    const std::uint32_t width = (model.head_dim + model.v_dim + 1) / 2;
    prefill = choose_prefill_tiling(gpu, width, shard.activations, shard.activations);
    return;
  }
  latent = choose_latent_tiling(gpu, attention_shape(), options.kv_splits);
  const auto heads = [&](std::uint64_t n, std::uint64_t depth) {
    return choose_batched_tiling(gpu, shard.tokens(), n, depth, shard.q_heads, shard.dense, shard.activations);
  };
  absorb_tiling = heads(model.kv_rank, nope(model));
  expand_tiling = heads(model.v_dim, model.kv_rank);
}

void WorkloadPlan::allocate_latent() {
  const ModelSpec& model = shard.model;
  if (!model.latent()) return;
  const auto buffer = [&](std::uint64_t cols) {
    return map.allocate(shard.tokens() * bytes_of(shard.activations, cols), TensorRole::activations);
  };
  if (model.q_rank > 0) q = buffer(shard.q_columns());
  if (shard.decodes) {
    latent_q = buffer(shard.q_heads * shard.kv_width());
    latent_o = buffer(std::uint64_t{shard.q_heads} * model.kv_rank);
  } else {
    kv_up = buffer(shard.q_heads * (nope(model) + model.v_dim));
    whole_k = buffer(shard.q_columns());
  }
}

Matrix WorkloadPlan::q_source() const {
  Matrix out = activations(qkv, shard.qkv_columns());
  out.cols = shard.model.q_rank;
  return out;
}

Matrix WorkloadPlan::q_matrix() const {
  if (shard.model.q_rank > 0) return activations(q, shard.q_columns());
  Matrix out = activations(qkv, shard.qkv_columns());
  out.cols = shard.q_columns();
  return out;
}

Matrix WorkloadPlan::latent_rows() const {
  Matrix out = activations(qkv, shard.qkv_columns());
  out.address += bytes_of(shard.activations, shard.qkv_columns() - shard.kv_width());
  out.cols = shard.kv_width();
  return out;
}

Matrix WorkloadPlan::latent_part() const {
  Matrix out = latent_rows();
  out.cols = shard.model.kv_rank;
  return out;
}

Matrix WorkloadPlan::latent_gain(std::uint64_t offset, std::uint64_t cols, std::uint32_t layer) const {
  return matrix_at(map.address(offset, layer), 1, cols, shard.dense, TensorRole::weights);
}

LatentWriteProblem WorkloadPlan::latent_write(std::uint32_t layer) const {
  const ModelSpec& model = shard.model;
  LatentWriteProblem problem;
  problem.batch = shard.sequences;
  problem.q_len = shard.q_len;
  problem.first_position = shard.kv_len - shard.q_len;
  problem.q_heads = shard.q_heads;
  problem.rope_dim = model.rope_dim;
  problem.latent = latent_rows();
  const auto behind = [&](Matrix heads, std::uint64_t features) {
    heads.address += bytes_of(shard.activations, features);
    heads.cols = model.rope_dim;
    return heads;
  };
  problem.q = problem.out = behind(q_matrix(), nope(model));
  problem.q_stride = problem.out_stride = bytes_of(shard.activations, model.head_dim);
  if (shard.decodes) {
    problem.out = behind(activations(latent_q, shard.q_heads * shard.kv_width()), model.kv_rank);
    problem.out_stride = bytes_of(shard.activations, shard.kv_width());
  } else {
    problem.k_up = activations(kv_up, linears[kKvUp].shape.n);
    problem.k_up.cols = shard.q_heads * nope(model);
    problem.k = activations(whole_k, shard.q_columns());
  }
  problem.cos_sin = matrix_at(cos_sin, shard.max_positions, model.rope_dim, shard.activations, TensorRole::tables);
  problem.kv = cache(layer);
  return problem;
}

BatchedGemmProblem WorkloadPlan::absorb(std::uint32_t layer) const {
  const ModelSpec& model = shard.model;
  BatchedGemmProblem problem;
  problem.count = shard.q_heads;
  problem.first.a = q_matrix();
  problem.first.a.cols = nope(model);
  problem.a_stride = bytes_of(shard.activations, model.head_dim);
  problem.first.b = matrix_at(map.address(linears[kKvUp].resident, layer), model.kv_rank, nope(model), shard.dense, TensorRole::weights);
  problem.b_stride = problem.first.b.bytes();
  problem.first.c = activations(latent_q, shard.q_heads * shard.kv_width());
  problem.first.c.cols = model.kv_rank;
  problem.c_stride = bytes_of(shard.activations, shard.kv_width());
  problem.first.tensor_type = tensor_type(shard.dense);
  return problem;
}

BatchedGemmProblem WorkloadPlan::expand(std::uint32_t layer) const {
  const ModelSpec& model = shard.model;
  BatchedGemmProblem problem;
  problem.count = shard.q_heads;
  problem.first.a = activations(latent_o, std::uint64_t{shard.q_heads} * model.kv_rank);
  problem.first.a.cols = model.kv_rank;
  problem.a_stride = bytes_of(shard.activations, model.kv_rank);
  // Behind W_UK of all heads.
  const std::uint64_t offset = linears[kKvUp].resident + bytes_of(shard.dense, shard.q_heads * nope(model) * model.kv_rank);
  problem.first.b = matrix_at(map.address(offset, layer), model.v_dim, model.kv_rank, shard.dense, TensorRole::weights);
  problem.b_stride = problem.first.b.bytes();
  problem.first.c = activations(attended, shard.attended_columns());
  problem.first.c.cols = model.v_dim;
  problem.c_stride = bytes_of(shard.activations, model.v_dim);
  problem.first.tensor_type = tensor_type(shard.dense);
  return problem;
}

AttentionProblem WorkloadPlan::latent_shape() const {
  const ModelSpec& model = shard.model;
  AttentionProblem problem;
  problem.batch = shard.sequences;
  problem.q_heads = shard.q_heads;
  problem.q_len = shard.q_len;
  problem.kv_len = shard.kv_len;
  problem.tensor_type = tensor_type(shard.activations);
  problem.kv_produced = shard.q_len;
  if (shard.decodes) {
    problem.head_dim = static_cast<std::uint32_t>(shard.kv_width());
    problem.value_dim = model.kv_rank;
    problem.q = activations(latent_q, shard.q_heads * shard.kv_width());
    problem.o = activations(latent_o, std::uint64_t{shard.q_heads} * model.kv_rank);
    problem.kv = kv_;
    return problem;
  }
  problem.kv_heads = shard.q_heads;
  problem.head_dim = model.head_dim;
  problem.value_dim = model.v_dim;
  problem.q = q_matrix();
  problem.o = activations(attended, shard.attended_columns());
  Matrix v = activations(kv_up, linears[kKvUp].shape.n);
  v.address += bytes_of(shard.activations, shard.q_heads * nope(model));
  problem.kv = contiguous_kv(activations(whole_k, shard.q_columns()), v, shard.sequences, shard.q_heads, model.head_dim);
  problem.kv.value_dim = model.v_dim;
  problem.kv.role = TensorRole::activations;
  return problem;
}

void WorkloadBuilder::latent_attention(std::uint32_t layer) {
  const WorkloadPlan& p = plan_;
  const ModelSpec& model = p.shard.model;
  const auto number = static_cast<std::int32_t>(layer);
  const auto norm_in_place = [&](const Matrix& x, std::uint64_t gain) {
    add(make_rms_norm(p.gpu, {x, {}, p.latent_gain(gain, x.cols, layer), x}), KernelClass::norm, number);
  };
  const auto up = [&](std::size_t which, const Matrix& from, std::uint64_t to) {
    const LinearPlan& plan = p.linears[which];
    GemmProblem problem = p.linear(plan, plan.parts.front(), layer, 0, to);
    problem.a = from;
    add_gemm(problem, plan.parts.front().tiling, KernelClass::qkv_projection, number, std::nullopt);
  };
  const auto heads = [&](const BatchedGemmProblem& problem, const GemmTiling& tiling, KernelClass kernel_class) {
    Kernel kernel = make_batched_gemm(p.gpu, problem, tiling);
    kernel.label = fmt::format("{} {}", name(kernel_class), kernel.label);
    add(std::move(kernel), kernel_class, number);
  };
  norm_in_place(p.latent_part(), p.latent_norm);
  if (model.q_rank > 0) {
    norm_in_place(p.q_source(), p.q_norm);
    up(kQUp, p.q_source(), p.q);
  }
  if (!p.shard.decodes) {
    up(kKvUp, p.latent_part(), p.kv_up);
    cache_write(make_latent_write(p.gpu, p.latent_write(layer)), layer);
    add(make_attention_prefill(p.attention(layer), p.prefill), KernelClass::attention, number);
    return;
  }
  heads(p.absorb(layer), p.absorb_tiling, KernelClass::qkv_projection);
  cache_write(make_latent_write(p.gpu, p.latent_write(layer)), layer);
  const AttentionProblem problem = p.attention(layer);
  const std::uint32_t index = add(make_latent_decode(problem, p.latent, p.attention_workspace), KernelClass::attention, number);
  wait(index, copies_[layer].kv);
  if (p.latent.slots() > 0) add(make_latent_combine(problem, p.latent, p.attention_workspace), KernelClass::attention, number);
  heads(p.expand(layer), p.expand_tiling, KernelClass::output_projection);
}

}  // namespace rooftrace
