// The sections of a hardware file, one function each; the ranges are wide enough for any machine that could be built this decade.
#include "sim/machine/machine_load.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

#include "sim/core/names.hpp"

namespace rooftrace {
namespace {

// Ranges, low and high ends included.
struct Range {
  Dimension dimension;
  double low, high;
};
constexpr Range kClock = {Dimension::hertz, 1e7, 1e11};                 // 10 MHz to 100 GHz
constexpr Range kRate = {Dimension::flop_per_second, 1e9, 1e18};        // 1 GFLOP/s to 1 EFLOP/s
constexpr Range kBandwidth = {Dimension::bytes_per_second, 1e6, 1e16};  // 1 MB/s to 10 PB/s
constexpr Range kLatency = {Dimension::seconds, 0, 1e-3};               // 0 (ideal) to 1 ms
constexpr Range kCacheBytes = {Dimension::bytes, 1, 1099511627776.0};   // 1 B to 1 TiB
constexpr Range kMemoryBytes = {Dimension::bytes, 1e6, 1e15};           // 1 MB to 1 PB
constexpr Range kSmBytes = {Dimension::bytes, 1024, 16777216};          // 1 KiB to 16 MiB
constexpr Range kChunkBytes = {Dimension::bytes, 1, 1048576};           // 1 B to 1 MiB
constexpr std::int64_t kMany = 4096;                                    // Most SMs, slices, channels, GPUs ... of one kind.

std::string text(double value, Dimension dimension) {
  return dimension == Dimension::bytes ? format_binary_bytes(value) : format_quantity(value, dimension);
}

double quantity(const ConfigNode& node, const Range& range) {
  const double value = node.quantity(range.dimension);
  if (value < range.low || value > range.high) {
    node.fail(fmt::format("{} is outside {} to {}", quoted_word(node.string()), text(range.low, range.dimension),
                          text(range.high, range.dimension)));
  }
  return value;
}

std::uint64_t bytes(const ConfigNode& node, const Range& range) {
  const double value = quantity(node, range);
  if (value != std::floor(value)) node.fail(fmt::format("{} is not a whole number of bytes", quoted_word(node.string())));
  return static_cast<std::uint64_t>(value);
}

std::uint32_t count(const ConfigNode& node, std::int64_t low = 1, std::int64_t high = kMany) {
  return static_cast<std::uint32_t>(node.integer(low, high));
}

double share(const ConfigNode& node) {
  return node.number(0.01, 1);
}

template <typename Enum>
Enum word(const ConfigNode& node, Enum last) {
  std::vector<std::string> names;
  for (int i = 0; i <= static_cast<int>(last); ++i) names.emplace_back(name(static_cast<Enum>(i)));
  return static_cast<Enum>(node.one_of(names));
}

void check_power_of_two(const ConfigNode& node, std::uint64_t value) {
  if ((value & (value - 1)) == 0) return;
  std::uint64_t below = 1;
  while (below * 2 < value) below *= 2;
  node.fail(fmt::format("{} B is not a power of two, and addresses are cut there; {} B or {} B would do", value, below, below * 2));
}

std::map<DataType, double> load_tensor_peak(const ConfigNode& node) {
  std::map<DataType, double> peaks;
  for (const auto& [key, value] : node.entries()) {
    const auto type = data_type_from(key);
    if (!type) value.fail(fmt::format("{} is not a data type that I know{}", quoted_word(key), did_you_mean(key, data_type_names())));
    peaks[*type] = quantity(value, kRate);
  }
  return peaks;
}

/// One core's memcpy, where a file says nothing: public pageable copies reach 10 to 11 GB/s on hosts of PCIe Gen4 machines.
constexpr double kHostCopy = 10.5e9;

SmSpec load_sm(const ConfigNode& node) {
  SmSpec sm;
  sm.count = count(node["count"]);
  sm.clock = quantity(node["clock"], kClock);
  sm.peak_clock = quantity(node["peak_clock"], kClock);
  sm.tensor_clock = quantity(node["tensor_clock"], kClock);
  if (const auto share = node.find("tensor_share_8bit")) sm.tensor_share_8bit = share->number(0.1, 1);
  sm.tensor_peak = load_tensor_peak(node["tensor_peak"]);
  sm.cuda_peak = quantity(node["cuda_peak"], kRate);
  sm.sfu_per_clock = node["sfu_per_clock"].number(0.25, 1024);
  sm.shared_memory = bytes(node["shared_memory"], kSmBytes);
  sm.shared_memory_per_block = bytes(node["shared_memory_per_block"], kSmBytes);
  sm.l1_bytes = bytes(node["l1"], kSmBytes);
  sm.l1_latency = quantity(node["l1_latency"], kLatency);
  sm.l2_port = quantity(node["l2_port"], kBandwidth);
  if (const auto gpcs = node.find("gpcs")) sm.gpcs = count(*gpcs, 1, 64);
  sm.max_blocks = count(node["max_blocks"], 1, 1024);
  sm.max_cluster = count(node["max_cluster"], 1, 64);
  sm.async_copy = node["async_copy"].boolean();
  return sm;
}

L2Spec load_l2(const ConfigNode& node) {
  L2Spec l2;
  l2.capacity = bytes(node["capacity"], kCacheBytes);
  l2.effective = bytes(node["effective"], kCacheBytes);
  l2.ways = count(node["ways"], 1, 1 << 24);
  l2.line = static_cast<std::uint32_t>(bytes(node["line"], kChunkBytes));
  l2.sector = static_cast<std::uint32_t>(bytes(node["sector"], kChunkBytes));
  l2.partitions = count(node["partitions"], 1, 64);
  if (const auto slots = node.find("miss_slots")) l2.miss_slots = count(*slots, 1, 1 << 16);
  if (const auto copies = node.find("copies")) l2.copies = copies->boolean();
  l2.slices = count(node["slices"]);
  l2.bandwidth = quantity(node["bandwidth"], kBandwidth);
  l2.peak_bandwidth = quantity(node["peak_bandwidth"], kBandwidth);
  l2.latency_near = quantity(node["latency_near"], kLatency);
  l2.latency_far = quantity(node["latency_far"], kLatency);
  l2.hash = word(node["hash"], IndexHash::modulo);
  l2.policy = word(node["replacement"], Replacement::tree);
  if (l2.policy == Replacement::tree && !std::has_single_bit(l2.ways))
    node["ways"].fail("is not a power of two, which replacement: tree needs");
  return l2;
}

/// The timing of a memory kind, and over it what the file says itself. A kind that is not in the table starts as an ideal memory, so the
/// file has to say what limits it.
DramTiming load_dram(const ConfigNode& node, const std::string& kind) {
  const std::optional<DramTiming> known = dram_timing_of(kind);
  DramTiming dram = known.value_or(DramTiming{});
  const auto given = [&](const char* key, const auto& read) {
    if (const auto child = node.find(key)) {
      read(*child);
    } else if (!known) {
      node["kind"].fail(fmt::format("{} is no memory whose timing I know: name one of {}, or give all of its timing{}", quoted_word(kind),
                                    fmt::join(dram_kinds(), ", "), did_you_mean(kind, dram_kinds())));
    }
  };
  const auto time = [&](const char* key, double& value) { given(key, [&](const ConfigNode& n) { value = quantity(n, kLatency); }); };
  const auto number = [&](const char* key, std::uint32_t& value, std::int64_t most) {
    given(key, [&](const ConfigNode& n) {
      value = count(n, 1, most);
      if (!std::has_single_bit(value)) n.fail(fmt::format("{} is not a power of two, as addresses are cut", value));
    });
  };
  const auto size = [&](const char* key, std::uint32_t& value) {
    given(key, [&](const ConfigNode& n) { value = static_cast<std::uint32_t>(bytes(n, kChunkBytes)); });
  };
  size("burst", dram.burst);
  number("pseudo_channels", dram.pseudo_channels, 16);
  number("banks", dram.banks, 256);
  number("bank_groups", dram.bank_groups, 256);
  time("row_cycle", dram.row_cycle);
  time("activate", dram.activate);
  time("activate_same_group", dram.activate_same_group);
  time("refresh", dram.refresh);
  time("refresh_interval", dram.refresh_interval);
  given("refresh_takes", [&](const ConfigNode& n) { dram.refresh_takes_channel = n.one_of({"banks", "channel"}) == 1; });
  time("turnaround", dram.turnaround);
  size("write_batch", dram.write_batch);
  given("scheduled", [&](const ConfigNode& n) { dram.scheduled = share(n); });
  return dram;
}

HbmSpec load_hbm(const ConfigNode& node) {
  HbmSpec hbm;
  hbm.kind = node["kind"].string();
  hbm.stacks = count(node["stacks"]);
  hbm.channels = count(node["channels"]);
  hbm.bandwidth = quantity(node["bandwidth"], kBandwidth);
  hbm.latency = quantity(node["latency"], kLatency);
  hbm.capacity = bytes(node["capacity"], kMemoryBytes);
  hbm.interleave = static_cast<std::uint32_t>(bytes(node["interleave"], kChunkBytes));
  hbm.dram = load_dram(node, hbm.kind);
  return hbm;
}

LinkSpec load_link(const ConfigNode& node) {
  LinkSpec link;
  const bool both = node["counts"].one_of({"each_way", "both_directions"}) == 1;
  link.bandwidth = quantity(node["bandwidth"], kBandwidth) / (both ? 2 : 1);
  link.efficiency = share(node["efficiency"]);
  link.latency = quantity(node["latency"], kLatency);
  return link;
}

LinkSpec load_nvlink(const ConfigNode& node) {
  if (node.is_map()) return load_link(node);
  if (node.string() != "none") {
    node.fail(fmt::format("{} is neither none nor a mapping of bandwidth, counts, efficiency and latency", quoted_word(node.string())));
  }
  return {0, 1, 0};
}

NodeSpec load_node(const ConfigNode& node) {
  NodeSpec spec;
  spec.gpus = count(node["gpus"], 1, 256);
  spec.fabric = word(node["fabric"], Fabric::mesh);
  spec.gpus_per_pcie_switch = count(node["gpus_per_pcie_switch"], 1, 256);
  return spec;
}

void check_l2(const ConfigNode& node, const L2Spec& l2) {
  check_power_of_two(node["line"], l2.line);
  check_power_of_two(node["sector"], l2.sector);
  if (l2.sector > l2.line) node["sector"].fail(fmt::format("a sector of {} B is larger than the line of {} B", l2.sector, l2.line));
  if (l2.line / l2.sector > 16) {
    node["sector"].fail(fmt::format("a line of {} B would have {} sectors; up to 16 are possible, so {} B or more would do", l2.line,
                                    l2.line / l2.sector, l2.line / 16));
  }
  if (l2.effective > l2.capacity) {
    node["effective"].fail(fmt::format("{} is more than the capacity of {}", format_binary_bytes(static_cast<double>(l2.effective)),
                                       format_binary_bytes(static_cast<double>(l2.capacity))));
  }
  if (l2.slices % l2.partitions != 0) {
    node["partitions"].fail(fmt::format("{} partitions do not divide the {} slices", l2.partitions, l2.slices));
  }
  const std::uint64_t granule = std::uint64_t{l2.line} * l2.ways * l2.partitions;
  const std::string granule_text = l2.partitions == 1
                                       ? fmt::format("{} ways x {} B = {} B", l2.ways, l2.line, granule)
                                       : fmt::format("{} ways x {} B x {} partitions = {} B", l2.ways, l2.line, l2.partitions, granule);
  if (l2.effective < granule) {
    node["effective"].fail(fmt::format("{} B holds not even one set of {}", l2.effective, granule_text));
  }
  if (l2.effective % granule != 0) {
    const std::uint64_t below = l2.effective / granule * granule;
    const std::string above = below + granule > l2.capacity ? "" : fmt::format(" or {} B", below + granule);
    node["effective"].fail(
        fmt::format("{} B is not a whole number of sets of {}; {} B{} would do", l2.effective, granule_text, below, above));
  }
  const std::uint64_t most_sets = std::min<std::uint64_t>((1ULL << 22) - 1, kFrameBytes / l2.line);
  if (l2.sets() > most_sets) node["ways"].fail(fmt::format("{} ways make {} sets; up to {} are possible", l2.ways, l2.sets(), most_sets));
  if (l2.bandwidth > l2.peak_bandwidth) {
    node["bandwidth"].fail(fmt::format("the sustained {} is above the peak_bandwidth of {}",
                                       format_quantity(l2.bandwidth, Dimension::bytes_per_second),
                                       format_quantity(l2.peak_bandwidth, Dimension::bytes_per_second)));
  }
  if (l2.latency_far < l2.latency_near) node["latency_far"].fail("is less than latency_near");
}

void check_sm(const ConfigNode& node, const SmSpec& sm) {
  if (sm.tensor_clock > sm.peak_clock) {
    node["tensor_clock"].fail(fmt::format("the sustained {} is above the peak_clock of {}",
                                          format_quantity(sm.tensor_clock, Dimension::hertz),
                                          format_quantity(sm.peak_clock, Dimension::hertz)));
  }
  if (sm.shared_memory > sm.l1_bytes) {
    node["shared_memory"].fail(fmt::format("{} does not fit the l1 array of {}", format_binary_bytes(static_cast<double>(sm.shared_memory)),
                                           format_binary_bytes(static_cast<double>(sm.l1_bytes))));
  }
  if (sm.shared_memory_per_block > sm.shared_memory) {
    node["shared_memory_per_block"].fail(fmt::format("{} is more than the {} of the whole SM",
                                                     format_binary_bytes(static_cast<double>(sm.shared_memory_per_block)),
                                                     format_binary_bytes(static_cast<double>(sm.shared_memory))));
  }
}

/// Of keys that the file may leave to its memory kind: then the kind's line is what is wrong.
void check_dram(const ConfigNode& node, const MachineSpec& machine) {
  const DramTiming& dram = machine.hbm.dram;
  const auto at = [&](const char* key) { return node.find(key).value_or(node["kind"]); };
  check_power_of_two(at("burst"), dram.burst);
  if (dram.burst > machine.l2.line) {
    at("burst").fail(fmt::format("a burst of {} B is larger than a line of L2 ({} B)", dram.burst, machine.l2.line));
  }
  if (dram.write_batch < dram.burst) {
    at("write_batch").fail(fmt::format("{} B is less than a burst ({} B)", dram.write_batch, dram.burst));
  }
  if (dram.bank_groups > dram.banks) {
    at("bank_groups").fail(fmt::format("{} bank groups cannot share {} banks", dram.bank_groups, dram.banks));
  }
  if (dram.activate_same_group < dram.activate) {
    at("activate")
        .fail(fmt::format("{} is more than the {} of activate_same_group", format_quantity(dram.activate, Dimension::seconds),
                          format_quantity(dram.activate_same_group, Dimension::seconds)));
  }
  if (dram.refresh > 0 && dram.refresh >= dram.refresh_interval) {
    at("refresh").fail(fmt::format("{} is not less than the refresh_interval of {}", format_quantity(dram.refresh, Dimension::seconds),
                                   format_quantity(dram.refresh_interval, Dimension::seconds)));
  }
  if (dram.read_share() < 0.01) at("refresh").fail("leaves less than 0.01 of the bandwidth");
}

void check_hbm(const ConfigNode& node, const MachineSpec& machine) {
  const HbmSpec& hbm = machine.hbm;
  if (hbm.channels % hbm.stacks != 0) {
    const std::uint32_t below = hbm.channels / hbm.stacks * hbm.stacks;
    node["channels"].fail(fmt::format("{} channels are not shared equally by {} stacks; {}{} would do", hbm.channels, hbm.stacks,
                                      below == 0 ? "" : fmt::format("{} or ", below), below + hbm.stacks));
  }
  check_power_of_two(node["interleave"], hbm.interleave);
  if (hbm.interleave < machine.l2.line) {
    node["interleave"].fail(
        fmt::format("{} B is less than a line of L2 ({} B), which must lie on one channel", hbm.interleave, machine.l2.line));
  }
  if (hbm.latency < machine.l2.latency_far) node["latency"].fail("is less than l2.latency_far, through which every miss goes");
  if (hbm.capacity < machine.l2.capacity) node["capacity"].fail("is less than the capacity of L2");
  check_dram(node, machine);
}

void check_node(const ConfigNode& node, const MachineSpec& machine) {
  const bool nvlink = machine.nvlink.bandwidth > 0;
  const Fabric fabric = machine.node.fabric;
  if (nvlink && fabric == Fabric::none) {
    node["fabric"].fail("none joins no GPUs, but nvlink has a bandwidth; write \"nvlink: none\", or one of nvswitch, pairs, mesh here");
  }
  if (!nvlink && fabric != Fabric::none) {
    node["fabric"].fail(fmt::format("{} needs NVLink, but nvlink is none; write none here, or give nvlink a bandwidth", name(fabric)));
  }
  if (fabric == Fabric::pairs && machine.node.gpus % 2 != 0 && machine.node.gpus != 1) {
    node["gpus"].fail(
        fmt::format("{} GPUs cannot all be in pairs; {} or {} would do", machine.node.gpus, machine.node.gpus - 1, machine.node.gpus + 1));
  }
}

}  // namespace

MachineSpec load_machine(const ConfigNode& root, const std::string& name) {
  MachineSpec machine;
  machine.name = name;
  machine.title = root["title"].string();
  machine.arch = root["arch"].string();
  machine.sm = load_sm(root["sm"]);
  machine.l2 = load_l2(root["l2"]);
  machine.hbm = load_hbm(root["hbm"]);
  machine.nvlink = load_nvlink(root["nvlink"]);
  machine.pcie = load_link(root["pcie"]);
  const ConfigNode host = root["host"];
  machine.host = {bytes(host["capacity"], kMemoryBytes), quantity(host["bandwidth"], kBandwidth), kHostCopy};
  if (const auto node = host.find("copy_bandwidth")) machine.host.copy_bandwidth = quantity(*node, kBandwidth);
  machine.node = load_node(root["node"]);
  const ConfigNode launch = root["launch"];
  machine.launch = {quantity(launch["kernel_gap"], kLatency), quantity(launch["block_start"], kLatency),
                    quantity(launch["copy_start"], kLatency), 0};
  if (const auto node = launch.find("copy_call")) machine.launch.copy_call = quantity(*node, kLatency);
  check_geometry(root, machine);
  return machine;
}

void check_geometry(const ConfigNode& root, const MachineSpec& machine) {
  check_sm(root["sm"], machine.sm);
  check_l2(root["l2"], machine.l2);
  check_hbm(root["hbm"], machine);
  check_node(root["node"], machine);
}

}  // namespace rooftrace
