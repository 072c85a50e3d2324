// The recipe of a decoder layer, and what stands before and after the layers.
#include "traces/workload_layer.hpp"

#include <fmt/format.h>

#include <utility>

#include "traces/collective.hpp"
#include "traces/copy.hpp"
#include "traces/elementwise.hpp"

namespace rooftrace {
namespace {

constexpr std::uint32_t kCopyIn = 1;
constexpr std::uint32_t kCopyOut = 2;

std::int32_t signed_layer(std::uint32_t layer) {
  return static_cast<std::int32_t>(layer);
}

}  // namespace

std::uint32_t WorkloadBuilder::add(Kernel kernel, KernelClass kernel_class, std::int32_t layer, std::uint32_t stream) {
  kernel.kernel_class = kernel_class;
  kernel.stage = plan_.options.stage;
  kernel.layer = layer;
  kernel.stream = stream;
  trace_.kernels.push_back(std::move(kernel));
  return static_cast<std::uint32_t>(trace_.kernels.size() - 1);
}

void WorkloadBuilder::wait(std::uint32_t index, const std::optional<std::uint32_t>& earlier) {
  if (earlier.has_value()) trace_.kernels[index].waits_for.push_back(*earlier);
}

void WorkloadBuilder::add_gemm(const GemmProblem& problem, const GemmTiling& tiling, KernelClass kernel_class, std::int32_t layer,
                               std::optional<std::uint32_t> earlier) {
  Kernel gemm = make_gemm(plan_.gpu, problem, tiling);
  gemm.label = fmt::format("{} {}", name(kernel_class), gemm.label);
  wait(add(std::move(gemm), kernel_class, layer), earlier);
  if (tiling.split_k < 2) return;
  Kernel reduce = make_split_k_reduce(plan_.gpu, problem, tiling);
  reduce.label = fmt::format("{} {}", name(kernel_class), reduce.label);
  add(std::move(reduce), kernel_class, layer);
}

/// normed = rms_norm(x + residual); x is the residual itself where nothing has been computed yet.
void WorkloadBuilder::norm(std::uint64_t x, bool with_residual, std::uint64_t gain, std::int32_t layer) {
  RmsNormProblem problem;
  if (with_residual && plan_.options.separate_residual) {
    const Matrix residual = plan_.activations(plan_.residual, plan_.shard.hidden);
    add(make_residual_add(plan_.gpu, residual, plan_.activations(x, plan_.shard.hidden), residual), KernelClass::residual, layer);
    x = plan_.residual;
    with_residual = false;
  }
  problem.x = plan_.activations(x, plan_.shard.hidden);
  if (with_residual) problem.residual = plan_.activations(plan_.residual, plan_.shard.hidden);
  problem.gain = plan_.gain(gain);
  problem.out = plan_.activations(plan_.normed, plan_.shard.hidden);
  add(make_rms_norm(plan_.gpu, problem), KernelClass::norm, layer);
}

void WorkloadBuilder::linear(std::size_t which, std::uint32_t layer, std::uint64_t in, std::uint64_t out) {
  const LinearPlan& linear = plan_.linears[which];
  for (const LinearPart& part : linear.parts) {
    const std::optional<std::uint32_t> earlier = part.staged ? copies_[layer].weights : std::nullopt;
    add_gemm(plan_.linear(linear, part, layer, in, out), part.tiling, linear.shape.kernel_class, signed_layer(layer), earlier);
  }
}

void WorkloadBuilder::rope(std::uint32_t layer) {
  cache_write(make_rope_kv_write(plan_.gpu, plan_.rope(layer)), layer);
}

void WorkloadBuilder::cache_write(Kernel kernel, std::uint32_t layer) {
  const std::uint32_t index = add(std::move(kernel), KernelClass::rope_kv_write, signed_layer(layer));
  if (plan_.options.stage != Stage::prefill || plan_.shard.host_kv_bytes() == 0) return;
  // Pages of host memory are written to the slot and taken out while attention reads them.
  if (layer >= 2) wait(index, write_backs_[layer - 2]);
  Kernel out = make_engine_copy(plan_.staged_kv_of(layer), plan_.host_kv_of(layer));
  out.label = "copy KV to host";
  write_backs_[layer] = add(std::move(out), KernelClass::copy, signed_layer(layer), kCopyOut);
  wait(*write_backs_[layer], index);
}

void WorkloadBuilder::attention(std::uint32_t layer) {
  const AttentionProblem problem = plan_.attention(layer);
  if (plan_.options.stage == Stage::prefill) {
    add(make_attention_prefill(problem, plan_.prefill), KernelClass::attention, signed_layer(layer));
    return;
  }
  const std::uint32_t index =
      add(make_attention_decode(problem, plan_.decode, plan_.attention_workspace), KernelClass::attention, signed_layer(layer));
  wait(index, copies_[layer].kv);
  if (plan_.decode.splits > 1) {
    add(make_attention_combine(problem, plan_.decode, plan_.attention_workspace), KernelClass::attention, signed_layer(layer));
  }
}

void WorkloadBuilder::all_reduce(std::uint64_t in, std::uint64_t out, std::int32_t layer) {
  AllReduceProblem problem;
  problem.ranks = plan_.options.tp;
  problem.elements = plan_.shard.tokens() * plan_.shard.hidden;
  problem.type = plan_.shard.activations;
  problem.input = in;
  problem.output = out;
  problem.receive = plan_.receive;
  problem.peer = plan_.peer;
  add(make_all_reduce(plan_.gpu, problem, plan_.all_reduce), KernelClass::all_reduce, layer);
}

void WorkloadBuilder::embed() {
  const WorkloadShard& s = plan_.shard;
  const bool parallel = plan_.options.tp > 1;
  // With a vocabulary in tp shards a GPU finds 1/tp of the tokens in its own; the rows of the others stay zero, and the all-reduce fills
  // them in.
  const std::uint64_t own = (s.tokens() + plan_.options.tp - 1) / plan_.options.tp;
  const Matrix table = plan_.table(plan_.embedding, s.vocabulary);
  Matrix ids;
  ids.address = plan_.ids;
  ids.rows = 1;
  ids.cols = own;
  ids.pitch = own * 4;
  ids.type = DataType::fp32;  // int32 in truth: four bytes
  ids.role = TensorRole::tables;
  Matrix out = plan_.activations(parallel ? plan_.projected : plan_.residual, s.hidden);
  out.rows = own;
  add(make_embedding(plan_.gpu, table, ids, out, plan_.options.seed), KernelClass::embedding, -1);
  if (parallel) all_reduce(plan_.projected, plan_.residual, -1);
  const ModelSpec& model = s.model;
  const Matrix x = plan_.activations(plan_.residual, s.hidden);
  if (model.learned_positions > 0) {
    const std::uint64_t first = model.learned_positions - model.max_positions + s.kv_len - s.q_len;
    add(make_position_add(plan_.gpu, x, plan_.table(plan_.positions, model.learned_positions), first, s.q_len), KernelClass::embedding, -1);
  }
  if (model.embedding_norm) {
    add(make_rms_norm(plan_.gpu, {x, {}, plan_.gain(plan_.embedding_norm), x}), KernelClass::norm, -1);
  }
}

void WorkloadBuilder::prefetch(std::uint32_t layer) {
  if (layer >= plan_.shard.layers) return;
  // Called when layer - 2, the last to use this slot, is complete: its last kernel is the last of stream 0 so far.
  std::optional<std::uint32_t> slot_free;
  if (layer >= 2) {
    for (std::size_t i = trace_.kernels.size(); i-- > 0 && !slot_free.has_value();) {
      if (trace_.kernels[i].stream == 0) slot_free = static_cast<std::uint32_t>(i);
    }
  }
  const auto bring = [&](const ByteRange& from, const ByteRange& to, const char* label) {
    Kernel copy = make_engine_copy(from, to);
    copy.label = label;
    const std::uint32_t index = add(std::move(copy), KernelClass::copy, signed_layer(layer), kCopyIn);
    wait(index, slot_free);
    return index;
  };
  if (plan_.shard.host_weight_bytes() > 0) {
    copies_[layer].weights = bring(plan_.host_weights_of(layer), plan_.staged_weights_of(layer), "copy weights from host");
  }
  if (plan_.options.stage == Stage::decode && plan_.host_kv_of(layer).bytes > 0) {
    copies_[layer].kv = bring(plan_.host_kv_of(layer), plan_.staged_kv_of(layer), "copy KV from host");
  }
}

void WorkloadBuilder::layer(std::uint32_t layer) {
  const WorkloadPlan& p = plan_;
  const std::int32_t number = signed_layer(layer);
  const bool parallel = p.options.tp > 1;
  // The FFN of the layer before left its output in `reduced` (the same buffer as `projected` on one GPU).
  norm(layer == 0 ? p.residual : p.reduced, layer > 0, p.map.address(p.attention_norm, layer), number);
  linear(kQkv, layer, p.normed, p.qkv);
  if (p.shard.model.latent()) {
    latent_attention(layer);
  } else {
    rope(layer);
    attention(layer);
  }
  linear(kOutput, layer, p.attended, p.projected);
  if (p.shard.model.parallel_block) {
    // The FFN reads what attention read; their sum is reduced once.
    if (!p.shard.model.shared_norm) norm(p.residual, false, p.map.address(p.ffn_norm, layer), number);
    ffn(layer, p.ffn_out);
    const Matrix sum = p.activations(p.projected, p.shard.hidden);
    add(make_residual_add(p.gpu, sum, p.activations(p.ffn_out, p.shard.hidden), sum), KernelClass::residual, number);
  } else {
    if (parallel) all_reduce(p.projected, p.reduced, number);
    norm(p.reduced, true, p.map.address(p.ffn_norm, layer), number);
    ffn(layer, p.projected);
  }
  if (parallel) all_reduce(p.projected, p.reduced, number);
}

void WorkloadBuilder::activation(std::int32_t layer, std::uint64_t rows, std::uint64_t features) {
  const WorkloadPlan& p = plan_;
  Matrix up = p.activations(p.gate_up, (p.shard.model.gated ? 2 : 1) * features);
  Matrix out = p.activations(p.gated, features);
  up.rows = out.rows = rows;
  const Activation f = p.shard.model.activation;
  add(p.shard.model.gated ? make_gated_activation(p.gpu, up, out, f) : make_activation(p.gpu, up, out, f), KernelClass::activation, layer);
}

void WorkloadBuilder::ffn(std::uint32_t layer, std::uint64_t out) {
  const ModelSpec& model = plan_.shard.model;
  if (layer < model.dense_layers) return plain_ffn(kDenseUp, kDenseDown, layer, out);
  if (model.experts > 0) return experts(layer, out);
  plain_ffn(kUp, kDown, layer, out);
}

void WorkloadBuilder::plain_ffn(std::size_t up, std::size_t down, std::uint32_t layer, std::uint64_t out) {
  linear(up, layer, plan_.normed, plan_.gate_up);
  activation(signed_layer(layer), plan_.shard.tokens(), plan_.linears[down].shape.k);
  linear(down, layer, plan_.gated, out);
}

void WorkloadBuilder::lm_head() {
  norm(plan_.reduced, true, plan_.final_norm, -1);
  add_gemm(plan_.lm_head_problem(), plan_.head.tiling, KernelClass::lm_head, -1, std::nullopt);
}

}  // namespace rooftrace
