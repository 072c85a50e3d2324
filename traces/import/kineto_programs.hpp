// Block programs that the generators of traces/ do not have and profiles need: element-wise operators with broadcasting, and batches.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/core/device_shape.hpp"
#include "sim/core/kernel.hpp"
#include "traces/copy.hpp"

namespace rooftrace {

/// out = f(inputs) element by element, in blocks of 16 KiB of the largest tensor (narrower while SMs lack blocks). An input as long as the
/// output, or longer (a reduction), is read slice by slice; a shorter one is broadcast: read from the place that
/// the slice's start has modulo its length, whole at most once per block. `flop` and `special` per element of the output.
struct ElementwiseProblem {
  std::vector<ByteRange> inputs;
  ByteRange output;
  std::uint64_t elements = 0;  ///< Of the output.
  double flop = 0, special = 0;
};
[[nodiscard]] Kernel make_elementwise(const DeviceShape& gpu, const ElementwiseProblem& problem);

/// Inputs one behind the other -> output, as a copy: every byte read once and written once.
[[nodiscard]] Kernel make_concatenation(const DeviceShape& gpu, const std::vector<ByteRange>& inputs, const ByteRange& output);

/// `count` times the blocks of `one`, the ranges it touches moved by their own stride from one to the next.
struct BatchedRange {
  std::uint64_t begin = 0, end = 0;  ///< Addresses of `one`.
  std::uint64_t stride = 0;
};
[[nodiscard]] Kernel make_batched(Kernel one, std::uint32_t count, const std::vector<BatchedRange>& ranges);

}  // namespace rooftrace
