// The one interface between the engine and the memories of a machine: ask, and be told when it is ready.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sim/core/access.hpp"
#include "sim/core/counters.hpp"
#include "sim/core/time.hpp"

namespace rooftrace {

/// Who asks, and whose books the bytes go into.
struct Requester {
  std::uint32_t sm = 0;
  ByteCounts* q = nullptr;       ///< Never null during an access.
  CacheCounts* cache = nullptr;  ///< Never null during an access.
  std::uint32_t ticket = 0;      ///< What an answer that comes later is called by; small numbers, one for each access under way.
};

inline constexpr Time kLater = kNever;  ///< Instead of a time: it will be said later.

struct Answer {
  std::uint32_t ticket = 0;
  Time ready = 0;
};

/// The memories behind the SMs of one GPU.
class Memory {
 public:
  virtual ~Memory() = default;
  /// Performs the accesses in order, all asked for at `now`, and returns when the last byte of them (and of every write-back they caused)
  /// is through: loads are in the SM, stores are in L2 or at the far end of their link. Calls come with `now` never decreasing. kLater:
  /// what will happen depends on what is asked after this; advance() will answer under the requester's ticket.
  virtual Time access(std::span<const Access> accesses, const Requester& who, Time now) = 0;
  /// When the memory has something to do of its own; kNever: no answer is outstanding.
  [[nodiscard]] virtual Time next() const { return kNever; }
  /// Does it, and appends the answers that are known thereby. To be called when nothing is left to be asked before next().
  virtual void advance(std::vector<Answer>& answers) { static_cast<void>(answers); }
  /// One-way latency of a small message to a memory.
  [[nodiscard]] virtual Time link_latency(Home home) const = 0;
};

}  // namespace rooftrace
