#include "traces/nccl_tuning.hpp"

#include <algorithm>
#include <array>
#include <bit>

namespace rooftrace {
namespace {

constexpr std::size_t kProtocols = 3;
using ByProtocol = std::array<double, kProtocols>;  // LL, LL128, simple

/// Microseconds, as in tuning.cc.
constexpr ByProtocol kRingBase = {6.6, 14.0, 8.4};
constexpr ByProtocol kTreeBase = {6.8, 14.0, 8.4};
constexpr ByProtocol kRingHopNvlink = {0.6, 1.9, 3.4};
constexpr ByProtocol kRingHopPcie = {1.0, 2.5, 5.7};
constexpr ByProtocol kTreeHopNvlink = {0.6, 1.25, 4.0};
constexpr ByProtocol kTreeHopPcie = {1.0, 1.9, 4.0};
constexpr double kNvls = 25;

/// GB/s, one node, by generation: Volta, Ampere (and Ada), Hopper, Blackwell.
struct Generation {
  std::uint32_t capability;  ///< From this one on.
  double ll;                 ///< llMaxBws
  double ring_ll128;         ///< perChMaxRingLL128Bws
  double tree_ll128;         ///< perChMaxTreeLL128Bws
  double tree;               ///< perChMaxTreeBws
};
constexpr std::array kGenerations = {Generation{100, 282, 40.0, 55.6, 70.0}, Generation{90, 141, 36.7, 36.7, 38.7},
                                     Generation{80, 87.7, 20.0, 20.0, 24.0}, Generation{0, 39, 20.0, 20.0, 26.5}};

/// Share of its bandwidth that a tree reaches, by protocol and log2(bytes / 64) (treeCorrectionFactor).
constexpr std::array<std::array<double, 24>, kProtocols> kTreeCorrection = {
    {{1.0, 1.0, 1.0, 1.0, .9, .8, .7, .7, .7, .7, .6, .5, .4, .4, .5, .6, .7, .8, .9, 1.0, 1.0, 1.0, 1.0, 1.0},
     {1.0, 1.0, 1.0, 1.0, 1.0, .9, .8, .8, .8, .7, .6, .6, .6, .6, .6, .6, .8, .9, .9, .9, .9, 1.0, 1.0, 1.0},
     {.9, .9, .9, .9, .9, .9, .9, .8, .7, .6, .6, .5, .5, .5, .5, .6, .7, .8, .7, .7, .8, .9, .9, .9}}};

const Generation& generation(const DeviceShape& gpu) {
  return *std::find_if(kGenerations.begin(), kGenerations.end(),
                       [&](const Generation& g) { return gpu.compute_capability >= g.capability; });
}

/// What the graph search finds: two rings per NVLink of an A100 or a half-speed H100 link pair, six rings and their reverses in a cube mesh
/// of V100, two rings and their reverses over PCIe (connect.cc doubles the rings it found).
std::uint32_t most_channels(const DeviceShape& gpu) {
  if (!gpu.peers.nvlink) return 4;
  return gpu.compute_capability >= 80 ? 24 : 12;
}
/// Channels of NVLS, init.cc: 16 on Hopper, 24 on Blackwell.
std::uint32_t nvls_channels(const DeviceShape& gpu) {
  return gpu.compute_capability >= 100 ? 24 : 16;
}

double seconds_of(const DeviceShape& gpu, NcclAlgorithm algorithm, std::size_t p, std::uint32_t ranks, double bytes) {
  const Generation& g = generation(gpu);
  const PeerShape& peers = gpu.peers;
  const double n = ranks;
  const double channels = most_channels(gpu);
  const double hops = 2 * (n - 1);
  // An unknown link is as good as any: latency decides.
  double bus = peers.bandwidth > 0 ? peers.bandwidth / 1e9 : 1e9;
  double latency = 0, rate = 0;
  switch (algorithm) {
    case NcclAlgorithm::ring:
      if (p == 0) bus = std::min(g.ll, bus * 0.5);
      if (p == 1) bus = std::min(bus * 0.92, channels * g.ring_ll128);
      latency = kRingBase[p] + hops * (peers.nvlink ? kRingHopNvlink : kRingHopPcie)[p];
      rate = bus * n / hops;
      break;
    case NcclAlgorithm::tree: {
      bus = std::min(bus * 0.92, channels * g.tree);
      if (p == 0) bus = std::min(bus / 3.8, g.ll);
      if (p == 1) bus = std::min(bus * 7.0 / 9.0, channels * g.tree_ll128);
      const auto lines = static_cast<std::uint64_t>(bytes) >> 6;
      const auto size = lines == 0 ? 0U : static_cast<unsigned>(std::bit_width(lines)) - 1;
      if (size < kTreeCorrection[p].size()) bus *= kTreeCorrection[p][size];
      latency = kTreeBase[p] + hops * (peers.nvlink ? kTreeHopNvlink : kTreeHopPcie)[p];
      rate = bus * 0.5;
      break;
    }
    case NcclAlgorithm::nvls:
      latency = kNvls;
      rate = bus * 5.0 / 6.0;
      break;
  }
  return latency * 1e-6 + bytes / (rate * 1e9);
}

}  // namespace

std::string_view name(NcclAlgorithm algorithm) {
  constexpr std::array names = {std::string_view("ring"), std::string_view("tree"), std::string_view("nvls")};
  return names.at(static_cast<std::size_t>(algorithm));
}
std::string_view name(NcclProtocol protocol) {
  constexpr std::array names = {std::string_view("ll"), std::string_view("ll128"), std::string_view("simple")};
  return names.at(static_cast<std::size_t>(protocol));
}

std::vector<NcclPlan> nccl_plans(const DeviceShape& gpu, std::uint32_t ranks, std::uint64_t bytes) {
  std::vector<NcclPlan> plans;
  const auto add = [&](NcclAlgorithm algorithm, NcclProtocol protocol) {
    plans.push_back(
        {algorithm, protocol, seconds_of(gpu, algorithm, static_cast<std::size_t>(protocol), ranks, static_cast<double>(bytes))});
  };
  for (const NcclAlgorithm algorithm : {NcclAlgorithm::tree, NcclAlgorithm::ring}) {
    add(algorithm, NcclProtocol::ll);
    if (gpu.peers.nvlink) add(algorithm, NcclProtocol::ll128);
    add(algorithm, NcclProtocol::simple);
  }
  if (gpu.peers.switch_reduces && ranks > 2) add(NcclAlgorithm::nvls, NcclProtocol::simple);
  std::stable_sort(plans.begin(), plans.end(), [](const NcclPlan& a, const NcclPlan& b) { return a.seconds < b.seconds; });
  return plans;
}

std::uint32_t nccl_channels(const DeviceShape& gpu, const NcclPlan& plan, std::uint32_t ranks, std::uint64_t bytes) {
  if (plan.algorithm == NcclAlgorithm::nvls) return nvls_channels(gpu);
  // Bytes below which a thread does not pay (enqueue.cc: thread thresholds 8 B for LL and LL128, 64 B for simple; of a ring by LL times the
  // ranks) times the threads of a block.
  std::uint64_t per_channel = 64 * 512;
  if (plan.protocol == NcclProtocol::ll) per_channel = std::uint64_t{8} * 512 * (plan.algorithm == NcclAlgorithm::ring ? ranks : 1);
  if (plan.protocol == NcclProtocol::ll128) per_channel = std::uint64_t{8} * 640;
  const std::uint64_t most = std::min(most_channels(gpu), gpu.sms);
  return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(bytes / per_channel, 1, most));
}

double nccl_block_rate(const DeviceShape& gpu, NcclProtocol protocol) {
  const Generation& g = generation(gpu);
  switch (protocol) {
    case NcclProtocol::ll:
      return 0;
    case NcclProtocol::ll128:
      return g.ring_ll128 / 2 * 1e9;
    case NcclProtocol::simple:
      break;
  }
  return g.tree / 2 * 1e9;
}

}  // namespace rooftrace
