// Who reaches whom, over what, for every kind of node.
#include "sim/machine/topology.hpp"

#include <gtest/gtest.h>

#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace rooftrace {
namespace {

// NVLink 300 GB/s each way, 2 us; PCIe 32 GB/s each way, 4 us.
MachineSpec node(std::uint32_t gpus, Fabric fabric, std::uint32_t per_switch = 2) {
  MachineSpec m;
  m.nvlink = fabric == Fabric::none ? LinkSpec{} : LinkSpec{300e9, 0.8, 2e-6};
  m.pcie = {32e9, 0.7, 4e-6};
  m.node = {gpus, fabric, per_switch};
  return m;
}

std::string way(const Topology& t, Topology::Device from, Topology::Device to) {
  std::string text = t.name(from);
  for (const Topology::Hop& hop : t.route(from, to)) {
    text += hop.level == LevelId::nvlink ? " =" : " -";
    text += t.name(hop.to);
  }
  return text;
}

TEST(Topology, NvswitchJoinsAllAtFullRate) {
  const Topology t(node(8, Fabric::nvswitch));
  EXPECT_EQ(t.size(), 8U + 1 + 4 + 1);  // GPUs, NVSwitch, PCIe switches, host
  for (Topology::Device a = 0; a < 8; ++a) {
    for (Topology::Device b = 0; b < 8; ++b) {
      if (a == b) continue;
      const Topology::Path path = t.path(a, b);
      EXPECT_EQ(path.level, LevelId::nvlink);
      EXPECT_EQ(path.hops, 2U);
      EXPECT_DOUBLE_EQ(path.link.bandwidth, 300e9);
      EXPECT_DOUBLE_EQ(path.link.efficiency, 0.8);
      EXPECT_DOUBLE_EQ(path.link.latency, 2e-6);  // the spec's latency is GPU to GPU: half on each hop
    }
  }
  EXPECT_EQ(way(t, 0, 7), "gpu0 =nvswitch =gpu7");
  EXPECT_EQ(t.group_path(8).level, LevelId::nvlink);
  EXPECT_DOUBLE_EQ(t.group_path(2).link.bandwidth, 300e9);
  EXPECT_DOUBLE_EQ(t.group_path(8).link.bandwidth, 300e9);
  EXPECT_DOUBLE_EQ(t.group_path(8).link.latency, 2e-6);
}

TEST(Topology, HostIsReachedThroughThePcieSwitch) {
  const Topology t(node(8, Fabric::nvswitch));
  EXPECT_EQ(way(t, 5, t.host()), "gpu5 -pcie2 -host");
  const Topology::Path path = t.path(5, t.host());
  EXPECT_EQ(path.level, LevelId::pcie);
  EXPECT_DOUBLE_EQ(path.link.bandwidth, 32e9);
  EXPECT_DOUBLE_EQ(path.link.latency, 4e-6);  // half on each hop
}

TEST(Topology, OneGpuPerSwitchHangsOnTheHost) {
  const Topology t(node(1, Fabric::none, 1));
  EXPECT_EQ(t.size(), 2U);
  EXPECT_EQ(way(t, 0, t.host()), "gpu0 -host");
  EXPECT_DOUBLE_EQ(t.path(0, t.host()).link.latency, 4e-6);
  EXPECT_EQ(way(Topology(node(2, Fabric::none, 1)), 0, 1), "gpu0 -host -gpu1");
}

TEST(Topology, WithoutNvlinkGpusMeetUnderTheSwitchOrAtTheHost) {
  const Topology t(node(4, Fabric::none));
  EXPECT_EQ(way(t, 0, 1), "gpu0 -pcie0 -gpu1");
  EXPECT_EQ(way(t, 0, 3), "gpu0 -pcie0 -host -pcie1 -gpu3");
  EXPECT_DOUBLE_EQ(t.path(0, 1).link.latency, 4e-6);  // 2 hops x 2 us
  EXPECT_DOUBLE_EQ(t.path(0, 3).link.latency, 8e-6);  // 4 hops x 2 us
  EXPECT_EQ(t.group_path(2).hops, 2U);
  EXPECT_EQ(t.group_path(4).hops, 4U);  // the slowest pair
  EXPECT_EQ(t.group_path(4).level, LevelId::pcie);
}

TEST(Topology, PairsUseTheirBridgeAndPcieBeyond) {
  const Topology t(node(4, Fabric::pairs));
  EXPECT_EQ(way(t, 0, 1), "gpu0 =gpu1");
  EXPECT_EQ(way(t, 2, 3), "gpu2 =gpu3");
  // No GPU forwards: not gpu1 =gpu0 ... but PCIe all the way.
  EXPECT_EQ(way(t, 1, 2), "gpu1 -pcie0 -host -pcie1 -gpu2");
  EXPECT_DOUBLE_EQ(t.path(0, 1).link.bandwidth, 300e9);
  EXPECT_DOUBLE_EQ(t.path(0, 1).link.latency, 2e-6);
  EXPECT_EQ(t.group_path(2).level, LevelId::nvlink);
  EXPECT_DOUBLE_EQ(t.group_path(2).link.bandwidth, 300e9);
  EXPECT_EQ(t.group_path(4).level, LevelId::pcie);
  EXPECT_DOUBLE_EQ(t.group_path(4).link.bandwidth, 32e9);
}

// nvidia-smi topo -m of a DGX-1 with V100: NV1 and NV2 are one and two links; 6 links of a sixth of the rate at every GPU.
TEST(Topology, CubeMeshAggregatesParallelLinks) {
  const Topology t(node(8, Fabric::mesh));
  const std::vector<std::vector<std::uint32_t>> links = {{0, 1, 1, 2, 2, 0, 0, 0}, {1, 0, 2, 1, 0, 2, 0, 0}, {1, 2, 0, 2, 0, 0, 1, 0},
                                                         {2, 1, 2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 1, 1, 2}, {0, 2, 0, 0, 1, 0, 2, 1},
                                                         {0, 0, 1, 0, 1, 2, 0, 2}, {0, 0, 0, 1, 2, 1, 2, 0}};
  for (std::size_t a = 0; a < 8; ++a) {
    double total = 0;
    for (std::size_t b = 0; b < 8; ++b) {
      if (a == b) continue;
      const std::vector<Topology::Hop> route = t.route(a, b);
      ASSERT_FALSE(route.empty());
      if (links[a][b] == 0) {
        EXPECT_EQ(route.front().level, LevelId::pcie) << a << ' ' << b;
        continue;
      }
      ASSERT_EQ(route.size(), 1U) << a << ' ' << b;
      EXPECT_EQ(route.front().links, links[a][b]) << a << ' ' << b;
      EXPECT_DOUBLE_EQ(route.front().link.bandwidth, links[a][b] * 50e9);  // 300 GB/s over 6 links
      EXPECT_DOUBLE_EQ(route.front().link.latency, 2e-6);                  // parallel links do not add latency
      total += route.front().link.bandwidth;
    }
    EXPECT_DOUBLE_EQ(total, 300e9) << a;
  }
}

TEST(Topology, CubeMeshHasARingOverNvlink) {
  const Topology t(node(8, Fabric::mesh));
  for (const std::size_t group : {2, 4, 8}) {
    EXPECT_EQ(t.group_path(group).level, LevelId::nvlink) << group;
    EXPECT_EQ(t.group_path(group).hops, 1U) << group;
  }
  EXPECT_DOUBLE_EQ(t.group_path(2).link.bandwidth, 50e9);   // gpu0 and gpu1: one link
  EXPECT_DOUBLE_EQ(t.group_path(4).link.bandwidth, 200e9);  // gpu0: 1 + 1 + 2 links within the first four, gpu3 5
  EXPECT_DOUBLE_EQ(t.group_path(8).link.bandwidth, 300e9);  // all 6
}

TEST(Topology, OtherMeshesAreAllToAll) {
  const Topology t(node(4, Fabric::mesh));
  for (Topology::Device b = 1; b < 4; ++b) {
    EXPECT_EQ(t.route(0, b).size(), 1U);
    EXPECT_DOUBLE_EQ(t.path(0, b).link.bandwidth, 100e9);  // 300 GB/s over 3 neighbours
  }
  EXPECT_DOUBLE_EQ(t.group_path(3).link.bandwidth, 200e9);  // to 2 of them
}

TEST(Topology, RoutesAreReversible) {
  for (const Fabric fabric : {Fabric::none, Fabric::nvswitch, Fabric::pairs, Fabric::mesh}) {
    for (const std::uint32_t gpus : {1U, 2U, 6U, 8U}) {
      for (const std::uint32_t per_switch : {1U, 2U, 4U}) {
        const Topology t(node(gpus, fabric, per_switch));
        for (Topology::Device a = 0; a < t.gpus(); ++a) {
          for (Topology::Device b = 0; b < t.size(); ++b) {
            if (a == b || (b >= t.gpus() && b != t.host())) continue;
            const auto there = t.route(a, b);
            const auto back = t.route(b, a);
            ASSERT_FALSE(there.empty()) << name(fabric) << ' ' << gpus << ' ' << a << ' ' << b;
            EXPECT_EQ(there.size(), back.size());
            EXPECT_EQ(there.front().from, a);
            EXPECT_EQ(there.back().to, b);
            for (std::size_t i = 0; i + 1 < there.size(); ++i) {
              EXPECT_EQ(there[i].to, there[i + 1].from);
              EXPECT_GE(there[i].to, t.gpus());  // nobody in between is a GPU
            }
            EXPECT_DOUBLE_EQ(t.path(a, b).link.latency, t.path(b, a).link.latency);
          }
        }
      }
    }
  }
}

TEST(Topology, ListsEveryLinkOnce) {
  const Topology t(node(8, Fabric::nvswitch));
  std::set<std::pair<Topology::Device, Topology::Device>> seen;
  for (const Topology::Hop& hop : t.links()) EXPECT_TRUE(seen.insert({hop.from, hop.to}).second);
  EXPECT_EQ(seen.size(), 8U + 8 + 4);  // NVLink, GPU to PCIe switch, PCIe switch to host
}

TEST(Topology, FindsDevicesByName) {
  const Topology t(node(4, Fabric::nvswitch));
  EXPECT_EQ(t.find("gpu3"), 3U);
  EXPECT_EQ(t.find("host"), t.host());
  EXPECT_EQ(t.name(*t.find("nvswitch")), "nvswitch");
  EXPECT_FALSE(t.find("gpu4").has_value());
  EXPECT_TRUE(t.route(2, 2).empty());
  EXPECT_THROW((void)t.route(0, 99), std::out_of_range);
  EXPECT_THROW((void)t.group_path(5), std::out_of_range);
  EXPECT_THROW((void)t.group_path(1), std::out_of_range);
}

TEST(Topology, APartlyFilledSwitchStillWorks) {
  const Topology t(node(3, Fabric::none));
  EXPECT_EQ(way(t, 2, t.host()), "gpu2 -pcie1 -host");
  EXPECT_EQ(way(t, 2, 0), "gpu2 -pcie1 -host -pcie0 -gpu0");
}

}  // namespace
}  // namespace rooftrace
