#include "traces/import/import_options.hpp"

#include <algorithm>

namespace rooftrace {

std::uint32_t resident_blocks(std::uint32_t threads, std::uint32_t registers, std::uint32_t shared_bytes) {
  // Registers are handed out per warp in pieces of 256.
  const std::uint64_t warps = (std::max(threads, 1U) + 31) / 32;
  const std::uint64_t warp_registers = (std::uint64_t{registers} * 32 + 255) / 256 * 256;
  std::uint64_t blocks = std::min<std::uint64_t>(kSmBlocks, kSmThreads / (warps * 32));
  if (registers > 0) blocks = std::min(blocks, kSmRegisters / (warp_registers * warps));
  blocks = std::min<std::uint64_t>(blocks, kSmSharedBytes / (std::uint64_t{shared_bytes} + kReservedShared));
  return static_cast<std::uint32_t>(std::max<std::uint64_t>(blocks, 1));
}

std::uint64_t l1_capacity(const ImportOptions& options, std::uint32_t resident, std::uint32_t shared_bytes) {
  const std::uint64_t shared = resident * (std::uint64_t{shared_bytes} + kReservedShared);
  return options.l1_bytes > shared ? options.l1_bytes - shared : 0;
}

}  // namespace rooftrace
