// The pipes of one SM: tensor, CUDA cores, special functions; each serves its blocks first come, first served.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>

#include "sim/core/kernel.hpp"
#include "sim/engine/channel.hpp"
#include "sim/engine/engine_spec.hpp"

namespace rooftrace {

using SmPipes = std::array<Channel, kPipes>;

/// Sends a step's work to the pipes of its SM and returns when the last is through.
[[nodiscard]] inline Time work_end(const EngineSpec& spec, const Kernel& kernel, const Step& step, SmPipes& pipes, Time now) {
  constexpr auto kTensor = static_cast<std::size_t>(Pipe::tensor), kCuda = static_cast<std::size_t>(Pipe::cuda);
  Time end = now;
  Channel::Cost longest = 0;
  for (std::size_t p = 0; p < kPipes; ++p) {
    if (p == kTensor || step.work[p] <= 0) continue;
    double rate = spec.rate(static_cast<Pipe>(p), kernel.tensor_type);
    if (p == kCuda && step.work[kTensor] <= 0 && kernel.work[kTensor] <= 0) rate *= kernel.tensor_share;
    const Channel::Cost cost = Channel::cost(step.work[p], rate);
    longest = std::max(longest, cost);
    end = std::max(end, pipes[p].send(now, cost));
  }
  const double tensor = step.work[kTensor] + step.tensor_padding;
  if (tensor <= 0) return end;
  Channel::Cost cost = Channel::cost(tensor, spec.rate(Pipe::tensor, kernel.tensor_type) * kernel.tensor_share);
  // What the tensor work does not hide keeps the tensor pipe idle, for this block and for its neighbours.
  if (kernel.exposed > 0) cost += static_cast<Channel::Cost>(kernel.exposed * static_cast<double>(longest));
  return std::max(end, pipes[kTensor].send(now, cost));
}

}  // namespace rooftrace
