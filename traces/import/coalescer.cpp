#include "traces/import/coalescer.hpp"

#include <algorithm>

namespace rooftrace {
namespace {

constexpr std::uint64_t kMostRunBytes = 1ULL << 30;  // Longer runs are cut: row_bytes has 32 bits.

bool even(std::span<const SectorRun> runs) {
  if (runs.size() < 2 || runs[1].address < runs[0].address) return false;  // Rebased runs may descend; pitches do not.
  const std::uint64_t pitch = runs[1].address - runs[0].address;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    if (runs[i].sectors != runs[0].sectors) return false;
    if (i > 0 && runs[i].address - runs[i - 1].address != pitch) return false;
  }
  return runs[0].sectors * kSectorBytes < pitch && runs[0].sectors * kSectorBytes * runs.size() <= kMostRunBytes;
}

Access access_of(std::uint64_t address, std::uint64_t bytes, AccessOp op, TensorRole role) {
  Access access;
  access.address = address;
  access.row_bytes = static_cast<std::uint32_t>(bytes);
  access.pitch = bytes;
  access.op = op;
  access.role = role;
  return access;
}

void append_run(std::uint64_t address, std::uint64_t bytes, AccessOp op, TensorRole role, std::vector<Access>& out) {
  if (!out.empty()) {
    Access& last = out.back();
    const bool joins = last.rows == 1 && last.op == op && last.role == role && last.address + last.row_bytes == address;
    if (joins && last.row_bytes + bytes <= kMostRunBytes) {
      last.row_bytes += static_cast<std::uint32_t>(bytes);
      last.pitch = last.row_bytes;
      return;
    }
  }
  for (; bytes > 0;) {
    const std::uint64_t part = std::min(bytes, kMostRunBytes);
    out.push_back(access_of(address, part, op, role));
    address += part;
    bytes -= part;
  }
}

}  // namespace

SectorRun sectors_of(std::uint64_t address, std::uint64_t bytes) {
  const std::uint64_t first = address / kSectorBytes;
  const std::uint64_t last_byte = bytes - 1 > UINT64_MAX - address ? UINT64_MAX : address + (bytes - 1);
  return {first * kSectorBytes, last_byte / kSectorBytes - first + 1};
}

void coalesce(std::span<std::uint64_t> starts, std::uint64_t bytes, std::vector<SectorRun>& out) {
  std::sort(starts.begin(), starts.end());
  const std::size_t first = out.size();
  for (const std::uint64_t start : starts) {
    const SectorRun run = sectors_of(start, bytes);
    if (out.size() > first) {
      SectorRun& last = out.back();
      // Compared in sectors: one past the highest address does not fit into 64 bits.
      const std::uint64_t last_end = last.address / kSectorBytes + last.sectors, begin = run.address / kSectorBytes;
      if (begin <= last_end) {
        last.sectors = std::max(last_end, begin + run.sectors) - last.address / kSectorBytes;
        continue;
      }
    }
    out.push_back(run);
  }
}

void append_accesses(std::span<const SectorRun> runs, AccessOp op, TensorRole role, std::vector<Access>& out) {
  if (even(runs)) {
    Access access = access_of(runs[0].address, runs[0].sectors * kSectorBytes, op, role);
    access.pitch = runs[1].address - runs[0].address;
    access.rows = static_cast<std::uint32_t>(runs.size());
    out.push_back(access);
    return;
  }
  for (const SectorRun& run : runs) append_run(run.address, run.sectors * kSectorBytes, op, role, out);
}

}  // namespace rooftrace
