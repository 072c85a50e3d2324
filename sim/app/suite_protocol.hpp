// How a source measured: what lies inside the measured interval beside the kernels.
//
// A published time is a protocol as much as a kernel. The table in the .cpp names the sources whose method is public and what it adds, in
// seconds per call; the constants belong to the host, the driver and the framework, not to a shape or a row. A source that the table does
// not know, and one that reports times of the GPU's profiler, adds nothing.
#pragma once

#include <cstdint>

#include "sim/app/validate_csv.hpp"
#include "traces/gemm.hpp"

namespace rooftrace {

struct Protocol {
  double per_replay = 0;                ///< s between replays of a CUDA graph that are launched back to back: the gap that the GPU sees.
  double within_graph = 1;              ///< Share of the machine's gap from a kernel of an operator's graph to the next.
  double eager_call = 0;                ///< s of the host per call of an operator of the framework, synchronised after every call.
  double compiled_call = 0;             ///< The same for a function compiled by the framework.
  double launch_interval = 0;           ///< s from one launch of a collective to the next: what is shorter was not measured.
  bool attention_writes_kv = false;     ///< The attention operator writes the new tokens' K and V to the cache first.
  bool attention_calls_varlen = false;  ///< Decode and prefill go through vLLM's varlen interface, with small kernels around them.
  bool rotates_weights = false;         ///< GEMMs of one graph use as many copies of the weights as exceed L2, at most five.
  bool repeats_buffers = false;         ///< The call is repeated on the same buffers.
  bool narrow_operands = false;         ///< GEMMs in fp8 or fp4 are handed operands that are quantised already.
  GemmLibrary gemm_library = GemmLibrary::current;  ///< Of the time of the measurement.
};

/// By the row's `source`.
[[nodiscard]] const Protocol& protocol_of(const SuiteRow& row);

/// Copies of a weight matrix in one graph: ceil(L2 / bytes), 1 to 5.
[[nodiscard]] double weight_copies(std::uint64_t l2_bytes, std::uint64_t weight_bytes);

}  // namespace rooftrace
