// The table of memory kinds. Standards are cited from memory (JESD235 HBM2, JESD238 HBM3, JESD250 GDDR6, JESD239 GDDR7; GDDR6X is
// Micron's).
//
// HBM: gem5's HBM_2000_4H_1x64 (src/mem/DRAMInterface.py) has the same tRAS + tRP = 28 + 14 ns, tRRD 4 and 6 ns, four rows in 16 ns (never
// the tighter limit here) and 16 banks in 4 groups per 64-bit pseudo channel. Turnaround: between the last read and the first write two
// clocks (2 ns), between the last write and the first read tWTR + CL = 4 + 18 ns (there, too). HBM3 halves the pseudo channel to 32 bits,
// so a channel of 64 bits has two; its times are assumed to be those of HBM2. GDDR: tRC, tWTR and CL are assumed alike (44, 5 and 18 ns);
// GDDR6 has no tRRD_L.
//
// Refresh: JESD235, from memory: 260 ns for all banks of a channel of 4 Gb (HBM2 stacks of 8 GB), 350 ns of 8 Gb (16 GB stacks of two
// ranks, and assumed beyond), every 3.9 us; GDDR6 60 ns for one bank, 1.9 us. Ranks (or banks) are refreshed one after the other, because
// the reads of an H100 PCIe (0.962 of the pins' rate; tospe/cam_with_gpu calib-v1) and an L40 (0.964; gpu-benches) leave no room for the
// 0.067 to 0.09 of the bus that a refresh of all would take. (Lone reads on that H100 say 260 ns rather than 350: lat_hist of the same
// source, 99 % within 1,038 cycles; its loaded chains say 350. The standard's value was kept.)
//
// Two numbers are the controller's, the same for every kind, and no vendor says them. `scheduled`: 0.965, measured as the reads above,
// where nothing of this table binds. `write_batch`: two rows (1 KiB of HBM, 2 KiB of GDDR), assumed; with it copies and triads of the A100
// and H100 come out within 3 % of BabelStream (Azure AI-benchmarking-guide).
#include "sim/machine/dram_timing.hpp"

#include <algorithm>
#include <array>

namespace rooftrace {
namespace {

constexpr double kNs = 1e-9;
constexpr double kScheduled = 0.965;

struct Kind {
  std::string_view name;
  DramTiming timing;
};

// burst, pseudo channels, banks, groups, row cycle, activate, same group, refresh, interval, takes the channel, turnaround, write batch,
// scheduled
constexpr DramTiming kHbm2 = {32, 1, 16, 4, 42 * kNs, 4 * kNs, 6 * kNs, 260 * kNs, 3900 * kNs, false, 24 * kNs, 2048, kScheduled};
constexpr DramTiming kHbm2e = {32, 1, 16, 4, 42 * kNs, 4 * kNs, 6 * kNs, 350 * kNs, 3900 * kNs, false, 24 * kNs, 2048, kScheduled};
constexpr DramTiming kHbm3 = {32, 2, 16, 4, 42 * kNs, 4 * kNs, 6 * kNs, 350 * kNs, 3900 * kNs, false, 24 * kNs, 2048, kScheduled};
constexpr DramTiming kGddr6 = {32, 1, 16, 4, 44 * kNs, 5 * kNs, 5 * kNs, 60 * kNs, 1900 * kNs, false, 25 * kNs, 4096, kScheduled};
constexpr DramTiming kGddr7 = {32, 2, 16, 4, 44 * kNs, 5 * kNs, 5 * kNs, 60 * kNs, 1900 * kNs, false, 25 * kNs, 4096, kScheduled};
constexpr std::array kKinds = {Kind{"HBM2", kHbm2},   Kind{"HBM2e", kHbm2e},  Kind{"HBM3", kHbm3},  Kind{"HBM3e", kHbm3},
                               Kind{"GDDR6", kGddr6}, Kind{"GDDR6X", kGddr6}, Kind{"GDDR7", kGddr7}};

}  // namespace

double DramTiming::read_share() const {
  return scheduled * (refresh_takes_channel && refresh_interval > 0 ? 1 - refresh / refresh_interval : 1);
}

double DramTiming::random_row() const {
  const double same = 1.0 / bank_groups;
  return std::max(activate * (1 - same) + activate_same_group * same, row_cycle / banks) / pseudo_channels;
}

std::optional<DramTiming> dram_timing_of(std::string_view kind) {
  const auto found = std::find_if(kKinds.begin(), kKinds.end(), [kind](const Kind& k) { return k.name == kind; });
  return found == kKinds.end() ? std::nullopt : std::optional(found->timing);
}

std::vector<std::string> dram_kinds() {
  std::vector<std::string> names;
  for (const Kind& kind : kKinds) names.emplace_back(kind.name);
  return names;
}

}  // namespace rooftrace
