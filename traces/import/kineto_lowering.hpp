// An operator with shapes -> kernels that move what it must move: the synthetic lowering of profiles, which hold no addresses.
//
// One visible table (kineto_operators.cpp) says which operators are known. GEMMs, attention, norms, softmax, embedding, copies and
// collectives are made by the generators of traces/, tiled by their rules for the GPU that ImportOptions describe, not by the kernel's own
// name; element-wise operators and cat read every input once (smaller ones again and again, as broadcasting does) and write the output.
// Addresses are ours: a weight (second matrix of a GEMM, table of an embedding, gain of a norm) gets fresh pages for every kernel; an
// activation of n bytes is what the last kernel that wrote n bytes wrote (a second input of that size what the kernel before wrote), so
// that producers and consumers meet in L2; four buffers of a size take turns. Those are assumptions: a profile knows no tensors. Lists of
// tensors (cat) come without a data type: two bytes an element are assumed. Not modeled: strides and views, masks, dropout, biases of GEMMs
// and norms, padding, operators that read only part of an input.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sim/core/device_shape.hpp"
#include "sim/core/kernel.hpp"
#include "traces/import/kineto_events.hpp"
#include "traces/tensor.hpp"

namespace rooftrace {

/// What an operator is lowered to.
enum class KinetoLowering : std::uint8_t {
  mm,
  addmm,
  linear,
  batched,
  attention,
  layer_norm,
  rms_norm,
  softmax,
  elementwise,
  cat,
  embedding,
  add_rms_norm,  ///< (x, residual, gain): both updated in place.
  gated_silu,    ///< (out, gates and values side by side).
  gated_gelu,
  reduce,  ///< Over the last dimension.
  fill,    ///< Writes its first input.
  fused,   ///< Triton kernels of PyTorch's compiler: the last tensor is written, all others are read.
};

struct KinetoOperatorRow {
  const char* name;  ///< With a star at its end: how the name begins.
  KinetoLowering lowering;
  int causal = -1;               ///< Attention: which of the concrete inputs is is_causal; -1: none.
  bool heads_second = true;      ///< Attention: [batch, heads, tokens, dim]; else [batch, tokens, heads, dim].
  double flop = 0, special = 0;  ///< Element-wise: per element of the output; reduce: of the input.
  std::size_t first = 0;         ///< GEMM, batched, norm: the first tensor that is read; 1 where the output stands before it.
  int causal_or = -1;            ///< Another place for is_causal, where versions differ.
};
/// Nullptr: unknown.
[[nodiscard]] const KinetoOperatorRow* find_kineto_operator(const std::string& name);

[[nodiscard]] std::optional<DataType> kineto_data_type(const std::string& type);

class KinetoMemory {
 public:
  /// `file`: for messages.
  explicit KinetoMemory(std::string file = "") : file_(std::move(file)) {}
  /// Fresh pages; after 2 TiB of weights from the first ones again (long out of any cache).
  [[nodiscard]] std::uint64_t weights(std::uint64_t bytes);
  /// What was written last with so many bytes; `before` = 1, 2: the one before that, and so on.
  [[nodiscard]] std::uint64_t input(std::uint64_t bytes, std::uint32_t before = 0);
  [[nodiscard]] std::uint64_t output(std::uint64_t bytes);
  /// A range by its purpose, the same at every call: other memories, workspaces.
  [[nodiscard]] std::uint64_t named(const std::string& purpose, std::uint64_t bytes);

 private:
  static constexpr std::uint32_t kBuffers = 4;  ///< Of one size; they take turns.
  struct Ring {
    std::array<std::uint64_t, kBuffers> at{};
    std::uint32_t newest = 0;
  };
  std::uint64_t allocate(std::uint64_t bytes);

  std::string file_;
  std::map<std::uint64_t, Ring> activations_;  ///< By bytes.
  std::map<std::string, std::pair<std::uint64_t, std::uint64_t>> named_;
  static constexpr std::uint64_t kWeights = 1ULL << (kAddressBits - 1);  ///< Weights lie from here on.
  std::uint64_t next_ = kPageBytes, next_weights_ = kWeights;
};

/// The kernels of an operator, the main one first; empty when its shapes say too little or are beyond measure.
[[nodiscard]] std::vector<Kernel> lower_operator(const KinetoOperatorRow& row, const KinetoOperator& op, const DeviceShape& gpu,
                                                 KinetoMemory& memory);
/// Copies, fills, NCCL's all-reduces and its all-gathers and reduce-scatters by the ring, which need no operator; empty: not known.
[[nodiscard]] std::vector<Kernel> lower_gpu_event(const KinetoGpuEvent& event, const DeviceShape& gpu, KinetoMemory& memory);
[[nodiscard]] bool is_nccl_kernel(const KinetoGpuEvent& event);
/// Why lower_gpu_event makes nothing of a kernel of NCCL; "" for all other events.
[[nodiscard]] std::string why_no_collective(const KinetoGpuEvent& event);

}  // namespace rooftrace
