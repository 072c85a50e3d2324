// The texts around the instructions of an Accel-Sim trace: the list of kernels, and the head of a kernel's file.
//
// Read of a head ("-name = value" lines up to the first '#'): kernel name, grid dim, block dim, shmem, nregs, cuda stream id, shmem
// base_addr, local mem base_addr, accelsim tracer version, enable lineinfo. Other names are skipped. Refused: a head without grid, block or
// tracer version, versions other than 3 to 6, more than kMostImportedBlocks blocks.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "traces/import/line_reader.hpp"

namespace rooftrace {

inline constexpr std::uint64_t kMostImportedBlocks = 1ULL << 26;  ///< Of one kernel.
inline constexpr std::uint64_t kMostThreads = 1024;               ///< Of a block: CUDA's limit.

using Dim3 = std::array<std::uint32_t, 3>;

struct AccelsimHeader {
  std::string kernel_name;
  Dim3 grid{0, 0, 0};
  Dim3 block{0, 0, 0};
  std::uint32_t shared_bytes = 0;
  std::uint32_t registers = 0;
  std::uint64_t stream = 0;
  std::uint64_t shared_base = 0;  ///< Where generic addresses mean shared memory; 0: unknown.
  std::uint64_t local_base = 0;
  std::uint64_t version = 0;
  bool lineinfo = false;

  [[nodiscard]] std::uint64_t blocks() const { return std::uint64_t{grid[0]} * grid[1] * grid[2]; }
  [[nodiscard]] std::uint32_t warps() const { return (block[0] * block[1] * block[2] + 31) / 32; }
  /// x fastest. The caller has checked that it lies in the grid.
  [[nodiscard]] std::uint32_t linear(const Dim3& index) const { return index[0] + grid[0] * (index[1] + grid[1] * index[2]); }
};

/// Reads up to and including the first line that starts with '#', which is given out again by the reader; or to the end of the text.
[[nodiscard]] AccelsimHeader read_accelsim_header(LineReader& reader);

/// "4,0,0", with or without parentheses.
[[nodiscard]] Dim3 parse_dim3(Words& words, const char* what, std::uint32_t most);

struct KernelListEntry {
  enum class Kind : std::uint8_t { kernel, copy_to_device };
  Kind kind = Kind::kernel;
  std::string file;  ///< Kernel: path of the trace, below the list's folder.
  std::uint64_t address = 0, bytes = 0;
  SourceLocation where;
};

struct KernelList {
  std::vector<KernelListEntry> entries;
  std::uint64_t ignored = 0;  ///< Lines of another kind (MemcpyDtoH ...).
};

/// `folder`: of the list, put before the names in it.
[[nodiscard]] KernelList read_kernel_list(LineReader& reader, const std::string& folder);

}  // namespace rooftrace
