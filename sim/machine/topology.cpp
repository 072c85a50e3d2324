// The node as a Boost.Graph: one vertex per device, one edge per physical link.
#include "sim/machine/topology.hpp"

#include <algorithm>
#include <array>
#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/dijkstra_shortest_paths.hpp>
#include <boost/graph/filtered_graph.hpp>
#include <boost/property_map/function_property_map.hpp>
#include <limits>
#include <stdexcept>
#include <utility>

namespace rooftrace {
namespace {

struct Wire {
  LevelId level = LevelId::pcie;
  LinkSpec link;
};
using Wires = boost::adjacency_list<boost::vecS, boost::vecS, boost::undirectedS, boost::no_property, Wire>;
using Edge = boost::graph_traits<Wires>::edge_descriptor;

/// Length of a route: hops first, seconds second.
using Length = std::pair<std::uint32_t, double>;
constexpr Length kUnreachable = {std::numeric_limits<std::uint32_t>::max(), 0};

/// Which edges a route between two ends may use: no GPU forwards for others, and perhaps NVLink only.
struct Allowed {
  const Wires* wires = nullptr;
  std::size_t gpus = 0;
  Topology::Device from = 0, to = 0;
  bool nvlink_only = false;

  [[nodiscard]] bool passable(Topology::Device device) const { return device >= gpus || device == from || device == to; }
  bool operator()(const Edge& edge) const {
    return (!nvlink_only || (*wires)[edge].level == LevelId::nvlink) && passable(source(edge, *wires)) && passable(target(edge, *wires));
  }
};

/// Hybrid cube mesh of the DGX-1 with V100: pairs with their number of links, six links at every GPU.
struct CubeEdge {
  std::uint8_t a, b, links;
};
constexpr std::array<CubeEdge, 16> kCubeMesh = {{{0, 1, 1},
                                                 {0, 2, 1},
                                                 {0, 3, 2},
                                                 {0, 4, 2},
                                                 {1, 2, 2},
                                                 {1, 3, 1},
                                                 {1, 5, 2},
                                                 {2, 3, 2},
                                                 {2, 6, 1},
                                                 {3, 7, 1},
                                                 {4, 5, 1},
                                                 {4, 6, 1},
                                                 {4, 7, 2},
                                                 {5, 6, 2},
                                                 {5, 7, 1},
                                                 {6, 7, 2}}};
constexpr std::uint32_t kCubeGpus = 8;
constexpr std::uint32_t kCubeLinks = 6;

LinkSpec scaled(LinkSpec link, double bandwidth_share, double latency_share) {
  link.bandwidth *= bandwidth_share;
  link.latency *= latency_share;
  return link;
}

}  // namespace

struct Topology::Graph {
  Wires wires;

  void connect(Device a, Device b, LevelId level, const LinkSpec& link, std::uint32_t links = 1) {
    for (std::uint32_t i = 0; i < links; ++i) add_edge(a, b, Wire{level, link}, wires);
  }

  /// All links of one level between two neighbours as one hop.
  [[nodiscard]] Hop merge(Device from, Device to, LevelId level) const {
    Hop hop{from, to, level, {}, 0};
    for (const Edge& edge : boost::make_iterator_range(out_edges(from, wires))) {
      const Wire& wire = wires[edge];
      if (target(edge, wires) != to || wire.level != level) continue;
      const double bandwidth = hop.link.bandwidth + wire.link.bandwidth;
      hop.link = wire.link;
      hop.link.bandwidth = bandwidth;
      ++hop.links;
    }
    return hop;
  }

  /// The hops from `from` to `to` over allowed edges; none when there is no way.
  [[nodiscard]] std::vector<Hop> shortest(const Allowed& allowed) const {
    const boost::filtered_graph<Wires, Allowed> open(wires, allowed);
    const std::size_t n = num_vertices(wires);
    std::vector<Device> previous(n);
    std::vector<Length> length(n, kUnreachable);
    const auto weight = boost::make_function_property_map<Edge, Length>([this](const Edge& edge) -> Length {
      return {1, wires[edge].link.latency};
    });
    const auto index = get(boost::vertex_index, wires);
    boost::dijkstra_shortest_paths(open, allowed.from,
                                   boost::weight_map(weight)
                                       .predecessor_map(boost::make_iterator_property_map(previous.begin(), index))
                                       .distance_map(boost::make_iterator_property_map(length.begin(), index))
                                       .distance_inf(kUnreachable)
                                       .distance_zero(Length{0, 0})
                                       .distance_combine([](const Length& a, const Length& b) {
                                         return Length{a.first + b.first, a.second + b.second};
                                       }));
    std::vector<Hop> hops;
    if (length[allowed.to] == kUnreachable) return hops;
    for (Device at = allowed.to; at != allowed.from; at = previous[at]) {
      const Hop nvlink = merge(previous[at], at, LevelId::nvlink);
      hops.push_back(nvlink.links > 0 ? nvlink : merge(previous[at], at, LevelId::pcie));
    }
    std::reverse(hops.begin(), hops.end());
    return hops;
  }
};

Topology::Topology(const MachineSpec& machine) : gpus_(machine.node.gpus), graph_(std::make_unique<Graph>()) {
  for (std::size_t gpu = 0; gpu < gpus_; ++gpu) add("gpu" + std::to_string(gpu));
  if (machine.nvlink.bandwidth > 0) add_nvlink(machine);
  add_pcie(machine);
}
Topology::~Topology() = default;
Topology::Topology(Topology&&) noexcept = default;
Topology& Topology::operator=(Topology&&) noexcept = default;

Topology::Device Topology::add(std::string device_name) {
  names_.push_back(std::move(device_name));
  return add_vertex(graph_->wires);
}

void Topology::add_nvlink(const MachineSpec& machine) {
  const auto connect = [&](Device a, Device b, const LinkSpec& link, std::uint32_t links = 1) {
    graph_->connect(a, b, LevelId::nvlink, link, links);
  };
  switch (machine.node.fabric) {
    case Fabric::none:
      return;
    case Fabric::nvswitch: {
      const Device nvswitch = add("nvswitch");
      for (Device gpu = 0; gpu < gpus_; ++gpu) connect(gpu, nvswitch, scaled(machine.nvlink, 1, 0.5));
      return;
    }
    case Fabric::pairs:
      for (Device gpu = 0; gpu + 1 < gpus_; gpu += 2) connect(gpu, gpu + 1, machine.nvlink);
      return;
    case Fabric::mesh:
      if (gpus_ == kCubeGpus) {
        for (const CubeEdge& edge : kCubeMesh) connect(edge.a, edge.b, scaled(machine.nvlink, 1.0 / kCubeLinks, 1), edge.links);
        return;
      }
      for (Device a = 0; a < gpus_; ++a) {
        for (Device b = a + 1; b < gpus_; ++b) connect(a, b, scaled(machine.nvlink, 1.0 / static_cast<double>(gpus_ - 1), 1));
      }
      return;
  }
}

void Topology::add_pcie(const MachineSpec& machine) {
  const std::size_t per_switch = std::max<std::size_t>(1, machine.node.gpus_per_pcie_switch);

  const std::size_t switches = per_switch == 1 ? 0 : (gpus_ + per_switch - 1) / per_switch;
  std::vector<Device> switch_of;
  for (std::size_t i = 0; i < switches; ++i) switch_of.push_back(add("pcie" + std::to_string(i)));
  const Device the_host = add("host");
  for (const Device pcie_switch : switch_of) graph_->connect(pcie_switch, the_host, LevelId::pcie, scaled(machine.pcie, 1, 0.5));
  for (Device gpu = 0; gpu < gpus_; ++gpu) {
    if (switches == 0) {
      graph_->connect(gpu, the_host, LevelId::pcie, machine.pcie);
    } else {
      graph_->connect(gpu, switch_of[gpu / per_switch], LevelId::pcie, scaled(machine.pcie, 1, 0.5));
    }
  }
}

std::optional<Topology::Device> Topology::find(std::string_view device_name) const {
  const auto found = std::find(names_.begin(), names_.end(), device_name);
  if (found == names_.end()) return std::nullopt;
  return static_cast<Device>(found - names_.begin());
}

std::vector<Topology::Hop> Topology::route(Device from, Device to) const {
  if (from >= size() || to >= size()) throw std::out_of_range("no such device in this node");
  if (from == to) return {};
  Allowed allowed{&graph_->wires, gpus_, from, to, true};
  std::vector<Hop> hops = graph_->shortest(allowed);
  if (!hops.empty()) return hops;
  allowed.nvlink_only = false;
  return graph_->shortest(allowed);
}

Topology::Path Topology::path(Device from, Device to) const {
  const std::vector<Hop> hops = route(from, to);
  if (hops.empty()) throw std::logic_error("no path from " + name(from) + " to " + name(to));
  Path path{hops.front().level, hops.front().link, hops.size()};
  path.link.latency = 0;
  for (const Hop& hop : hops) {
    if (hop.level == LevelId::pcie) path.level = LevelId::pcie;
    path.link.bandwidth = std::min(path.link.bandwidth, hop.link.bandwidth);
    path.link.efficiency = std::min(path.link.efficiency, hop.link.efficiency);
    path.link.latency += hop.link.latency;
  }
  return path;
}

// Lengthens `ring` to all of the group by trying neighbours in order; fabrics are all-to-all, pairs or the 8-GPU mesh, so it never tries
// long.
bool Topology::complete_ring(std::vector<Device>& ring, std::size_t group) const {
  const auto joined = [&](Device a, Device b) { return path(a, b).level == LevelId::nvlink; };
  if (ring.size() == group) return joined(ring.back(), ring.front());
  for (Device next = 1; next < group; ++next) {
    if (std::find(ring.begin(), ring.end(), next) != ring.end() || !joined(ring.back(), next)) continue;
    ring.push_back(next);
    if (complete_ring(ring, group)) return true;
    ring.pop_back();
  }
  return false;
}

// B/s one way of all NVLinks of a GPU that lead to the group, or to a switch.
double Topology::nvlink_rate(Device gpu, std::size_t group) const {
  double rate = 0;
  for (Device other = 0; other < size(); ++other) {
    if (other < group || other >= gpus_) rate += graph_->merge(gpu, other, LevelId::nvlink).link.bandwidth;
  }
  return rate;
}

Topology::Path Topology::group_path(std::size_t group) const {
  if (group < 2 || group > gpus_) throw std::out_of_range("a group of " + std::to_string(group) + " of " + std::to_string(gpus_) + " GPUs");
  if (std::vector<Device> ring = {0}; complete_ring(ring, group)) {
    Path whole = path(ring.back(), ring.front());
    whole.link.bandwidth = nvlink_rate(0, group);
    for (Device gpu = 1; gpu < group; ++gpu) whole.link.bandwidth = std::min(whole.link.bandwidth, nvlink_rate(gpu, group));
    return whole;
  }
  const auto rate = [](const Path& path) { return path.link.bandwidth * path.link.efficiency; };
  Path worst = path(0, 1);
  for (Device a = 0; a < group; ++a) {
    for (Device b = a + 1; b < group; ++b) {
      const Path other = path(a, b);
      if (rate(other) < rate(worst) || (rate(other) == rate(worst) && other.link.latency > worst.link.latency)) worst = other;
    }
  }
  return worst;
}

std::vector<Topology::Hop> Topology::links() const {
  std::vector<Hop> all;
  for (Device a = 0; a < size(); ++a) {
    for (Device b = a + 1; b < size(); ++b) {
      for (const LevelId level : {LevelId::nvlink, LevelId::pcie}) {
        const Hop hop = graph_->merge(a, b, level);
        if (hop.links > 0) all.push_back(hop);
      }
    }
  }
  return all;
}

}  // namespace rooftrace
