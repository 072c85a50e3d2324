// How NCCL chooses algorithm and protocol of an all-reduce inside one node: it predicts a time for every pair and takes the smallest.
//
// Formulas and constants are those of NCCL's own model (github.com/NVIDIA/nccl, src/graph/tuning.cc and topo.h, releases 2.19 to 2.28; one
// node, so no network terms): time = latency + bytes / bandwidth with
//   ring  latency base + 2 (n - 1) hops, bus bandwidth / (2 (n - 1) / n)
//   tree  (inside a node a chain, up and down) latency base + 2 (n - 1) hops, bandwidth 0.92 / 2 of the bus, less a correction by size
//   NVLS  latency of one pass, bandwidth 5/6 of the bus
// What is predicted serves the choice only; the time of a simulated kernel comes from its bytes, hops and pauses. Not modeled: CollNet,
// PAT, registered user buffers, symmetric-memory kernels, environment variables and tuner plugins.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "sim/core/device_shape.hpp"

namespace rooftrace {

enum class NcclAlgorithm : std::uint8_t { ring, tree, nvls };
/// LL: 4 B of data and 4 B of flag by turns; LL128: 120 B of data and 8 B of flag per line; simple: data alone, flags beside it.
enum class NcclProtocol : std::uint8_t { ll, ll128, simple };
[[nodiscard]] std::string_view name(NcclAlgorithm algorithm);
[[nodiscard]] std::string_view name(NcclProtocol protocol);

struct NcclPlan {
  NcclAlgorithm algorithm = NcclAlgorithm::ring;
  NcclProtocol protocol = NcclProtocol::simple;
  double seconds = 0;  ///< As NCCL predicts.
};

/// What this group can do, the fastest first (of equals the one that NCCL tries first). LL128 needs NVLink; NVLS a switch that reduces and
/// more than two ranks, and knows only the simple protocol.
[[nodiscard]] std::vector<NcclPlan> nccl_plans(const DeviceShape& gpu, std::uint32_t ranks, std::uint64_t bytes);

/// Rings (or trees, or NVLS heads) that work side by side, each one block: for this many bytes, as NCCL thins them out for small messages.
[[nodiscard]] std::uint32_t nccl_channels(const DeviceShape& gpu, const NcclPlan& plan, std::uint32_t ranks, std::uint64_t bytes);

/// B/s of data that one channel (one block) sends at most, LL aside, which its flags limit: half of NCCL's constants per channel of its
/// graph, because it runs two blocks for each (tuning.cc, perChMaxRingLL128Bws; for simple perChMaxTreeBws; connect.cc).
[[nodiscard]] double nccl_block_rate(const DeviceShape& gpu, NcclProtocol protocol);

}  // namespace rooftrace
