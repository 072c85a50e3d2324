// The sizes of one GPU's share of a step: what memory_need counts and make_workload allocates, so that the two cannot disagree.
//
// Sharding (Megatron style): query and KV heads, the intermediate size and the vocabulary (embedding and LM head) are divided by tp; norms
// are on every GPU. A vocabulary that tp does not divide is padded; with more GPUs than KV heads, several GPUs hold the same head. The
// latent of latent attention, its cache and the matrices down to it are on every GPU, the matrices up from it are divided by heads. Experts
// are divided like an FFN, each along its inner features, shared ones too; the router is on every GPU. Data types: linear layers in
// `weights`, with one fp32 scale per output channel below 16 bit; embedding, LM head, norms, biases and the matrices that a decode step
// absorbs (W_UK, W_UV) in `weights` too, but never below 16 bit. Offload: of the four linear matrices of a layer, host memory takes whole
// rows (output channels), the last used matrix first, so that the resident ones can be worked on while the rest arrives: exact to half a
// row. KV: the oldest pages of each sequence; in decode never the page that the step writes.
#pragma once

#include <array>
#include <cstdint>

#include "traces/model_spec.hpp"
#include "traces/tensor.hpp"
#include "traces/workload.hpp"

namespace rooftrace {

/// Places in WorkloadShard::linears, in the order of use. A layer has those with rows: kUp and kDown are the experts' where there are some.
inline constexpr std::size_t kQkv = 0, kOutput = 1, kUp = 2, kDown = 3;
inline constexpr std::size_t kQUp = 4, kKvUp = 5;             ///< Latent attention: up from q_rank, up from the latent (W_UK, then W_UV).
inline constexpr std::size_t kSharedUp = 6, kSharedDown = 7;  ///< Shared experts, as one FFN.
inline constexpr std::size_t kDenseUp = 8, kDenseDown = 9;    ///< The FFN of the first layers.
inline constexpr std::size_t kLinears = 10;

/// One linear layer's weights on this GPU: n output channels of k inputs, once per expert.
struct LinearShape {
  KernelClass kernel_class = KernelClass::other;
  std::uint64_t n = 0, k = 0;
  std::uint64_t host_rows = 0;  ///< The first so many rows live in host memory.
  std::uint64_t copies = 1;     ///< Experts, each with a matrix of its own.
  bool bias = false;            ///< Added by the GEMM itself (that of Q, K and V is added by RoPE).
  bool wide = false;            ///< Never below 16 bit.

  [[nodiscard]] std::uint64_t rows() const { return n * copies; }
  [[nodiscard]] bool absent() const { return n == 0; }
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

  bool decodes = true;
  DataType linear = DataType::bf16, dense = DataType::bf16, kv = DataType::bf16, activations = DataType::bf16;
  bool scaled = false;                          ///< Linear layers carry scales of 4 B, one per output channel or group of its weights.
  std::uint32_t weight_group = 0;               ///< As in WorkloadOptions.
  std::array<LinearShape, kLinears> linears{};  ///< Up: gate and up.

  [[nodiscard]] std::uint64_t tokens() const { return sequences * q_len; }
  /// Rows that the FFN works on: tokens, or pairs of token and expert.
  [[nodiscard]] std::uint64_t ffn_rows() const { return tokens() * (model.experts == 0 ? 1 : model.experts_per_token); }
  [[nodiscard]] std::uint64_t up_columns() const { return (model.gated ? 2 : 1) * intermediate; }
  [[nodiscard]] std::uint64_t rotary_columns() const {
    return model.latent() ? model.rope_dim : model.rotary_dim == 0 ? head_dim : model.rotary_dim;
  }
  [[nodiscard]] std::uint64_t q_columns() const { return q_heads * head_dim; }
  /// What the first linear layer of attention makes: Q, K and V; with latent attention Q, or what Q is made of, and the latent.
  [[nodiscard]] std::uint64_t qkv_columns() const {
    if (model.latent()) return (model.q_rank > 0 ? model.q_rank : q_columns()) + kv_width();
    return (q_heads + 2ULL * kv_heads) * head_dim;
  }
  [[nodiscard]] std::uint64_t attended_columns() const { return q_heads * (model.latent() ? model.v_dim : head_dim); }
  /// Features of a KV head's row in the cache.
  [[nodiscard]] std::uint64_t kv_width() const { return model.latent() ? model.kv_elements() : head_dim; }
  /// Elements of the buffers behind the matrices up and down, for whichever FFN needs most.
  [[nodiscard]] std::uint64_t up_elements() const;
  [[nodiscard]] std::uint64_t down_elements() const;
  /// Elements per token of the buffers that only latent attention has.
  [[nodiscard]] std::uint64_t latent_elements() const;
  [[nodiscard]] bool in_layer(std::size_t which, bool dense_layer) const;  ///< Whether layers of that kind have this linear layer.
  [[nodiscard]] std::uint64_t small_bytes(bool dense_layer) const;         ///< Norms, biases and router of one layer.
  [[nodiscard]] std::uint64_t scale_columns(const LinearShape& linear_shape) const;  ///< Scales of a row.
  [[nodiscard]] std::uint64_t linear_row_bytes(const LinearShape& linear_shape) const;
  [[nodiscard]] std::uint64_t linear_bytes(bool dense_layer) const;  ///< The matrices of one layer, host rows included.
  [[nodiscard]] std::uint64_t host_weight_bytes() const;             ///< Of one layer.
  [[nodiscard]] std::uint64_t kv_page_bytes() const;                 ///< K and V of one page, all heads.
  [[nodiscard]] std::uint64_t host_kv_bytes() const;                 ///< Of one layer.
};

[[nodiscard]] WorkloadShard make_shard(const ModelSpec& model, const WorkloadOptions& options);

/// Bytes of `count` elements.
[[nodiscard]] std::uint64_t bytes_of(DataType type, std::uint64_t count);
/// A matrix whose rows lie one behind the other.
[[nodiscard]] Matrix matrix_at(std::uint64_t address, std::uint64_t rows, std::uint64_t cols, DataType type, TensorRole role);

}  // namespace rooftrace
