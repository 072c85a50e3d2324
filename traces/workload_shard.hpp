// The sizes of one GPU's share of a step: what memory_need counts and make_workload allocates, so that the two cannot disagree.
//
// Sharding (Megatron style): query and KV heads, the intermediate size and the vocabulary (embedding and LM head) are divided by tp; norms
// are on every GPU. A vocabulary that tp does not divide is padded; with more GPUs than KV heads, several GPUs hold the same head. Experts
// are divided like an FFN, each along its inner features; the router is on every GPU. Data types: linear layers in `weights`, with one fp32
// scale per output channel below 16 bit; embedding, LM head, norms and biases in `weights` too, but never below 16 bit. Offload: of the
// four linear matrices of a layer, host memory takes whole rows (output channels), the last used matrix first, so that the resident ones
// can be worked on while the rest arrives: exact to half a row. KV: the oldest pages of each sequence; in decode never the page that the
// step writes.
#pragma once

#include <array>
#include <cstdint>

#include "traces/model_spec.hpp"
#include "traces/tensor.hpp"
#include "traces/workload.hpp"

namespace rooftrace {

/// One linear layer's weights on this GPU: n output channels of k inputs, once per expert.
struct LinearShape {
  KernelClass kernel_class = KernelClass::other;
  std::uint64_t n = 0, k = 0;
  std::uint64_t host_rows = 0;  ///< The first so many rows live in host memory.
  std::uint64_t copies = 1;     ///< Experts, each with a matrix of its own.
  bool bias = false;            ///< Added by the GEMM itself (that of Q, K and V is added by RoPE).

  [[nodiscard]] std::uint64_t rows() const { return n * copies; }
};

struct WorkloadShard {
  std::uint64_t layers = 0, hidden = 0, head_dim = 0;
  std::uint32_t q_heads = 0, kv_heads = 0;
  std::uint64_t intermediate = 0, vocabulary = 0;
  std::uint64_t max_positions = 0, window = 0;
  bool tied_embeddings = false, qkv_bias = false;
  ModelSpec model;  ///< For what is not a size; its sizes are those of the whole.

  std::uint32_t sequences = 0;
  std::uint64_t q_len = 0;                  ///< Tokens of each sequence that this step computes.
  std::uint64_t kv_len = 0;                 ///< Tokens of each sequence in the cache when attention runs.
  std::uint64_t pages = 0, host_pages = 0;  ///< Per sequence.
  std::uint32_t page_tokens = 0;

  DataType linear = DataType::bf16, dense = DataType::bf16, kv = DataType::bf16, activations = DataType::bf16;
  bool scaled = false;                   ///< Linear layers carry fp32 scales, one per output channel.
  std::array<LinearShape, 4> linears{};  ///< QKV, output, up (gate and up), down: in the order of use.

  [[nodiscard]] std::uint64_t tokens() const { return sequences * q_len; }
  /// Rows that the FFN works on: tokens, or pairs of token and expert.
  [[nodiscard]] std::uint64_t ffn_rows() const { return tokens() * (model.experts == 0 ? 1 : model.experts_per_token); }
  [[nodiscard]] std::uint64_t up_columns() const { return (model.gated ? 2 : 1) * intermediate; }
  [[nodiscard]] std::uint64_t rotary_columns() const { return model.rotary_dim == 0 ? head_dim : model.rotary_dim; }
  [[nodiscard]] std::uint64_t small_bytes() const;  ///< Norms, biases and router of one layer.
  [[nodiscard]] std::uint64_t qkv_columns() const { return (q_heads + 2ULL * kv_heads) * head_dim; }
  [[nodiscard]] std::uint64_t linear_row_bytes(const LinearShape& linear_shape) const;
  [[nodiscard]] std::uint64_t linear_bytes() const;       ///< The four matrices of one layer, host rows included.
  [[nodiscard]] std::uint64_t host_weight_bytes() const;  ///< Of one layer.
  [[nodiscard]] std::uint64_t kv_page_bytes() const;      ///< K and V of one page, all heads.
  [[nodiscard]] std::uint64_t host_kv_bytes() const;      ///< Of one layer.
};

[[nodiscard]] WorkloadShard make_shard(const ModelSpec& model, const WorkloadOptions& options);

/// Bytes of `count` elements.
[[nodiscard]] std::uint64_t bytes_of(DataType type, std::uint64_t count);
/// A matrix whose rows lie one behind the other.
[[nodiscard]] Matrix matrix_at(std::uint64_t address, std::uint64_t rows, std::uint64_t cols, DataType type, TensorRole role);

}  // namespace rooftrace
