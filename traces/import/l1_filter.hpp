// The L1 of one SM, as far as it decides which sectors of a captured load go on to L2.
//
// 128-byte lines of four 32-byte sectors, fully associative, least recently used line out; a load that finds its sector hits, one that does
// not brings that sector only. Stores write through: they always go on, and neither allocate nor change what is there (a sector that is
// present is updated in place). Atomics go on and throw the line out. Source: the L1 of Volta and later as NVIDIA's guides describe it
// (sectored, write-through); full associativity and LRU are assumed. Not modeled: hits on fills still under way, the shared-memory
// carve-out in steps, coherence.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "traces/import/coalescer.hpp"

namespace rooftrace {

inline constexpr std::uint64_t kL1LineBytes = 128;

class L1Filter {
 public:
  /// Capacity 0: nothing ever hits.
  explicit L1Filter(std::uint64_t capacity_bytes) : lines_(capacity_bytes / kL1LineBytes) {}

  /// Appends what misses to `missed`; returns how many sectors hit.
  std::uint64_t load(const SectorRun& run, std::vector<SectorRun>& missed);
  /// Atomics and other writers that leave no copy.
  void drop(const SectorRun& run);
  void clear();

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;
  struct Line {
    std::uint64_t number = 0;  ///< Address / kL1LineBytes.
    std::uint32_t newer = kNone, older = kNone;
    std::uint8_t present = 0;  ///< One bit per sector.
  };
  std::uint32_t use(std::uint64_t number);
  void unlink(std::uint32_t at);
  void link_newest(std::uint32_t at);

  std::uint64_t lines_;
  std::vector<Line> slots_;
  std::unordered_map<std::uint64_t, std::uint32_t> where_;
  std::uint32_t newest_ = kNone, oldest_ = kNone;
};

}  // namespace rooftrace
