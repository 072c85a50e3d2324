#include "sim/engine/block_scheduler.hpp"

#include <algorithm>

namespace rooftrace {

BlockScheduler::BlockScheduler(std::uint32_t sms, std::uint32_t max_blocks_per_sm)
    : sms_(sms), limit_(max_blocks_per_sm), room_(sms + 1, kRoom), blocks_(sms + 1, 0) {}

std::uint32_t BlockScheduler::share(const Kernel& kernel) {
  return kernel.unit == Unit::copy_engine ? kRoom : std::max(1U, kRoom / std::max(1U, kernel.blocks_per_sm));
}

std::uint32_t BlockScheduler::find(std::uint32_t from, std::uint32_t share) const {
  for (std::uint32_t i = 0; i < sms_; ++i) {
    const std::uint32_t place = from + i < sms_ ? from + i : from + i - sms_;
    if (has_room(place, share)) return place;
  }
  return sms_;
}

void BlockScheduler::take(std::uint32_t place, std::uint32_t share) {
  room_[place] -= share;
  ++blocks_[place];
}

void BlockScheduler::leave(std::uint32_t place, std::uint32_t share) {
  room_[place] += share;
  --blocks_[place];
}

}  // namespace rooftrace
