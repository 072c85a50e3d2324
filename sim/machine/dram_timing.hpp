// What a memory standard says about time: constants of one channel, and the table of memory kinds that a hardware file names.
//
// Units: seconds and bytes. "Channel" is what the hardware files count: 64 bits of an HBM bus, 16 bits of GDDR. Standards name no numbers
// that differ between the speed bins of a generation, or leave them to vendors, so the values of a kind are typical ones; dram_timing.cpp
// names the source of each. Defaults are those of an ideal memory: bursts of a sector, no limit but the pins.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rooftrace {

struct DramTiming {
  std::uint32_t burst = 32;            ///< Bytes that one access moves at least: a power of two.
  std::uint32_t pseudo_channels = 1;   ///< Parts of a channel with banks and pins of their own.
  std::uint32_t banks = 16;            ///< Of a pseudo channel.
  std::uint32_t bank_groups = 4;       ///< That they are divided into; divides banks.
  double row_cycle = 0;                ///< tRC: from the opening of a row to the next one of the same bank.
  double activate = 0;                 ///< tRRD_S: between rows opened in two bank groups of a pseudo channel.
  double activate_same_group = 0;      ///< tRRD_L: in the same bank group.
  double refresh = 0;                  ///< tRFC: for which a refresh keeps its banks from answering; 0: not modeled.
  double refresh_interval = 0;         ///< tREFI: in which every bank is refreshed once; more than `refresh`, or both 0.
  bool refresh_takes_channel = false;  ///< A refresh takes all banks, and so the bus; else some (a rank or one bank), and others go on.
  double turnaround = 0;               ///< Idle time of a pseudo channel's pins when they turn to writes and back.
  std::uint32_t write_batch = 2048;    ///< Bytes that a pseudo channel writes before it turns back; at least a burst.
  double scheduled = 1;  ///< Share of the remaining time in which the controller keeps the pins busy, however many requests wait.

  /// Share of the pins' rate that is left for reads.
  [[nodiscard]] double read_share() const;
  /// Mean time between rows opened at random on a whole channel: bank groups by chance, every bank at most every row_cycle.
  [[nodiscard]] double random_row() const;
};

/// Timing of a memory kind ("HBM3"), or nothing.
[[nodiscard]] std::optional<DramTiming> dram_timing_of(std::string_view kind);
[[nodiscard]] std::vector<std::string> dram_kinds();

}  // namespace rooftrace
