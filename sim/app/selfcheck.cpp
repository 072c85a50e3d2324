#include "sim/app/selfcheck.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "sim/app/run.hpp"
#include "sim/app/table.hpp"
#include "sim/engine/engine.hpp"
#include "traces/copy.hpp"

namespace rooftrace {
namespace {

constexpr std::uint64_t kMiB = 1ULL << 20;
constexpr std::uint64_t kRemote = 1ULL << 36;  ///< Where peer and host ranges begin: anywhere beyond the local ones.
constexpr std::uint64_t kChaseLoads = 4000;
constexpr std::uint64_t kRandomLoads = 12, kRandomBytes = 4096 * kMiB;

/// Runs kernels one after the other on a cold machine and returns what the last one did, its launch not counted.
class Probe {
 public:
  explicit Probe(const MachineSpec& machine) : machine_(machine), peers_(peer_path(machine, 2)) {}

  double seconds(const std::vector<Kernel>& kernels) {
    GpuMemory memory(machine_, peers_, kRemote + 4096 * kMiB, &roles_, TagStore::automatic);
    const EngineSpec spec = engine_spec(machine_);
    std::vector<KernelRecord> records(kernels.size());
    run_timed(spec, memory, kernels, records, 0);
    last_ = records.back();
    const bool copies = kernels.back().unit == Unit::copy_engine;
    return to_seconds(last_.end - last_.start - (copies ? spec.copy_start : spec.kernel_gap) - spec.block_start);
  }
  [[nodiscard]] double fetched() const { return static_cast<double>(last_.q.total(LevelId::hbm)); }
  [[nodiscard]] const PeerPath& peers() const { return peers_; }

 private:
  const MachineSpec& machine_;
  PeerPath peers_;
  std::vector<TensorRole> roles_;
  KernelRecord last_;
};

ByteRange range(std::uint64_t address, std::uint64_t bytes, Home home = Home::local) {
  ByteRange r;
  r.address = address;
  r.bytes = bytes;
  r.home = home;
  return r;
}

void l2_rows(const MachineSpec& m, Probe& probe, std::vector<SelfcheckRow>& rows) {
  const std::uint64_t bytes = std::max<std::uint64_t>(kMiB, m.l2.effective / 4 / kMiB * kMiB);
  StreamProblem stream;
  stream.sources = {range(0, bytes)};
  stream.chunk_bytes = 128 * 1024;
  const Kernel fill = make_stream(m.shape(), stream);
  stream.blocks = std::uint64_t{m.sm.count} * stream.blocks_per_sm * 16;
  const Kernel again = make_stream(m.shape(), stream);
  const double moved = static_cast<double>(stream.blocks * stream.chunk_bytes);
  rows.push_back(
      {"L2 read", false, m.l2.peak_bandwidth, std::min(m.l2.bandwidth, m.sm.l2_port * m.sm.count), moved / probe.seconds({fill, again})});

  ChaseProblem chase;
  chase.range = range(0, bytes);
  chase.loads = kChaseLoads;
  // One SM sees each partition's lines equally often; with copies it finds them all beside it the second time.
  const double partitions = m.l2.partitions;
  const double expected = m.l2.copies ? m.l2.latency_near : (m.l2.latency_near + (partitions - 1) * m.l2.latency_far) / partitions;
  const Kernel walk = make_chase(m.shape(), chase);
  rows.push_back({"L2 load to use", true, 0, expected, probe.seconds({fill, walk, walk}) / static_cast<double>(kChaseLoads)});
}

void hbm_rows(const MachineSpec& m, Probe& probe, std::vector<SelfcheckRow>& rows) {
  const std::uint64_t bytes = std::max<std::uint64_t>(256 * kMiB, m.l2.effective * 8 / kMiB * kMiB);
  StreamProblem stream;
  stream.sources = {range(0, bytes)};
  const double read_time = probe.seconds({make_stream(m.shape(), stream)});
  rows.push_back({"HBM read", false, m.hbm.bandwidth, m.hbm.sustained(1), probe.fetched() / read_time});
  stream.destinations = {range(bytes, bytes)};
  const double copy_time = probe.seconds({make_stream(m.shape(), stream)});
  rows.push_back({"HBM copy", false, m.hbm.bandwidth, m.hbm.sustained(0.5), probe.fetched() / copy_time});
  stream.sources.push_back(range(2 * bytes, bytes));
  const double triad_time = probe.seconds({make_stream(m.shape(), stream)});
  rows.push_back({"HBM triad", false, m.hbm.bandwidth, m.hbm.sustained(2.0 / 3), probe.fetched() / triad_time});

  ChaseProblem lone;  // Full warps of chains on all SMs: enough of them to fill every bank.
  lone.range = range(0, kRandomBytes);
  lone.lanes = 32;
  lone.chains = std::uint64_t{m.sm.count} * m.sm.max_blocks * lone.lanes;
  lone.loads = kRandomLoads;
  lone.load_bytes = m.l2.sector;
  const double random_time = probe.seconds({make_chase(m.shape(), lone)});
  rows.push_back({"HBM at random", false, m.hbm.bandwidth, m.hbm.random(m.l2.sector), probe.fetched() / random_time});

  ChaseProblem chase;
  chase.range = range(0, bytes);
  chase.loads = kChaseLoads;
  // On top of the latency a lone sector takes its time on one channel, most lines have their home beyond another partition's edge, and
  // some meet a refresh.
  const double crossing = (m.l2.latency_far - m.l2.latency_near) * (1 - 1.0 / m.l2.partitions);
  const double sector = std::max(m.l2.sector, m.hbm.dram.burst) / (m.hbm.bandwidth / m.hbm.channels * m.hbm.dram.read_share());
  rows.push_back({"HBM load to use", true, 0, m.hbm.latency + crossing + sector + m.hbm.refresh_wait(),
                  probe.seconds({make_chase(m.shape(), chase)}) / static_cast<double>(kChaseLoads)});
}

void link_rows(const MachineSpec& m, Probe& probe, std::vector<SelfcheckRow>& rows) {
  const std::uint64_t bytes = 256 * kMiB;
  const auto copy = [&](const std::string& what, const LinkSpec& link, Home from, Home to) {
    const Kernel kernel =
        make_engine_copy(range(from == Home::local ? 0 : kRemote, bytes, from), range(to == Home::local ? 0 : kRemote, bytes, to), kMiB);
    rows.push_back({what, false, link.bandwidth, link.bandwidth * link.efficiency, static_cast<double>(bytes) / probe.seconds({kernel})});
  };
  if (m.pcie.bandwidth > 0) {
    copy("host to device", m.pcie, Home::host, Home::local);
    copy("device to host", m.pcie, Home::local, Home::host);
  }
  if (m.node.gpus > 1 && probe.peers().link.bandwidth > 0) {
    const std::string over = probe.peers().level == LevelId::nvlink ? " (NVLink)" : " (PCIe)";
    copy("read from peer" + over, probe.peers().link, Home::peer, Home::local);
    copy("write to peer" + over, probe.peers().link, Home::local, Home::peer);
  }
}

}  // namespace

bool SelfcheckRow::ok() const {
  if (is_latency) return std::abs(achieved / expected - 1) <= 0.01;
  return achieved >= 0.9 * expected && achieved <= theory * (1 + 1e-9);
}

std::vector<SelfcheckRow> selfcheck_rows(const MachineSpec& machine) {
  std::vector<SelfcheckRow> rows;
  Probe probe(machine);
  l2_rows(machine, probe, rows);
  hbm_rows(machine, probe, rows);
  link_rows(machine, probe, rows);
  return rows;
}

std::string selfcheck_hardware(const MachineSpec& machine) {
  Table table(
      {{"", machine.name}, {"", "datasheet"}, {"", "file implies"}, {"", "achieved"}, {"", "of datasheet"}, {"", "of file"}, {"", ""}});
  bool all = true;
  for (const SelfcheckRow& row : selfcheck_rows(machine)) {
    all = all && row.ok();
    const std::string unit = row.is_latency ? "s" : "B/s";
    table.row({row.what, row.is_latency ? "-" : si(row.theory, unit, 4), si(row.expected, unit, 4), si(row.achieved, unit, 4),
               row.is_latency ? "-" : percent(row.achieved / row.theory), percent(row.achieved / row.expected), row.ok() ? "ok" : "LOOK"});
  }
  return table.text() + (all ? "\nEvery level and link delivers what the file promises; one way each for links; launch not counted.\n"
                             : "\nLOOK: below 90 % of what the file implies, above the datasheet, or a latency more than 1 % off.\n");
}

}  // namespace rooftrace
