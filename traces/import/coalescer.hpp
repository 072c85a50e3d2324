// The addresses of a warp's lanes -> the 32-byte sectors that leave the load/store unit, as runs of neighbouring sectors.
//
// Every sector that any byte of any lane lies in is asked for once, whatever the order of the lanes: 32 lanes of 4 bytes side by side are 4
// sectors, with a stride of 32 bytes 32, all on one address 1, side by side but 4 bytes into a sector 5. Promise: runs ascend, do not touch
// each other, and hold every byte of every lane. Pure functions. Not modeled: the split of a request into 128-byte wavefronts (time, not
// bytes), the merging of several instructions, and byte masks: a store of part of a sector counts as the sector.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sim/core/access.hpp"

namespace rooftrace {

inline constexpr std::uint64_t kSectorBytes = 32;

struct SectorRun {
  std::uint64_t address = 0;  ///< A multiple of kSectorBytes.
  std::uint64_t sectors = 0;
  [[nodiscard]] std::uint64_t end() const { return address + sectors * kSectorBytes; }
  bool operator==(const SectorRun&) const = default;
};

/// `starts`: the first byte of each piece, all `bytes` (>= 1) long; changed (sorted). Pieces that would pass 2^64 are cut there.
void coalesce(std::span<std::uint64_t> starts, std::uint64_t bytes, std::vector<SectorRun>& out);

/// The sectors of [address, address + bytes), bytes >= 1.
[[nodiscard]] SectorRun sectors_of(std::uint64_t address, std::uint64_t bytes);

/// Runs as few accesses: runs of one length and one distance become one two-dimensional access; a run that starts where the last access
/// of `out` ends, with the same op, makes that one longer. Roles are what `role` says, hints normal.
void append_accesses(std::span<const SectorRun> runs, AccessOp op, TensorRole role, std::vector<Access>& out);

}  // namespace rooftrace
