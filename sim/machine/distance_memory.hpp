// A memory that keeps no lines but stack distances: one functional run gives what any capacity of L2 would fetch and write back.
//
// Exact for one fully associative LRU set of lines with sectors, allocate on miss, whatever the capacity, and the same rules as cache.hpp
// otherwise: a load or reduce fetches the sectors that are not valid, a store makes its sectors valid and dirty without a fetch, a line
// leaves as a whole and its dirty sectors are written back; what is still dirty at the end is not. A sector is valid in C lines if every
// distance of its line since the sector's last use is below C; it has been written back if one since its last write is not. Fetches are
// booked on who asks, write-backs on who wrote. Not modeled: time, sets, hints (all taken as normal); remote accesses pass by L2.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "sim/core/kernel.hpp"
#include "sim/core/level.hpp"
#include "sim/machine/stack_distance.hpp"

namespace rooftrace {

/// Who uses bytes again, and whether the line had last been used by the same kernel or by an earlier one.
enum class ReuseScope : std::uint8_t { same_kernel, earlier_kernel };

struct ReuseCounts {
  KernelClass kernel_class = KernelClass::other;
  TensorRole role = TensorRole::activations;
  ReuseScope scope = ReuseScope::same_kernel;
  DistanceHistogram fetched;  ///< Sectors asked for by loads and reduces; first touches (never) are booked on earlier_kernel.
  /// Dirty sectors by the distance that makes them leave, booked on earlier_kernel.
  DistanceHistogram written;
};

class DistanceMemory final : public Memory {
 public:
  DistanceMemory(std::uint32_t line_bytes, std::uint32_t sector_bytes);

  void begin_kernel(KernelClass kernel_class);
  Time access(std::span<const Access> accesses, const Requester& who, Time now) override;
  [[nodiscard]] Time link_latency(Home /*home*/) const override { return 0; }
  /// Counts start anew, lines stay: the warm start.
  void restart();
  /// Closes the books: call once, last. Ordered by class, role, scope; only those with counts.
  [[nodiscard]] std::vector<ReuseCounts> finish();

 private:
  struct Sector {
    std::uint32_t since_use = StackDistances::kNever;    ///< Largest distance of the line since; kNever: never used.
    std::uint32_t since_write = StackDistances::kNever;  ///< kNever: clean since the start.
    std::uint16_t writer = 0;                            ///< Index into books_.
  };
  struct Call {
    bool fetches = false, writes = false;
    std::uint16_t book = 0;  ///< Of same_kernel; earlier_kernel is the next.
  };
  struct Pending {
    std::uint64_t line;
    std::uint32_t sectors;
  };
  static constexpr std::uint32_t kBatch = 16;

  void enqueue(std::uint64_t address, std::uint32_t bytes, const Call& call);
  void flush(const Call& call);
  void touch(std::uint64_t line, std::uint32_t sectors, const Call& call);
  /// Books the write-backs of all dirty sectors up to now, `sign` times.
  void settle_dirty(std::int64_t sign);

  std::uint32_t line_shift_;
  std::uint32_t sector_shift_;
  std::uint32_t sectors_per_line_;
  std::uint32_t full_;
  StackDistances distances_;
  std::vector<Sector> sectors_;  ///< Of the lines whose sectors differ or were written: note - 1 is the line's place.
  KernelClass kernel_class_ = KernelClass::other;
  struct Book {
    DistanceHistogram fetched, written;
  };
  std::vector<Book> books_;
  std::array<Pending, kBatch> pending_{};
  std::uint32_t waiting_ = 0;
};

}  // namespace rooftrace
