// What the engine needs to know of the SMs: rates and overheads, no memories.
#pragma once

#include <array>
#include <cstdint>

#include "sim/core/kernel.hpp"
#include "sim/core/time.hpp"

namespace rooftrace {

struct EngineSpec {
  std::uint32_t sms = 1;
  std::uint32_t max_blocks_per_sm = 32;
  /// Sustained FLOP/s (or operations/s) of ONE SM, by pipe; the tensor pipe depends on the type of the kernel.
  std::array<double, 9> tensor_rate{};  ///< Indexed by DataType.
  double cuda_rate = 0;
  double sfu_rate = 0;
  Time kernel_gap = 0;   ///< From the end of what a kernel waits for to its first block.
  Time block_start = 0;  ///< From a free place to a block's first load.
  Time copy_start = 0;   ///< kernel_gap of a copy engine.

  [[nodiscard]] double rate(Pipe pipe, DataType type) const {
    if (pipe == Pipe::tensor) return tensor_rate[static_cast<std::size_t>(type)];
    return pipe == Pipe::cuda ? cuda_rate : sfu_rate;
  }
};

}  // namespace rooftrace
