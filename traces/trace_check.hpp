// Walks a kernel block by block and step by step, and says what it really asks for: the check on every closed form beside a trace.
//
// Promise: exact, byte by byte. Distinct bytes are kept in a ByteSet, so it is for tests and for `check` commands, not for the simulator's
// inner loop. Not modeled: caches, time, sectors fetched around a
// byte.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "sim/core/kernel.hpp"

namespace rooftrace {

inline constexpr int kHomes = 3;

/// Bytes of one role in one memory. Atomic adds (AccessOp::reduce) count as stored.
struct TouchTotals {
  std::uint64_t loaded = 0;            ///< Asked for by all blocks together.
  std::uint64_t stored = 0;            ///< Likewise, stores.
  std::uint64_t distinct_read = 0;     ///< Different bytes among them.
  std::uint64_t distinct_written = 0;  ///< Likewise, stores.
  bool operator==(const TouchTotals&) const = default;
};

struct TraceTotals {
  std::array<std::array<TouchTotals, kHomes>, kTensorRoles> touched{};  ///< [role][home]
  Work work{};
  std::uint64_t steps = 0;
  std::uint64_t accesses = 0;
  std::uint64_t address_end = 0;           ///< One past the highest byte.
  std::vector<std::string> malformed;      ///< Broken laws of single accesses, the first few in words.
  std::uint64_t malformed_accesses = 0;    ///< All of them.
  std::uint64_t sectors_loaded = 0;        ///< 32 B sectors that loads ask of L2.
  std::uint64_t delivered = 0;             ///< Loaded bytes times multicast: what arrives in shared memory.
  std::uint64_t largest_step = 0;          ///< Most bytes one step loads.
  std::uint64_t most_accesses_a_step = 0;  ///< Loads and stores together.

  [[nodiscard]] const TouchTotals& at(TensorRole role, Home home = Home::local) const {
    return touched[static_cast<std::size_t>(role)][static_cast<std::size_t>(home)];
  }
  [[nodiscard]] std::uint64_t loaded() const;
  [[nodiscard]] std::uint64_t stored() const;
};

[[nodiscard]] TraceTotals measure(const Kernel& kernel);

/// The laws a kernel breaks, one line each, empty when sound: it has a program, blocks, slots and stages; every block has a step; addresses
/// below 2^42; rows and row_bytes not zero; multicast at least 1; stores not multicast; loads load and stores store; rows of an access do
/// not overlap; Kernel.work and Kernel.footprint equal what the walk finds.
[[nodiscard]] std::vector<std::string> check_kernel(const Kernel& kernel);

/// The same for every kernel, each line with the kernel's index and label, and the laws of the graph: waits_for names earlier kernels,
/// addresses end below address_end.
[[nodiscard]] std::vector<std::string> check_trace(const Trace& trace);

}  // namespace rooftrace
