// What the patches write for every lane of every access, and the buffer they write into; and the way from there to warp records.
//
// The lanes that reach a patch together take neighbouring places with one atomic addition and name the first of them as their group. Lanes
// that the patched code has separated form several groups: more records, never other bytes. Shared with device code: plain data only.
#pragma once

#include <cstdint>

namespace rooftrace::capture {

struct LaneAccess {
  std::uint64_t address = 0;
  std::uint32_t group = 0;   ///< Low half of the place of the group's first lane.
  std::uint32_t lanes = 0;   ///< Of the group.
  std::uint32_t block = 0;   ///< Linear.
  std::uint32_t clock = 0;   ///< %globaltimer, low half.
  std::uint16_t warp = 0;    ///< Of the block.
  std::uint16_t sm = 0;      ///<
  std::uint8_t bytes = 0;    ///< 1 to 16.
  std::uint8_t op = 0;       ///< An Op.
  std::uint16_t filled = 0;  ///< 1: written. The buffer starts as zeros.
};
static_assert(sizeof(LaneAccess) == 32);

/// In device memory, given to the patches as their user data.
struct DeviceTrace {
  unsigned long long next = 0;    ///< Places asked for; more than capacity: the rest is dropped, and counted here.
  unsigned long long exited = 0;  ///< Threads that have left the kernel.
  unsigned long long capacity = 0;
  LaneAccess* accesses = nullptr;
  std::uint32_t block_sample = 1;
  std::uint32_t padding = 0;
};

}  // namespace rooftrace::capture
