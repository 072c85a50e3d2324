#include "sim/app/run.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "sim/engine/engine.hpp"
#include "sim/machine/topology.hpp"

namespace rooftrace {
namespace {

/// Consecutive kernels [first, last) of one layer (or of none).
struct Segment {
  std::size_t first = 0, last = 0;
  std::int32_t layer = -1;
  [[nodiscard]] std::size_t size() const { return last - first; }
};

std::vector<KernelRecord> blank_records(const Trace& trace, const MachineSpec& machine, const RunOptions& options) {
  const PeerPath peers = peer_path(machine, options.group);
  std::vector<KernelRecord> records;
  records.reserve(trace.kernels.size());
  for (const Kernel& kernel : trace.kernels) {
    KernelRecord record;
    record.label = kernel.label;
    record.kernel_class = kernel.kernel_class;
    record.stage = kernel.stage;
    record.layer = kernel.layer;
    record.stream = kernel.stream;
    record.grid = kernel.grid;
    record.blocks_per_sm = kernel.blocks_per_sm;
    record.tensor_type = kernel.tensor_type;
    record.waits_for = kernel.waits_for;
    record.work = kernel.work;
    record.compulsory = compulsory_bytes(kernel, machine, peers, options.warm);
    records.push_back(std::move(record));
  }
  return records;
}

/// The simulation of one stage; owns the machine's state and the time.
class StageRun {
 public:
  StageRun(const MachineSpec& machine, const Trace& trace, const RunOptions& options)
      : trace_(trace),
        options_(options),
        spec_(engine_spec(machine)),
        memory_(machine, peer_path(machine, options.group), trace.address_end, &trace.page_role,
                {options.tag_store, options.fidelity == Fidelity::des ? options.contention : Contention::pooled}) {
    for (const Kernel& kernel : trace.kernels) {
      if (kernel.work[0] > 0 && spec_.rate(Pipe::tensor, kernel.tensor_type) <= 0) {
        throw std::invalid_argument(machine.name + " computes no " + std::string(name(kernel.tensor_type)));
      }
    }
  }

  void warm_up(std::vector<KernelRecord> scratch) {
    simulate(trace_.kernels, scratch);
    memory_.l2().forget_first_touches();
  }

  Time run_exact(std::vector<KernelRecord>& records) {
    const Time start = now_;
    simulate(trace_.kernels, records);
    shift(records, -start);
    return now_ - start;
  }

  /// Layer by layer; when a layer ends in the state in which it began, every later layer would do the same again: it begins in that state
  /// as well, nothing is in flight, and time enters by differences only. The state has in it which sectors were ever touched (outside the
  /// arenas, in this layer's and in the next one's), because they tell compulsory bytes from refetched ones.
  Time run_until_repeating(std::vector<KernelRecord>& records) {
    const Time start = now_;
    const std::vector<Segment> segments = split();
    std::uint64_t state_before = 0;
    for (std::size_t s = 0; s < segments.size(); ++s) {
      const Segment& segment = segments[s];
      simulate_segment(segment, records);
      if (segment.layer < 0) continue;
      const std::uint64_t state = memory_.l2().fingerprint({trace_.layers_begin, trace_.layers_end, trace_.layer_stride, segment.layer});
      const bool follows = s > 0 && segments[s - 1].layer == segment.layer - 1;
      if (follows && state == state_before) {
        while (s + 1 < segments.size() && segments[s + 1].layer >= 0 && alike(segment, segments[s + 1]))
          replicate(segment, segments[++s], records);
      }
      state_before = state;
    }
    shift(records, -start);
    return now_ - start;
  }

  /// The first layer, which nothing like it goes before, and the first of each kind after it; the others are taken to be as that one.
  Time run_sample(std::vector<KernelRecord>& records) {
    const Time start = now_;
    std::vector<Segment> kinds;
    bool first = true;
    for (const Segment& segment : split()) {
      const auto kind = std::find_if(kinds.begin(), kinds.end(), [&](const Segment& k) { return segment.layer >= 0 && alike(k, segment); });
      if (kind != kinds.end()) {
        replicate(*kind, segment, records);
        continue;
      }
      simulate_segment(segment, records);
      if (segment.layer < 0) continue;
      if (!first) kinds.push_back(segment);
      first = false;
    }
    shift(records, -start);
    return now_ - start;
  }

  [[nodiscard]] bool can_sample() const {
    return std::all_of(trace_.kernels.begin(), trace_.kernels.end(),
                       [&](const Kernel& kernel) { return kernel.stream == trace_.kernels.front().stream; });
  }

  [[nodiscard]] const GpuMemory& memory() const { return memory_; }

  /// Skipping needs layers that are shifts of each other, a cache that does not notice the shift, and nothing in flight between layers.
  [[nodiscard]] bool can_repeat() { return trace_.layer_stride != 0 && can_sample() && memory_.l2().keeps_sets(trace_.layer_stride); }

  Time run(std::vector<KernelRecord>& records) {
    if (options_.layers == Layers::automatic && can_repeat()) return run_until_repeating(records);
    if (options_.layers == Layers::sample && can_sample()) return run_sample(records);
    return run_exact(records);
  }

 private:
  void simulate(std::span<const Kernel> kernels, std::span<KernelRecord> records) {
    if (options_.fidelity == Fidelity::des) {
      now_ = run_timed(spec_, memory_, kernels, records, now_);
    } else {
      run_functional(spec_, memory_, kernels, records);
    }
  }

  void simulate_segment(const Segment& segment, std::vector<KernelRecord>& records) {
    std::vector<Kernel> kernels(trace_.kernels.begin() + static_cast<std::ptrdiff_t>(segment.first),
                                trace_.kernels.begin() + static_cast<std::ptrdiff_t>(segment.last));
    for (Kernel& kernel : kernels) kernel.waits_for.clear();  // one stream: its order says it all
    simulate(kernels, std::span(records).subspan(segment.first, segment.size()));
  }

  [[nodiscard]] std::vector<Segment> split() const {
    std::vector<Segment> segments;
    for (std::size_t k = 0; k < trace_.kernels.size(); ++k) {
      if (segments.empty() || segments.back().layer != trace_.kernels[k].layer) segments.push_back({k, k, trace_.kernels[k].layer});
      segments.back().last = k + 1;
    }
    return segments;
  }

  /// Layers of one model may differ (windows, experts): what the kernels say of themselves must be the same.
  [[nodiscard]] bool alike(const Segment& a, const Segment& b) const {
    const auto first = trace_.kernels.begin() + static_cast<std::ptrdiff_t>(a.first);
    const auto last = trace_.kernels.begin() + static_cast<std::ptrdiff_t>(a.last);
    if (a.size() != b.size()) return false;
    return std::equal(first, last, trace_.kernels.begin() + static_cast<std::ptrdiff_t>(b.first), [](const Kernel& x, const Kernel& y) {
      return x.label == y.label && x.kernel_class == y.kernel_class && x.unit == y.unit && x.grid == y.grid &&
             x.blocks_per_sm == y.blocks_per_sm && x.depth == y.depth && x.tensor_type == y.tensor_type && x.serial_hops == y.serial_hops &&
             x.work == y.work && x.footprint == y.footprint;
    });
  }

  void replicate(const Segment& from, const Segment& to, std::vector<KernelRecord>& records) {
    const Time begin = now_;
    const Time origin = records[from.first].start;
    for (std::size_t i = 0; i < from.size(); ++i) {
      const KernelRecord& source = records[from.first + i];
      KernelRecord& copy = records[to.first + i];
      copy.q = source.q;
      copy.cache = source.cache;
      copy.start = begin + (source.start - origin);
      copy.end = begin + (source.end - origin);
      copy.replicated = true;
      now_ = std::max(now_, copy.end);
    }
  }

  static void shift(std::vector<KernelRecord>& records, Time by) {
    for (KernelRecord& record : records) {
      record.start += by;
      record.end += by;
    }
  }

  const Trace& trace_;
  const RunOptions& options_;
  EngineSpec spec_;
  GpuMemory memory_;
  Time now_ = 0;
};

}  // namespace

std::vector<std::string> layers_names() {
  return {"exact", "auto", "sample"};
}

std::string_view name(Layers layers) {
  static constexpr std::array<std::string_view, 3> kNames = {"exact", "auto", "sample"};
  return kNames.at(static_cast<std::size_t>(layers));
}

Layers layers_from(std::string_view name) {
  for (const Layers layers : {Layers::exact, Layers::sample}) {
    if (rooftrace::name(layers) == name) return layers;
  }
  return Layers::automatic;
}

EngineSpec engine_spec(const MachineSpec& machine) {
  EngineSpec spec;
  const double sms = machine.sm.count;
  spec.sms = machine.sm.count;
  spec.max_blocks_per_sm = machine.sm.max_blocks;
  for (std::size_t type = 0; type < spec.tensor_rate.size(); ++type) {
    // No machine file must give an fp64 rate; a trace that needs one is refused in run_stage.
    if (static_cast<DataType>(type) == DataType::fp64 && !machine.sm.tensor_peak.contains(DataType::fp64)) continue;
    spec.tensor_rate[type] = machine.sustained(Pipe::tensor, static_cast<DataType>(type)) / sms;
  }
  spec.cuda_rate = machine.sustained(Pipe::cuda, DataType::fp32) / sms;
  spec.sfu_rate = machine.sustained(Pipe::sfu, DataType::fp32) / sms;
  spec.kernel_gap = from_seconds(machine.launch.kernel_gap);
  spec.block_start = from_seconds(machine.launch.block_start);
  spec.copy_start = from_seconds(machine.launch.copy_start);
  return spec;
}

PeerPath peer_path(const MachineSpec& machine, std::uint32_t group) {
  if (group < 2 || machine.node.gpus < 2) return {LevelId::nvlink, machine.nvlink};
  const Topology::Path path = Topology(machine).group_path(std::min(group, machine.node.gpus));
  return {path.level, path.link};
}

DeviceShape device_shape(const MachineSpec& machine, std::uint32_t group) {
  DeviceShape shape = machine.shape();
  const PeerPath path = peer_path(machine, group);
  shape.peers.bandwidth = path.link.bandwidth * path.link.efficiency;
  shape.peers.nvlink = path.level == LevelId::nvlink && path.link.bandwidth > 0;
  shape.peers.all_to_all = shape.peers.nvlink && (machine.node.fabric != Fabric::mesh || group <= 4);
  // NVLink SHARP came with the third NVSwitch, that of Hopper.
  shape.peers.switch_reduces = machine.node.fabric == Fabric::nvswitch && shape.peers.nvlink && shape.compute_capability >= 90;
  return shape;
}

StageResult run_stage(const MachineSpec& machine, const Trace& trace, Stage stage, std::uint64_t tokens, const RunOptions& options) {
  const auto wall_start = std::chrono::steady_clock::now();
  StageResult result;
  result.stage = stage;
  result.tokens = tokens;
  result.kernels = blank_records(trace, machine, options);
  if (options.fidelity == Fidelity::bound) {
    for (KernelRecord& record : result.kernels) record.q = record.compulsory;
  } else {
    StageRun run(machine, trace, options);
    if (options.warm) run.warm_up(result.kernels);
    const Time latency = run.run(result.kernels);
    result.latency = options.fidelity == Fidelity::des ? latency : 0;
    result.asked_peers = run.memory().asked(Home::peer);
    result.asked_host = run.memory().asked(Home::host);
  }
  result.wall_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - wall_start).count();
  return result;
}

}  // namespace rooftrace
