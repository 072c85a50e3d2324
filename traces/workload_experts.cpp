// A layer's FFN where a router chooses experts: the shared ones, then scores, choice, sorting, two GEMMs over all experts, weighted sum.
#include <fmt/format.h>

#include "traces/elementwise.hpp"
#include "traces/workload_layer.hpp"

namespace rooftrace {

void WorkloadPlan::allocate_experts() {
  if (!routing) return;
  const auto buffer = [&](std::uint64_t bytes, TensorRole role) { return map.allocate(bytes, role); };
  scores = buffer(shard.tokens() * bytes_of(shard.activations, shard.model.experts), TensorRole::activations);
  routes = buffer(shard.ffn_rows() * 8, TensorRole::tables);
  expert_list = buffer(shard.ffn_rows() * 4, TensorRole::tables);
  expert_out = buffer(shard.ffn_rows() * bytes_of(shard.activations, shard.hidden), TensorRole::activations);
}

Matrix WorkloadPlan::ffn_activations(std::uint64_t address, std::uint64_t cols) const {
  Matrix out = activations(address, cols);
  out.rows = shard.ffn_rows();
  return out;
}

Matrix WorkloadPlan::expert_routes() const {
  Matrix out = matrix_at(routes, shard.tokens(), 2ULL * shard.model.experts_per_token, DataType::fp32, TensorRole::tables);
  out.produced = true;
  return out;
}

Matrix WorkloadPlan::sorted_slots() const {
  Matrix out = matrix_at(expert_list, 1, shard.ffn_rows(), DataType::fp32, TensorRole::tables);  // int32 in truth: four bytes
  out.produced = true;
  return out;
}

GemmProblem WorkloadPlan::router_problem(std::uint32_t layer) const {
  const std::uint64_t experts = shard.model.experts;
  GemmProblem problem;
  problem.a = activations(normed, shard.hidden);
  problem.b = table(map.address(router, layer), experts);
  problem.c = activations(scores, experts);
  problem.workspace = matrix_at(gemm_workspace, router_tiling.split_k * shard.tokens(), experts, DataType::fp32, TensorRole::activations);
  problem.workspace.produced = true;
  problem.tensor_type = tensor_type(shard.dense);
  return problem;
}

MoeGemmProblem WorkloadPlan::experts(const LinearPlan& plan, std::uint32_t layer, std::uint64_t in, std::uint64_t out) const {
  MoeGemmProblem problem;
  problem.row_per_token = plan.shape.kernel_class == KernelClass::ffn_up;
  problem.a = problem.row_per_token ? activations(in, plan.shape.k) : ffn_activations(in, plan.shape.k);
  problem.b = matrix_at(map.address(plan.resident, layer), plan.shape.rows(), plan.shape.k, shard.linear, TensorRole::weights);
  if (shard.scaled) {
    problem.b_scales = matrix_at(map.address(plan.scales, layer), plan.shape.rows(), 1, DataType::fp32, TensorRole::scales);
  }
  problem.c = ffn_activations(out, plan.shape.n);
  problem.list = expert_list;
  problem.routing = routing;
  problem.tensor_type = tensor_type(shard.linear);
  problem.for_a100 = options.experts_for_a100;
  return problem;
}

void WorkloadBuilder::experts(std::uint32_t layer, std::uint64_t out) {
  const WorkloadPlan& p = plan_;
  const auto number = static_cast<std::int32_t>(layer);
  const auto gemm = [&](const LinearPlan& linear, std::uint64_t from, std::uint64_t to) {
    Kernel kernel = make_moe_gemm(p.gpu, p.experts(linear, layer, from, to), linear.parts.front().tiling);
    kernel.label = fmt::format("{} {}", name(linear.shape.kernel_class), kernel.label);
    add(std::move(kernel), linear.shape.kernel_class, number);
  };
  const bool shared = p.shard.model.shared_experts > 0;
  if (shared) plain_ffn(kSharedUp, kSharedDown, layer, p.ffn_out);
  add_gemm(p.router_problem(layer), p.router_tiling, KernelClass::router, number, std::nullopt);
  const Matrix scores = p.activations(p.scores, p.shard.model.experts);
  add(make_top_k(p.gpu, scores, p.expert_routes(), p.shard.model.experts_per_token), KernelClass::router, number);
  add(make_sort_by_expert(p.expert_routes(), p.sorted_slots()), KernelClass::router, number);
  gemm(p.linears[kUp], p.normed, p.gate_up);
  activation(number, p.shard.ffn_rows(), p.shard.intermediate);
  gemm(p.linears[kDown], p.gated, p.expert_out);
  const Matrix parts = p.ffn_activations(p.expert_out, p.shard.hidden);
  // The sum over a token's experts ends the second GEMM, as a reduction over split-K would.
  const Matrix sum = p.activations(out, p.shard.hidden);
  add(make_moe_combine(p.gpu, parts, p.expert_routes(), sum), KernelClass::ffn_down, number);
  if (shared) add(make_residual_add(p.gpu, sum, p.activations(p.ffn_out, p.shard.hidden), sum), KernelClass::residual, number);
}

}  // namespace rooftrace
