// Sums over the byte counts.
//
// Promises: plain addition of unsigned integers, so the order of summation never matters. Not modeled: overflow (2^64 bytes are 18
// exabytes).
#include "sim/core/counters.hpp"

namespace rooftrace {

std::uint64_t ByteCounts::total(LevelId level, Direction direction) const {
  std::uint64_t sum = 0;
  for (const auto& role : bytes.at(static_cast<std::size_t>(level))) {
    for (const std::uint64_t count : role.at(static_cast<std::size_t>(direction))) sum += count;
  }
  return sum;
}

std::uint64_t ByteCounts::total(LevelId level) const {
  return total(level, Direction::read) + total(level, Direction::write);
}

std::uint64_t ByteCounts::by_cause(LevelId level, Cause cause) const {
  std::uint64_t sum = 0;
  for (const auto& role : bytes.at(static_cast<std::size_t>(level))) {
    for (const auto& direction : role) sum += direction.at(static_cast<std::size_t>(cause));
  }
  return sum;
}

ByteCounts& ByteCounts::operator+=(const ByteCounts& other) {
  for (std::size_t l = 0; l < kLevels; ++l) {
    for (std::size_t r = 0; r < kTensorRoles; ++r) {
      for (std::size_t d = 0; d < kDirections; ++d) {
        for (std::size_t c = 0; c < kCauses; ++c) bytes[l][r][d][c] += other.bytes[l][r][d][c];
      }
    }
  }
  return *this;
}

CacheCounts& CacheCounts::operator+=(const CacheCounts& other) {
  sectors_read += other.sectors_read;
  sectors_hit += other.sectors_hit;
  fabric_bytes += other.fabric_bytes;
  return *this;
}

}  // namespace rooftrace
