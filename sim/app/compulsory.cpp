// Closed form: the bytes of a kernel that no cache of the machine's capacity and no schedule avoids.
//
// L2: every distinct byte is asked for, or stored, at least once. HBM: weights, KV and scales that nothing in the stage made must be read
// once (less what a warm L2 could hold). What the stage itself made may stay in L2, but at most a capacity's worth: of a tensor of S bytes
// at least S - capacity bytes have left when its producer ends and must come back for its consumer. Tables and inputs are read by every
// layer and count for nothing. Links: all of it.
#include <algorithm>

#include "sim/app/run.hpp"

namespace rooftrace {
namespace {

std::uint64_t beyond(std::uint64_t bytes, std::uint64_t capacity) {
  return bytes > capacity ? bytes - capacity : 0;
}

}  // namespace

ByteCounts compulsory_bytes(const Kernel& kernel, const MachineSpec& machine, const PeerPath& peers, bool warm) {
  ByteCounts q;
  const std::uint64_t capacity = machine.l2.sets() * machine.l2.ways * machine.l2.line;
  std::uint64_t could_be_warm = warm ? capacity : 0;
  for (const Footprint& f : kernel.footprint) {
    if (f.home != Home::local) {
      const LevelId level = f.home == Home::peer ? peers.level : LevelId::pcie;
      // Peers mirror each other: what this GPU reads from them they read from it (Link).
      const std::uint64_t both = f.home == Home::peer ? f.read + f.written : 0;
      q.at(level, f.role, Direction::read, Cause::requested) += std::max(both, f.read);
      q.at(level, f.role, Direction::write, Cause::requested) += std::max(both, f.written);
      continue;
    }
    q.at(LevelId::l2, f.role, Direction::read, Cause::requested) += f.read;
    q.at(LevelId::l2, f.role, Direction::write, Cause::requested) += f.written;
    const bool must_read = !f.produced && (f.role == TensorRole::weights || f.role == TensorRole::kv || f.role == TensorRole::scales);
    std::uint64_t fetched = beyond(f.read, capacity);
    if (must_read) {
      const std::uint64_t spared = std::min(could_be_warm, f.read);
      could_be_warm -= spared;
      fetched = f.read - spared;
    }
    q.at(LevelId::hbm, f.role, Direction::read, Cause::compulsory) += fetched;
    q.at(LevelId::hbm, f.role, Direction::write, Cause::write_back) += beyond(f.written, capacity);
  }
  return q;
}

}  // namespace rooftrace
