// The page: a tree of levels, a table of peaks and ridge points, the node.
#include "sim/app/describe_hardware.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>
#include <vector>

#include "sim/core/units.hpp"
#include "sim/machine/topology.hpp"

namespace rooftrace {
namespace {

std::string rate(double value) {
  return format_quantity(value, Dimension::bytes_per_second);
}
std::string flops(double value) {
  return format_quantity(value, Dimension::flop_per_second);
}
std::string time(double value) {
  return format_quantity(value, Dimension::seconds);
}
std::string clock(double value) {
  return format_quantity(value, Dimension::hertz);
}
std::string size(std::uint64_t value) {
  return format_binary_bytes(static_cast<double>(value));
}
std::string percent(double part, double whole) {
  return fmt::format("{:.0f} %", 100 * part / whole);
}

std::string thousands(std::uint64_t value) {
  std::string digits = std::to_string(value);
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3) digits.insert(static_cast<std::size_t>(at), ",");
  return digits;
}

/// One level of the tree: a heading and its lines.
struct Branch {
  std::string heading;
  std::vector<std::pair<std::string, std::string>> lines;
};

Branch sm_branch(const MachineSpec& machine) {
  const SmSpec& sm = machine.sm;
  Branch branch{fmt::format("SM x {}", sm.count), {}};
  branch.lines = {
      {"clock", fmt::format("{} in memory-bound kernels, {} under tensor load; tensor peaks quoted at {}", clock(sm.clock),
                            clock(sm.tensor_clock), clock(sm.peak_clock))},
      {"pipes", fmt::format("tensor, CUDA cores {} fp32, special functions {} per clock", flops(sm.cuda_peak), sm.sfu_per_clock)},
      {"shared memory", fmt::format("{} per SM, {} per block; with L1 {}, L1 hit {}", size(sm.shared_memory),
                                    size(sm.shared_memory_per_block), size(sm.l1_bytes), time(sm.l1_latency))},
      {"blocks", fmt::format("up to {} per SM, clusters of up to {}, asynchronous copy: {}", sm.max_blocks, sm.max_cluster,
                             sm.async_copy ? "yes" : "no")},
      {"from L2", fmt::format("{} per SM, {} all SMs", rate(sm.l2_port), rate(sm.l2_port * sm.count))},
  };
  return branch;
}

Branch l2_branch(const L2Spec& l2) {
  const std::string latency = l2.partitions == 1
                                  ? time(l2.latency_near)
                                  : fmt::format("{} in the SM's own partition, {} in another", time(l2.latency_near), time(l2.latency_far));
  return {fmt::format("L2, {} slices in {} partition{}{}", l2.slices, l2.partitions, l2.partitions == 1 ? "" : "s",
                      l2.copies ? " that keep copies of each other's lines" : ""),
          {{"capacity", fmt::format("{}, effective {} = {} sets x {} ways x {} B; sectors of {} B; {}, {}", size(l2.capacity),
                                    size(l2.effective), thousands(l2.sets()), l2.ways, l2.line, l2.sector, name(l2.hash), name(l2.policy))},
           {"bandwidth", fmt::format("{} peak, {} sustained ({})", rate(l2.peak_bandwidth), rate(l2.bandwidth),
                                     percent(l2.bandwidth, l2.peak_bandwidth))},
           {"latency", latency}}};
}

Branch hbm_branch(const HbmSpec& hbm, std::uint32_t sector) {
  const auto shown = [&](double sustained) { return fmt::format("({})", percent(sustained, hbm.bandwidth)); };
  const double read = hbm.sustained(1), copy = hbm.sustained(0.5), triad = hbm.sustained(2.0 / 3), random = hbm.random(sector);
  return {fmt::format("HBM: {}, {} stacks, {} channels", hbm.kind, hbm.stacks, hbm.channels),
          {{"capacity", size(hbm.capacity)},
           {"bandwidth", fmt::format("{} datasheet; sustained {} read {}, {} copy {}, {} triad {}", rate(hbm.bandwidth), rate(read),
                                     shown(read), rate(copy), shown(copy), rate(triad), shown(triad))},
           {"at random", fmt::format("{} in lone sectors of {} {}", rate(random), size(sector), shown(random))},
           {"latency", fmt::format("{} unloaded, load to use", time(hbm.latency))}}};
}

Branch link_branch(const std::string& heading, const LinkSpec& link) {
  if (link.bandwidth <= 0) return {heading + ": none", {}};
  return {heading,
          {{"bandwidth", fmt::format("{} each way ({} both directions); sustained {} each way ({})", rate(link.bandwidth),
                                     rate(2 * link.bandwidth), rate(link.bandwidth * link.efficiency), percent(link.efficiency, 1))},
           {"latency", fmt::format("{} one way", time(link.latency))}}};
}

std::string tree(const std::vector<Branch>& branches) {
  std::string page;
  for (std::size_t i = 0; i < branches.size(); ++i) {
    const bool last = i + 1 == branches.size();
    page += fmt::format("{} {}\n", last ? "└─" : "├─", branches[i].heading);
    for (const auto& [label, text] : branches[i].lines) page += fmt::format("{}    {:<15}{}\n", last ? " " : "│", label, text);
  }
  return page;
}

/// Bandwidth of a level as the datasheet says, and sustained.
struct Beta {
  std::string level;
  double datasheet, sustained;
};

std::vector<Beta> betas(const MachineSpec& machine) {
  const auto link = [](const LinkSpec& spec) { return spec.bandwidth * spec.efficiency; };
  std::vector<Beta> all = {{"L2", machine.l2.peak_bandwidth, machine.l2.bandwidth},
                           {"HBM", machine.hbm.bandwidth, machine.hbm.sustained(1)}};
  if (machine.nvlink.bandwidth > 0) all.push_back({"NVLink", machine.nvlink.bandwidth, link(machine.nvlink)});
  all.push_back({"PCIe", machine.pcie.bandwidth, link(machine.pcie)});
  return all;
}

std::string intensity(double flop_per_byte) {
  return flop_per_byte < 10 ? fmt::format("{:.1f}", flop_per_byte) : thousands(static_cast<std::uint64_t>(flop_per_byte + 0.5));
}

std::string ridge_table(const MachineSpec& machine) {
  constexpr std::array kOrder = {DataType::fp64, DataType::tf32, DataType::fp16, DataType::bf16,
                                 DataType::fp8,  DataType::int8, DataType::fp4,  DataType::int4};
  std::string page = "Peaks and ridge points pi/beta in FLOP/B: a kernel of lower intensity at a level is bound by that level.\n";
  page += "Each pair: datasheet / sustained.\n\n";
  page += fmt::format("  {:<12}{:>29}", "pipe", "pi");
  const std::vector<Beta> levels = betas(machine);
  for (const Beta& beta : levels) page += fmt::format("{:>18}", beta.level);
  page += '\n';
  const auto row = [&](const std::string& label, double peak, double sustained) {
    page += fmt::format("  {:<12}{:>29}", label, flops(peak) + " / " + flops(sustained));
    for (const Beta& beta : levels) {
      page += fmt::format("{:>18}", intensity(peak / beta.datasheet) + " / " + intensity(sustained / beta.sustained));
    }
    page += '\n';
  };
  for (const DataType type : kOrder) {
    if (!machine.sm.tensor_peak.contains(type)) continue;
    row(fmt::format("tensor {}", name(type)), machine.peak(Pipe::tensor, type), machine.sustained(Pipe::tensor, type));
  }
  row("cuda fp32", machine.peak(Pipe::cuda, DataType::fp32), machine.sustained(Pipe::cuda, DataType::fp32));
  return page;
}

/// "gpu0, gpu1, gpu2" as "gpu0..gpu2" where the numbers run on; devices in ascending order.
std::string device_list(const Topology& topology, const std::vector<Topology::Device>& devices) {
  std::string text;
  for (std::size_t i = 0; i < devices.size();) {
    std::size_t end = i;
    while (end + 1 < devices.size() && devices[end + 1] == devices[end] + 1) ++end;
    text += (text.empty() ? "" : ", ") + topology.name(devices[i]);
    if (end > i) text += (end > i + 1 ? ".." : ", ") + topology.name(devices[end]);
    i = end + 1;
  }
  return text;
}

std::string level_name(LevelId level) {
  return level == LevelId::nvlink ? "NVLink" : "PCIe";
}

/// How gpu0 reaches the others: destinations with the same kind of path on one line.
std::string routes(const Topology& topology) {
  std::vector<std::pair<std::string, std::vector<Topology::Device>>> kinds;
  for (Topology::Device to = 1; to < topology.size(); ++to) {
    if (to >= topology.gpus() && to != topology.host()) continue;
    const Topology::Path path = topology.path(0, to);
    std::string via = fmt::format("{}, {} each way, {}, {} hop{}", level_name(path.level), rate(path.link.bandwidth),
                                  time(path.link.latency), path.hops, path.hops == 1 ? "" : "s");
    const auto same = std::find_if(kinds.begin(), kinds.end(), [&](const auto& kind) { return kind.first == via; });
    if (same != kinds.end() && to < topology.gpus()) {
      same->second.push_back(to);
    } else {
      kinds.push_back({via, {to}});
    }
  }
  std::string page;
  for (const auto& [via, devices] : kinds) page += fmt::format("  gpu0 -> {:<24}{}\n", device_list(topology, devices), via);
  return page;
}

std::string node(const MachineSpec& machine) {
  const Topology topology(machine);
  std::string page =
      fmt::format("Node: {} GPU{}, NVLink fabric: {}\n\n", machine.node.gpus, machine.node.gpus == 1 ? "" : "s", name(machine.node.fabric));
  // Each switch (and the host) with what hangs on it; GPUs joined directly once, at the lower number.
  const std::vector<Topology::Hop> links = topology.links();
  std::vector<std::pair<Topology::Device, std::vector<Topology::Device>>> stars;
  const auto star = [&](Topology::Device centre, Topology::Device leaf) {
    const auto found = std::find_if(stars.begin(), stars.end(), [&](const auto& known) { return known.first == centre; });
    if (found == stars.end()) {
      stars.push_back({centre, {leaf}});
    } else {
      found->second.push_back(leaf);
    }
  };
  for (const Topology::Hop& hop : links) {
    if (hop.to >= topology.gpus()) star(hop.to, hop.from);
  }
  std::vector<std::pair<Topology::Device, std::string>> direct;
  for (const Topology::Hop& hop : links) {
    if (hop.to >= topology.gpus()) continue;
    if (direct.empty() || direct.back().first != hop.from) direct.push_back({hop.from, ""});
    std::string& ends = direct.back().second;
    ends += (ends.empty() ? "" : ", ") + topology.name(hop.to);
    if (hop.links > 1) ends += fmt::format(" ({} links)", hop.links);
  }
  for (const auto& [gpu, ends] : direct) page += fmt::format("  {:<9}-- {}\n", topology.name(gpu), ends);
  std::sort(stars.begin(), stars.end());
  for (const auto& [centre, leaves] : stars) page += fmt::format("  {:<9}-- {}\n", topology.name(centre), device_list(topology, leaves));
  return page + "\n" + routes(topology);
}

}  // namespace

std::string describe_hardware(const MachineSpec& machine) {
  const std::vector<Branch> levels = {
      sm_branch(machine),
      l2_branch(machine.l2),
      hbm_branch(machine.hbm, machine.l2.sector),
      link_branch("NVLink", machine.nvlink),
      link_branch("PCIe, or what takes its place", machine.pcie),
      {"host memory",
       {{"capacity", format_quantity(static_cast<double>(machine.host.capacity), Dimension::bytes)},
        {"bandwidth", fmt::format("{}; one thread copies {}", rate(machine.host.bandwidth), rate(machine.host.copy_bandwidth))}}}};
  std::string page = fmt::format("{} ({}, {})\n", machine.title, machine.name, machine.arch);
  page += tree(levels) + "\n";
  page += fmt::format("Launch: {} between dependent kernels, {} to start a block, {} to start a copy{}.\n\n",
                      time(machine.launch.kernel_gap), time(machine.launch.block_start), time(machine.launch.copy_start),
                      machine.launch.copy_call > 0 ? fmt::format(", {} to wait for it", time(machine.launch.copy_call)) : "");
  return page + ridge_table(machine) + "\n" + node(machine);
}

}  // namespace rooftrace
