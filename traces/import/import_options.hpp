// What an importer must be told, because no capture says it, and what all importers of captured accesses share.
//
// The defaults are those of a Hopper SM and do not name a machine: a trace is made once and simulated on many. They decide which loads stay
// in L1 (l1_bytes, sms) and how far a block runs ahead (depth).
#pragma once

#include <cstdint>

#include "sim/core/kernel.hpp"

namespace rooftrace {

struct ImportOptions {
  std::uint32_t sms = 132;                ///< Blocks are dealt to so many L1s in turn, unless the capture names the SM.
  std::uint64_t l1_bytes = 256ULL << 10;  ///< L1 and shared memory of an SM together; 0: no L1, every load goes on to L2.
  std::uint32_t depth = 2;                ///< Kernel.depth: steps whose loads may be in flight.
};

/// What limits the blocks on an SM: CUDA's limits of compute capability 9.0 (CUDA C++ Programming Guide, technical specifications).
inline constexpr std::uint32_t kSmThreads = 2048;
inline constexpr std::uint32_t kSmRegisters = 64 * 1024;
inline constexpr std::uint32_t kSmSharedBytes = 228 * 1024;
inline constexpr std::uint32_t kSmBlocks = 32;
inline constexpr std::uint32_t kReservedShared = 1024;  ///< Of each block, by the driver.

/// Kernel.blocks_per_sm of a block of `threads` with so many registers each (0: unknown) and so much shared memory. >= 1.
[[nodiscard]] std::uint32_t resident_blocks(std::uint32_t threads, std::uint32_t registers, std::uint32_t shared_bytes);

/// What resident blocks leave of l1_bytes as cache.
[[nodiscard]] std::uint64_t l1_capacity(const ImportOptions& options, std::uint32_t resident, std::uint32_t shared_bytes);

}  // namespace rooftrace
