// The one interface between the engine and the memories of a machine: ask, and be told when it is ready.
#pragma once

#include <cstdint>
#include <span>

#include "sim/core/access.hpp"
#include "sim/core/counters.hpp"
#include "sim/core/time.hpp"

namespace rooftrace {

/// Who asks, and whose books the bytes go into.
struct Requester {
  std::uint32_t sm = 0;
  ByteCounts* q = nullptr;       ///< Never null during an access.
  CacheCounts* cache = nullptr;  ///< Never null during an access.
};

/// The memories behind the SMs of one GPU.
class Memory {
 public:
  virtual ~Memory() = default;
  /// Performs the accesses in order, all asked for at `now`, and returns when the last byte of them (and of every write-back they caused)
  /// is through: loads are in the SM, stores are in L2 or at the far end of their link. Calls come with `now` never decreasing.
  virtual Time access(std::span<const Access> accesses, const Requester& who, Time now) = 0;
  /// One-way latency of a small message to a memory.
  [[nodiscard]] virtual Time link_latency(Home home) const = 0;
};

}  // namespace rooftrace
