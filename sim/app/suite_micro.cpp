// read_bandwidth, latency and transfer: micro-benchmarks of one level or link each.
#include <fmt/format.h>

#include <algorithm>

#include "sim/app/peaks.hpp"
#include "sim/app/suite_kernels.hpp"

namespace rooftrace {

namespace {

/// The measured program (gpu-l2-cache/main.cu): block b has chunk b modulo the number of chunks, and chunks are interleaved: in step i a
/// block reads piece i of all its steps, 8 B by each of 1,024 threads, and consecutive chunks' pieces lie side by side. The first wave of
/// blocks is cut short by a different amount each, so that blocks are out of step as they are after a thousand waves: a simulated machine
/// has no jitter that would bring them there.
class ReadSweep final : public BlockProgram {
 public:
  ReadSweep(const ByteRange& range, std::uint64_t chunk, std::uint64_t resident)
      : range_(range), chunk_(chunk), chunks_(range.bytes / chunk), piece_(std::min(chunk, kPiece)), resident_(resident) {}

  [[nodiscard]] std::uint32_t steps(std::uint32_t block) const override {
    const std::uint64_t all = (chunk_ + piece_ - 1) / piece_;
    return static_cast<std::uint32_t>(block >= resident_ ? all : std::max<std::uint64_t>(all * (block + 1) / resident_, 1));
  }
  void fill(std::uint32_t block, std::uint32_t step, Step& out) const override {
    const std::uint64_t before = std::uint64_t{step} * piece_;  // Of the block's chunk.
    const std::uint64_t bytes = std::min(piece_, chunk_ - before);
    Access& access = out.loads.emplace_back();
    access.address = range_.address + before * chunks_ + block % chunks_ * bytes;
    access.row_bytes = static_cast<std::uint32_t>(bytes);
    access.pitch = bytes;
  }

 private:
  static constexpr std::uint64_t kPiece = 8192;
  ByteRange range_;
  std::uint64_t chunk_, chunks_, piece_, resident_;
};

struct Sweep {
  std::uint64_t bytes, chunk, blocks;
};

Trace sweep_trace(const DeviceShape& gpu, const Sweep& s) {
  Operands operands;
  const ByteRange range = operands.range(s.bytes);
  Kernel kernel;
  kernel.label = "read sweep";
  kernel.grid = static_cast<std::uint32_t>(s.blocks);
  kernel.blocks_per_sm = 2;  // 1,024 threads each, so 32 registers: room for about eight loads under way.
  kernel.depth = 8;
  kernel.footprint.push_back({TensorRole::activations, Home::local, s.bytes, 0, false});
  kernel.program = std::make_shared<ReadSweep>(range, s.chunk, std::uint64_t{gpu.sms} * kernel.blocks_per_sm);
  return trace_of({kernel}, operands);
}

}  // namespace

/// The measured kernel moves 100 GB, so its start and end do not count: the rate is that of the later blocks, from a run of some blocks and
/// one of more.
Prediction predict_read_bandwidth(const SuiteRow& row, Bench& bench) {
  const MachineSpec& machine = bench.machine(row.text("hardware"));
  const std::uint64_t set = row.integer("working_set_bytes", 1024, 1ULL << 36);
  const std::uint64_t chunk = std::min(row.integer("chunk_bytes", 128, 1ULL << 30), set);
  if (row.text("quantity") != "bandwidth_GBps") unknown_word(row, "quantity", "bandwidth_GBps");
  const std::uint64_t chunks = set / chunk;
  const std::uint64_t bytes = chunks * chunk;
  // Two passes (and four waves) bring the cache into its rhythm; then at least two passes and 2 GiB are timed.
  const std::uint64_t before = std::max<std::uint64_t>(2 * chunks, std::uint64_t{machine.sm.count} * 8);
  const std::uint64_t timed = std::max<std::uint64_t>({(2ULL << 30) / chunk, 2 * chunks, std::uint64_t{machine.sm.count} * 8});
  if (before + timed > 100'000'000) throw RowSkipped("too long: chunks too small for a set so large");
  const auto run = [&](std::uint64_t blocks) -> const Outcome& {
    Experiment e;
    e.key = fmt::format("read {} by {} blocks {}", bytes, chunk, blocks);
    const Sweep sweep{bytes, chunk, blocks};
    e.trace = [sweep](const DeviceShape& gpu) { return sweep_trace(gpu, sweep); };
    return bench.run(machine, e);
  };
  const double amount = static_cast<double>(timed) * static_cast<double>(chunk);
  Outcome outcome;
  outcome.seconds = run(before + timed).seconds - run(before).seconds;
  // Of a set of S bytes read again and again through a cache of C at least S - C must be fetched each time.
  const Peaks peaks = peaks_of(machine);
  const auto size = static_cast<double>(bytes), cache = static_cast<double>(machine.l2.capacity);
  outcome.bound = std::max(amount / peaks.beta_of(LevelId::l2), amount * std::max(0.0, 1 - cache / size) / peaks.beta_of(LevelId::hbm));
  if (bench.fidelity() == Fidelity::bound) outcome.seconds = outcome.bound;
  outcome.roofline = amount / peaks.beta_of(size <= cache ? LevelId::l2 : LevelId::hbm);
  Prediction p = rate_prediction(outcome, amount / 1e9);
  p.tool = 0.8 * p.roofline;  // Nothing is launched while it is timed.
  p.group = "bandwidth";
  p.goal = "4 %";
  return p;
}

/// Pointer chases. A set that a few times the cache holds is walked once before it is timed, in the same order; a larger one starts cold.
/// The chains of a random chase are the threads of one block per SM (tospe/cam_with_gpu, calib.cu), so up to 32 of them are lanes of a
/// warp; a dependent chase is one thread.
Prediction predict_latency(const SuiteRow& row, Bench& bench) {
  const MachineSpec& machine = bench.machine(row.text("hardware"));
  const std::uint64_t set = row.integer("working_set_bytes", 64, 1ULL << 33);
  const auto stride = static_cast<std::uint32_t>(row.integer("stride_bytes", 32, 1 << 20));
  const std::uint64_t chains = row.integer("chains", 1, 1 << 20);
  const double clock = row.number("clock_mhz") * 1e6;
  if (row.text("quantity") != "latency_cycles") unknown_word(row, "quantity", "latency_cycles");
  const std::string& access = row.text("access");
  if (access != "dependent_chase" && access != "random_chase") unknown_word(row, "access", "dependent_chase, random_chase");
  if (set <= machine.sm.l1_bytes) throw RowSkipped("fits L1, and hits in L1 are not part of traces");
  const std::uint64_t slots = set / stride;
  if (slots < chains) throw RowSkipped("more chains than slots");
  if (slots > 1ULL << 26) throw RowSkipped("too long: more than 2^26 slots");
  const bool walked = set <= 4 * machine.l2.capacity;
  const std::uint64_t loads = std::max<std::uint64_t>(100, std::min<std::uint64_t>(20000, 400000 / chains));
  const std::uint64_t per_sm = (chains + machine.sm.count - 1) / machine.sm.count;
  const auto lanes = static_cast<std::uint32_t>(access == "random_chase" ? std::min<std::uint64_t>(per_sm, 32) : 1);
  Experiment e;
  e.key = fmt::format("chase {} by {} chains {} lanes {}", set, stride, chains, lanes);
  e.trace = [=](const DeviceShape& gpu) {
    Operands operands;
    ChaseProblem chase;
    chase.range = operands.range(slots * stride);
    chase.stride = stride;
    chase.chains = 1;
    chase.loads = slots;
    std::vector<Kernel> kernels;
    if (walked) kernels.push_back(make_chase(gpu, chase));
    chase.chains = chains;
    chase.lanes = lanes;
    chase.loads = loads;
    kernels.push_back(make_chase(gpu, chase));
    return trace_of(std::move(kernels), operands);
  };
  if (bench.fidelity() != Fidelity::des) throw RowSkipped("latency needs fidelity des");
  const Outcome& outcome = bench.run(machine, e);
  Prediction p;
  p.simulated = outcome.last_seconds / static_cast<double>(loads) * clock;
  p.group = chains == 1 ? "one chain" : "loaded";
  p.goal = chains == 1 ? "5 %" : "8 %";
  // A roofline knows no latency; the bound is what the loads' bytes take on the busiest level.
  p.side = Side::above;
  const double bytes = static_cast<double>(chains) * 32;
  p.bound = p.roofline = bytes / peaks_of(machine).beta_of(LevelId::l2) * clock;
  return p;
}

/// One blocking copy by the copy engine as its host sees it: the call, the start, the bytes.
Prediction predict_transfer(const SuiteRow& row, Bench& bench) {
  const MachineSpec& machine = bench.machine(row.text("hardware"));
  const std::uint64_t bytes = row.integer("bytes", 1, 1ULL << 36);
  const std::string& link = row.text("path");
  const std::string path = link == "c2c" || link == "nvlink-c2c" || link == "nvlink_c2c" ? "pcie" : link;  // The level that is called pcie.
  const std::string& direction = row.text("direction");
  if (row.text("quantity") != "bandwidth_GBps") unknown_word(row, "quantity", "bandwidth_GBps");
  Home from = Home::local, to = Home::local;
  if (path == "pcie" && direction == "h2d") {
    from = Home::host;
  } else if (path == "pcie" && direction == "d2h") {
    to = Home::host;
  } else if (path == "nvlink") {
    from = Home::peer;
    if (machine.nvlink.bandwidth <= 0) throw RowSkipped("the machine has no NVLink");
  } else {
    unknown_word(row, path == "pcie" ? "direction" : "path", path == "pcie" ? "h2d, d2h" : "pcie, c2c, nvlink");
  }
  const std::string& memory = row.text("host_memory");
  const bool pageable = path == "pcie" && memory == "pageable";
  if (path == "pcie" && !pageable && memory != "pinned") unknown_word(row, "host_memory", "pinned, pageable");
  Experiment e;
  e.key = fmt::format("transfer {} {} {} {}", path, direction, memory, bytes);
  e.group = 2;
  const double host_rate = machine.host.copy_bandwidth;
  e.trace = [=](const DeviceShape&) {
    Operands operands;
    const ByteRange source = operands.range(bytes, from);
    const ByteRange target = operands.range(bytes, to);
    return trace_of({pageable ? make_pageable_copy(source, target, host_rate) : make_engine_copy(source, target)}, operands);
  };
  Outcome outcome = bench.run(machine, e);
  if (outcome.seconds > 0 && bench.fidelity() != Fidelity::bound) outcome.seconds += machine.launch.copy_call;
  Prediction p = rate_prediction(outcome, static_cast<double>(bytes) / 1e9);
  p.group = bytes >= 65536 ? ">= 64 KiB" : "< 64 KiB";
  p.goal = bytes >= 65536 ? "6 %" : "";
  return p;
}

}  // namespace rooftrace
