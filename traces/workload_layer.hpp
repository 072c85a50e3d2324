// Appends the kernels of a step to a trace, in stream order, with the waits between streams.
//
// Stream 0 computes; stream 1 brings offloaded bytes from host memory, two staging slots deep; stream 2 takes offloaded KV that a prefill
// made back to host memory. A layer's copy waits until the layer two before it has finished (it used the slot); the first kernel that reads
// the slot waits for the copy. A step starts with nothing staged: layer 0 waits for its own copy. (A server would bring it during the step
// before; the copies of a step still follow each other on one link, so a step bound by the link takes as long.)
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "sim/core/kernel.hpp"
#include "traces/workload_plan.hpp"

namespace rooftrace {

class WorkloadBuilder {
 public:
  explicit WorkloadBuilder(const WorkloadPlan& plan) : plan_(plan), copies_(plan.shard.layers), write_backs_(plan.shard.layers) {}

  void embed();
  /// Copies of a layer's offloaded weights and KV into its slot.
  void prefetch(std::uint32_t layer);
  void layer(std::uint32_t layer);
  void lm_head();
  [[nodiscard]] Trace take() { return std::move(trace_); }

 private:
  struct Copies {
    std::optional<std::uint32_t> weights, kv;
  };

  /// Sets stage and place of a kernel and appends it; its index.
  std::uint32_t add(Kernel kernel, KernelClass kernel_class, std::int32_t layer, std::uint32_t stream = 0);
  void wait(std::uint32_t index, const std::optional<std::uint32_t>& earlier);
  void add_gemm(const GemmProblem& problem, const GemmTiling& tiling, KernelClass kernel_class, std::int32_t layer,
                std::optional<std::uint32_t> earlier);
  void norm(std::uint64_t x, bool with_residual, std::uint64_t gain, std::int32_t layer);
  void linear(std::size_t which, std::uint32_t layer, std::uint64_t in, std::uint64_t out);
  void rope(std::uint32_t layer);
  /// What writes the cache, and the copy of what lives in host memory behind it.
  void cache_write(Kernel kernel, std::uint32_t layer);
  void attention(std::uint32_t layer);
  void ffn(std::uint32_t layer, std::uint64_t out);
  /// Up, activation, down: from the normed residual to `out`.
  void plain_ffn(std::size_t up, std::size_t down, std::uint32_t layer, std::uint64_t out);
  void activation(std::int32_t layer, std::uint64_t rows, std::uint64_t features);
  void latent_attention(std::uint32_t layer);
  void experts(std::uint32_t layer, std::uint64_t out);
  void all_reduce(std::uint64_t in, std::uint64_t out, std::int32_t layer);

  const WorkloadPlan& plan_;
  Trace trace_;
  std::vector<Copies> copies_;
  std::vector<std::optional<std::uint32_t>> write_backs_;  ///< Of a prefill's offloaded KV.
};

}  // namespace rooftrace
