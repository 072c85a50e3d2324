// Everything about a step that is decided before its first kernel: tilings and addresses.
//
// Front area: embedding, LM head, norms, tables, the activation buffers (one of each, used again by every layer), workspaces, staging.
// Layer arena: resident rows of the linear matrices, scales, bias, norm gains, resident KV pages, then what lives in host memory; a layer
// that lacks some of it (the first ones of a model with experts) leaves the place empty. Two
// parts of a matrix (host rows first, met in a staging slot; resident rows) are two GEMMs, each writing its own columns of the output.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "sim/core/device_shape.hpp"
#include "traces/attention.hpp"
#include "traces/attention_decode.hpp"
#include "traces/attention_latent.hpp"
#include "traces/attention_prefill.hpp"
#include "traces/batched_gemm.hpp"
#include "traces/copy.hpp"
#include "traces/gemm.hpp"
#include "traces/latent_write.hpp"
#include "traces/moe_gemm.hpp"
#include "traces/rope.hpp"
#include "traces/tensor_map.hpp"
#include "traces/workload_shard.hpp"

namespace rooftrace {

struct LinearPart {
  std::uint64_t first_row = 0, rows = 0;  ///< Of every expert, where there are experts.
  bool staged = false;
  GemmTiling tiling;
};

struct LinearPlan {
  LinearShape shape;
  std::uint64_t resident = 0;  ///< Arena offset of the first resident row.
  std::uint64_t scales = 0;    ///< Arena offset.
  std::uint64_t bias = 0;      ///< Arena offset.
  std::uint64_t staged = 0;    ///< Offset of the first host row in a host copy and in a staging slot.
  std::vector<LinearPart> parts;
};

class WorkloadPlan {
 public:
  WorkloadPlan(const ModelSpec& model, const DeviceShape& gpu, const WorkloadOptions& options);

  DeviceShape gpu;
  WorkloadOptions options;
  WorkloadShard shard;
  TensorMap map;

  // Front addresses.
  std::uint64_t embedding = 0, lm_head = 0, final_norm = 0, ids = 0, block_table = 0, cos_sin = 0;
  std::uint64_t residual = 0, normed = 0, qkv = 0, attended = 0, projected = 0, reduced = 0, gate_up = 0, gated = 0, logits = 0;
  AllReduceChoice all_reduce;  ///< Of this step: all of them sum tokens x hidden elements, so all are alike.
  std::uint64_t positions = 0, embedding_norm = 0, lm_head_bias = 0, ffn_out = 0;  ///< Where the model has them.
  std::uint64_t scores = 0, routes = 0, expert_list = 0, expert_out = 0;           ///< Where the model has experts.
  std::uint64_t q = 0, latent_q = 0, latent_o = 0, kv_up = 0, whole_k = 0;         ///< Of latent attention.
  std::uint64_t receive = 0, peer = 0, gemm_workspace = 0, attention_workspace = 0;
  std::array<std::uint64_t, 2> weight_slots{}, kv_slots{};
  // Arena offsets.
  std::uint64_t attention_norm = 0, ffn_norm = 0, bias = 0, qk_gain = 0, q_norm = 0, latent_norm = 0, router = 0;
  std::uint64_t k_pool = 0, v_pool = 0, host_weights = 0, host_kv = 0;

  std::array<LinearPlan, kLinears> linears;
  LinearPart head;  ///< LM head: all its rows.
  PrefillTiling prefill;
  DecodeTiling decode;
  LatentTiling latent;
  GemmTiling absorb_tiling, expand_tiling;       ///< Decode of latent attention: by W_UK, by W_UV.
  std::shared_ptr<const ExpertRouting> routing;  ///< Null without experts.
  GemmTiling router_tiling;

  /// tokens x cols of an activation buffer.
  [[nodiscard]] Matrix activations(std::uint64_t address, std::uint64_t cols) const;
  /// The same for the rows of the FFN.
  [[nodiscard]] Matrix ffn_activations(std::uint64_t address, std::uint64_t cols) const;
  [[nodiscard]] Matrix gain(std::uint64_t address) const;                       ///< Weights of a norm: one row, two for a layer norm.
  [[nodiscard]] Matrix table(std::uint64_t address, std::uint64_t rows) const;  ///< rows x hidden of 16 bit weights.
  [[nodiscard]] Matrix expert_routes() const;                                   ///< Expert and weight of every slot, a row per token.
  [[nodiscard]] Matrix sorted_slots() const;
  [[nodiscard]] GemmProblem router_problem(std::uint32_t layer) const;
  [[nodiscard]] MoeGemmProblem experts(const LinearPlan& plan, std::uint32_t layer, std::uint64_t in, std::uint64_t out) const;
  [[nodiscard]] GemmProblem linear(const LinearPlan& plan, const LinearPart& part, std::uint32_t layer, std::uint64_t in,
                                   std::uint64_t out) const;
  [[nodiscard]] GemmProblem lm_head_problem() const;
  [[nodiscard]] RopeProblem rope(std::uint32_t layer) const;

  // Latent attention (workload_latent.cpp).
  [[nodiscard]] Matrix q_source() const;     ///< What Q is made of: tokens x q_rank, part of the first projection.
  [[nodiscard]] Matrix q_matrix() const;     ///< tokens x q_columns.
  [[nodiscard]] Matrix latent_rows() const;  ///< tokens x (latent and position), part of the first projection.
  [[nodiscard]] Matrix latent_part() const;  ///< tokens x latent alone.
  [[nodiscard]] Matrix latent_gain(std::uint64_t offset, std::uint64_t cols, std::uint32_t layer) const;
  [[nodiscard]] LatentWriteProblem latent_write(std::uint32_t layer) const;
  [[nodiscard]] BatchedGemmProblem absorb(std::uint32_t layer) const;  ///< Q into the latent space.
  [[nodiscard]] BatchedGemmProblem expand(std::uint32_t layer) const;  ///< O out of it.
  [[nodiscard]] AttentionProblem attention(std::uint32_t layer) const;
  [[nodiscard]] bool offloads() const { return shard.host_weight_bytes() + shard.host_kv_bytes() > 0; }

  /// A layer's bytes in host memory and the staging slot where they are met; 0 bytes: nothing offloaded.
  [[nodiscard]] ByteRange host_weights_of(std::uint32_t layer) const;
  [[nodiscard]] ByteRange staged_weights_of(std::uint32_t layer) const;
  /// KV: only pages that attention reads (a window may leave old ones out).
  [[nodiscard]] ByteRange host_kv_of(std::uint32_t layer) const;
  [[nodiscard]] ByteRange staged_kv_of(std::uint32_t layer) const;

 private:
  void choose_tilings();
  void allocate_front();
  void allocate_arena();
  void allocate_experts();
  void allocate_latent();
  void choose_latent();
  [[nodiscard]] std::uint64_t unseen_kv_bytes() const;     ///< Of a layer's host KV, what lies before the window.
  [[nodiscard]] AttentionProblem attention_shape() const;  ///< Without the layer's addresses.
  [[nodiscard]] AttentionProblem latent_shape() const;
  [[nodiscard]] KvCache cache(std::uint32_t layer) const;
  [[nodiscard]] GemmTiling overridden(KernelClass kernel_class, GemmTiling tiling) const;
  [[nodiscard]] GemmTiling tiling(KernelClass kernel_class, std::uint64_t m, std::uint64_t n, std::uint64_t k, DataType weights) const;
  [[nodiscard]] DataType tensor_type(DataType weights) const;

  KvCache kv_;  ///< Without addresses that depend on the layer.
};

}  // namespace rooftrace
