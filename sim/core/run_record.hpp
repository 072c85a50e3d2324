// What a run leaves behind: plain records that reports, HDF5 and roofline read. Numbers only; names, units and layout are someone else's
// job.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/core/counters.hpp"
#include "sim/core/kernel.hpp"
#include "sim/core/time.hpp"

namespace rooftrace {

/// How much is simulated: closed form; the real cache without time; everything.
enum class Fidelity : std::uint8_t { bound, cache, des };
[[nodiscard]] std::string_view name(Fidelity fidelity);

struct KernelRecord {
  std::string label;
  KernelClass kernel_class = KernelClass::other;
  Stage stage = Stage::other;
  std::int32_t layer = -1;
  std::uint32_t stream = 0;
  std::uint32_t grid = 0;
  std::uint32_t blocks_per_sm = 0;
  DataType tensor_type = DataType::bf16;
  std::vector<std::uint32_t> waits_for;
  Work work{};
  ByteCounts q;           ///< Simulated bytes (fidelity bound: the compulsory bytes below).
  ByteCounts compulsory;  ///< Closed form: what no cache and no schedule can avoid.
  CacheCounts cache;
  Time start = 0;           ///< When the launch was issued (all waits over); 0 below fidelity des.
  Time end = 0;             ///< When the last block and the last byte were through.
  bool replicated = false;  ///< Copied from an identical layer instead of simulated (--layers auto).
};

}  // namespace rooftrace
