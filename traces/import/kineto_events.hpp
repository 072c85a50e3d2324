// The profile that the PyTorch profiler writes (Kineto, Chrome trace JSON), as a list of what ran on the GPU and the operator behind each.
//
// Read of traceEvents[] with ph "X": cat "kernel", "gpu_memcpy", "gpu_memset" (name, ts, dur; args device, stream, correlation, External
// id, grid, block, bytes, In msg nelems, Out msg nelems, Group size, dtype), cat "cuda_runtime" and
// "cuda_driver" (correlation, External id), cat "cpu_op" (name, ts, dur, tid; External id, Input Dims, Input type, Concrete Inputs: needs
// record_shapes=True). Names of categories and arguments match whatever their case, and older spellings are known ("Kernel", "Runtime",
// "Operator", "external id"). The operator of a kernel: by External id, its own or that of the runtime call with its correlation.
// Everything else is skipped. Under CUDA graphs the join is lost (kernels have no operator then).
// Promises: the text is read as a stream; memory is that of the events kept, bounded by kMostGpuEvents and kMostOperators; wrong JSON is a
// UserError with file:line:column, and so are a string longer than 1 MiB and deeper nesting than 32, and 2 GiB of what would be kept.
// Times in microseconds as in the file.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "traces/import/byte_source.hpp"

namespace rooftrace {

inline constexpr std::size_t kMostGpuEvents = 1 << 20;
inline constexpr std::size_t kMostOperators = 4 << 20;
inline constexpr std::size_t kMostTensorsOfOperator = 256;

/// One input of an operator. No dims: a scalar or nothing.
struct KinetoTensor {
  std::vector<std::int64_t> dims;
  std::string type;  ///< "c10::BFloat16", "float" ...
};

struct KinetoOperator {
  std::string name;  ///< "aten::mm".
  std::vector<KinetoTensor> inputs;
  std::vector<std::string> concrete;  ///< Concrete Inputs: "True", "1.0", "" for tensors.
  double begin = 0, end = 0;
  std::uint64_t thread = 0;
  std::int64_t parent = -1;  ///< Index of the operator around it on the same thread.
};

struct KinetoGpuEvent {
  enum class Kind : std::uint8_t { kernel, memcpy, memset };
  Kind kind = Kind::kernel;
  std::string name;
  double begin = 0, duration = 0;
  std::int64_t device = 0;
  std::uint64_t stream = 0;
  std::uint64_t bytes = 0;  ///< Copies and fills.
  std::array<std::uint32_t, 3> grid{1, 1, 1}, block{1, 1, 1};
  std::int64_t op = -1;  ///< Index into operators; -1: not known.
  // Collectives.
  std::uint64_t elements = 0, elements_out = 0;  ///< Of this rank's input and output.
  std::uint32_t ranks = 0;
  std::string type;
};

struct KinetoProfile {
  std::vector<KinetoGpuEvent> gpu;  ///< By begin.
  std::vector<KinetoOperator> operators;
  std::uint64_t events = 0;  ///< All of the file.
};

[[nodiscard]] KinetoProfile read_kineto(ByteSource& text);

}  // namespace rooftrace
