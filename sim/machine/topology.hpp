// The devices of one node and the links between them: GPUs, NVSwitch, PCIe switches, host.
//
// Promises: routes are shortest by hops, then by latency, and the same on every run; NVLink is taken wherever it reaches the other end;
// GPUs never forward for others; parallel links between the same two devices are one hop with their summed bandwidth. A one-way latency of
// the spec is that of the whole way between two GPUs (NVLink) or a GPU and the host (PCIe), split over its two hops where a switch sits in
// between. Meshes: 8 GPUs are the hybrid cube mesh of the DGX-1 (6 links each, some pairs joined by two); any other number is all-to-all,
// each GPU's rate divided evenly. Not modeled: several NUMA nodes of the host, the network beyond the node, adaptive routing, congestion.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/core/counters.hpp"
#include "sim/machine/machine_spec.hpp"

namespace rooftrace {

class Topology {
 public:
  using Device = std::size_t;

  /// From one device to a neighbour over all parallel links between them.
  struct Hop {
    Device from, to;
    LevelId level;            ///< nvlink or pcie: whose bytes these are.
    LinkSpec link;            ///< One way; bandwidth of all parallel links together.
    std::uint32_t links = 1;  ///< How many they are.
  };
  /// A whole route as one link: the narrowest bandwidth and efficiency, the sum of latencies.
  struct Path {
    LevelId level;  ///< pcie when any hop is.
    LinkSpec link;
    std::size_t hops = 0;
  };

  explicit Topology(const MachineSpec& machine);
  ~Topology();
  Topology(Topology&&) noexcept;
  Topology& operator=(Topology&&) noexcept;

  [[nodiscard]] std::size_t size() const { return names_.size(); }  ///< Devices 0 .. gpus() - 1 are the GPUs.
  [[nodiscard]] std::size_t gpus() const { return gpus_; }
  [[nodiscard]] Device host() const { return names_.size() - 1; }
  [[nodiscard]] const std::string& name(Device device) const { return names_.at(device); }  ///< "gpu0", "nvswitch", "pcie1", "host"
  [[nodiscard]] std::optional<Device> find(std::string_view name) const;

  /// The hops from one device to another; none when they are the same. std::out_of_range for a device that does not exist.
  [[nodiscard]] std::vector<Hop> route(Device from, Device to) const;
  [[nodiscard]] Path path(Device from, Device to) const;
  /// What the first `group` GPUs (2 or more) exchange data over: NVLink when they can stand in a ring whose neighbours are all joined by
  /// it, with what the least connected of them can send to the others over all its links at once; else the slowest path between any two of
  /// them.
  [[nodiscard]] Path group_path(std::size_t group) const;
  /// Every pair of neighbours once, in the order of their devices.
  [[nodiscard]] std::vector<Hop> links() const;

 private:
  struct Graph;

  Device add(std::string device_name);
  [[nodiscard]] double nvlink_rate(Device gpu, std::size_t group) const;
  [[nodiscard]] bool complete_ring(std::vector<Device>& ring, std::size_t group) const;
  void add_nvlink(const MachineSpec& machine);
  void add_pcie(const MachineSpec& machine);

  std::vector<std::string> names_;
  std::size_t gpus_ = 0;
  std::unique_ptr<Graph> graph_;
};

}  // namespace rooftrace
