// Blocks on SMs: who has room, and which block goes where.
//
// A block of a kernel with occupancy b takes 1/b of an SM, so kernels of different streams can share one. The first blocks of a kernel are
// dealt to the SMs in turn, one each per round (breadth first); later blocks go where a block has left. The copy engine is one more place
// behind the SMs, with room for one block. Not modeled: GPCs and TPCs, registers and shared memory one by one (occupancy comes with the
// kernel), preemption.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/core/kernel.hpp"

namespace rooftrace {

class BlockScheduler {
 public:
  BlockScheduler(std::uint32_t sms, std::uint32_t max_blocks_per_sm);

  /// Share of a place that one block of the kernel takes, in units of kRoom.
  [[nodiscard]] static std::uint32_t share(const Kernel& kernel);
  [[nodiscard]] std::uint32_t copy_engine() const { return sms_; }
  [[nodiscard]] bool has_room(std::uint32_t place, std::uint32_t share) const { return room_[place] >= share && blocks_[place] < limit_; }
  /// First place at or after `from` (wrapping round all SMs once) with room; sms() when there is none.
  [[nodiscard]] std::uint32_t find(std::uint32_t from, std::uint32_t share) const;
  [[nodiscard]] std::uint32_t sms() const { return sms_; }
  void take(std::uint32_t place, std::uint32_t share);
  void leave(std::uint32_t place, std::uint32_t share);

 private:
  static constexpr std::uint32_t kRoom = 55440;  ///< Divisible by every occupancy from 1 to 12 and by 14, 15, 16, 18, 20, 21, 22, 24.
  std::uint32_t sms_;
  std::uint32_t limit_;
  std::vector<std::uint32_t> room_;
  std::vector<std::uint32_t> blocks_;
};

}  // namespace rooftrace
