// From a model and a batch to a graph of kernels: one decode step or one prefill of a transformer, as one GPU of a tensor-parallel
// group sees it.
//
// All GPUs of the group do the same on their shard at the same time, so one stands for all; what it sends to its peers equals what it
// receives. Not modeled: sampling, the tokenizer, the serving engine's CPU time, pipeline parallelism, speculative decoding.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "sim/core/device_shape.hpp"
#include "sim/core/kernel.hpp"
#include "traces/attention_splits.hpp"
#include "traces/collective.hpp"
#include "traces/gemm.hpp"
#include "traces/model_spec.hpp"

namespace rooftrace {

/// Fields of a GemmTiling that a config overrides for one kernel class; negative: keep the rule's choice.
struct TilingOverride {
  std::int64_t block_m = -1, block_n = -1, block_k = -1, stages = -1, blocks_per_sm = -1, group_m = -1, split_k = -1, cluster_m = -1,
               cluster_n = -1, persistent = -1;
};

struct WorkloadOptions {
  Stage stage = Stage::decode;
  std::uint32_t batch = 1;
  std::uint32_t context = 4096;  ///< Decode: tokens already in the KV cache of each sequence when the step starts (>= 1).
  std::uint32_t prompt = 2048;   ///< Prefill: tokens of each sequence, KV cache empty before.
  std::uint32_t tp = 1;
  DataType weights = DataType::bf16;  ///< Linear layers (embedding, LM head and norms stay 16 bit below fp8... see workload.cpp).
  DataType kv = DataType::bf16;
  DataType activations = DataType::bf16;
  double offload_weights =
      0;  ///< Share of each layer's weights kept in host memory and streamed over PCIe every step, the next layer prefetched.
  double offload_kv = 0;           ///< Share of each sequence's KV pages kept in host memory, streamed likewise.
  std::uint32_t page_tokens = 16;  ///< Tokens per page of the KV cache.
  std::uint32_t kv_splits = 0;     ///< Blocks that share one KV head of one sequence in decode attention; 0: the rule.
  AttentionEngine attention_engine = AttentionEngine::automatic;  ///< Whose rule; latent attention has its own (attention_latent.hpp).
  /// Narrow weights: elements of a row that share 4 B of scale and zero (16 bit each); 0: an fp32 scale for the whole row. Experts: 0
  /// always.
  std::uint32_t weight_group = 0;
  bool separate_residual = false;  ///< Residuals are added by a kernel of their own before the norm, not by the norm's.
  bool experts_for_a100 = false;   ///< The GEMMs of experts are kernels made for A100 whatever the GPU (moe_gemm.hpp).
  AllReduceRule all_reduce;
  std::uint64_t seed = 1;  ///< Order of the physical KV pages.
  std::map<KernelClass, TilingOverride> tiling;
};

/// Bytes one GPU must hold.
struct MemoryNeed {
  std::uint64_t weights = 0, kv = 0, activations = 0;  ///< In GPU memory.
  std::uint64_t host = 0;                              ///< Offloaded to host memory.
  [[nodiscard]] std::uint64_t total() const { return weights + kv + activations; }
};

/// Options that contradict the model (TP that does not divide the heads, prompt or context longer than the model's maximum, zero batch or
/// context ...): std::invalid_argument whose what() is the message without location.
void check_workload(const ModelSpec& model, const WorkloadOptions& options);
[[nodiscard]] MemoryNeed memory_need(const ModelSpec& model, const WorkloadOptions& options);
[[nodiscard]] Trace make_workload(const ModelSpec& model, const DeviceShape& gpu, const WorkloadOptions& options);

}  // namespace rooftrace
