// Plain integers: bytes that crossed the boundary of each level, by who they belong to and why they moved.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "sim/core/access.hpp"

namespace rooftrace {

enum class LevelId : std::uint8_t { l2, hbm, nvlink, pcie };
inline constexpr int kLevels = 4;
[[nodiscard]] std::string_view name(LevelId level);

enum class Direction : std::uint8_t { read, write };  ///< Seen from the GPU: read = towards the SMs.
inline constexpr int kDirections = 2;
[[nodiscard]] std::string_view name(Direction direction);

/// Why bytes moved. requested: asked for by the level above (L2 and links); compulsory: first touch of these bytes in the run; refetch:
/// they had been here before and were evicted (capacity or conflict); write_back: dirty bytes leaving L2.
enum class Cause : std::uint8_t { requested, compulsory, refetch, write_back };
inline constexpr int kCauses = 4;
[[nodiscard]] std::string_view name(Cause cause);

/// Q: bytes, indexed [level][role][direction][cause].
struct ByteCounts {
  std::array<std::array<std::array<std::array<std::uint64_t, kCauses>, kDirections>, kTensorRoles>, kLevels> bytes{};

  std::uint64_t& at(LevelId level, TensorRole role, Direction direction, Cause cause) {
    return bytes[static_cast<std::size_t>(level)][static_cast<std::size_t>(role)][static_cast<std::size_t>(direction)]
                [static_cast<std::size_t>(cause)];
  }
  [[nodiscard]] std::uint64_t at(LevelId level, TensorRole role, Direction direction, Cause cause) const {
    return bytes[static_cast<std::size_t>(level)][static_cast<std::size_t>(role)][static_cast<std::size_t>(direction)]
                [static_cast<std::size_t>(cause)];
  }
  [[nodiscard]] std::uint64_t total(LevelId level, Direction direction) const;  ///< Over roles and causes.
  [[nodiscard]] std::uint64_t total(LevelId level) const;                       ///< Read + written.
  [[nodiscard]] std::uint64_t by_cause(LevelId level, Cause cause) const;
  ByteCounts& operator+=(const ByteCounts& other);
  bool operator==(const ByteCounts& other) const = default;
};

/// What happened at the L2 beside the bytes.
struct CacheCounts {
  std::uint64_t sectors_read = 0;  ///< 32 B sectors that loads asked for.
  std::uint64_t sectors_hit = 0;   ///< Of these, found in L2.
  std::uint64_t fabric_bytes = 0;  ///< Bytes that crossed between L2 partitions.
  CacheCounts& operator+=(const CacheCounts& other);
  bool operator==(const CacheCounts& other) const = default;
};

}  // namespace rooftrace
