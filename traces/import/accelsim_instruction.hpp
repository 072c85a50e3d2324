// One instruction line of an Accel-Sim trace (.traceg, .tracez), as NVBit's tracer tool writes it:
//
//   [line number] PC mask ndst [registers] OPCODE nsrc [registers] [v6 GMMA: commit flag] mem_width [address fields] imm
//   [v6: imm2] [v6: NoVal | Val values]
//
// Address fields: mode 0, one address per set bit of the mask; mode 1, base and stride over one run of set bits; mode 2, base and
// popcount - 1 differences, each from the lane before (also in versions below 6, whose official reader takes popcount of them and so eats
// the immediate). Tensor copies (UTMALDG, UBLKCP ...): mbarrier, multicast flag, [CTA mask], bytes, bytes out of bounds, then mode 3, n
// addresses, or mode 4, base, n and n - 1 differences; each address stands for mem_width bytes.
// Promises: every field is checked, and a wrong one is a UserError with its column; addresses wrap modulo 2^64 as in the tracer. Read and
// not used: registers, the second immediate, register values (behind "Val" nothing is checked).
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <string_view>
#include <vector>

#include "traces/import/line_reader.hpp"

namespace rooftrace {

inline constexpr int kWarpLanes = 32;
inline constexpr std::uint64_t kOldestTracer = 3;
inline constexpr std::uint64_t kNewestTracer = 6;

struct AccelsimInstruction {
  std::uint64_t pc = 0;
  std::uint32_t mask = 0;   ///< Active lanes.
  std::string_view opcode;  ///< Lives as long as the line.
  std::uint32_t width = 0;  ///< As written; 0: touches no memory.
  bool tensor_copy = false;
  std::array<std::uint64_t, kWarpLanes> lanes{};  ///< Addresses of the set bits of the mask; tensor copies: none.
  std::vector<std::uint64_t> transfers;           ///< Tensor copies: `width` bytes at each.
  std::uint64_t bytes = 0, out_of_bounds = 0;     ///< Tensor copies: as the tracer counted them.
  std::uint32_t multicast = 1;                    ///< Blocks of the cluster that receive the copy.
  std::uint64_t immediate = 0;

  [[nodiscard]] int active() const { return std::popcount(mask); }
};

/// Reuses the memory of `out`.
void parse_accelsim_instruction(std::string_view line, const LineReader& reader, std::uint64_t version, bool lineinfo,
                                AccelsimInstruction& out);

}  // namespace rooftrace
