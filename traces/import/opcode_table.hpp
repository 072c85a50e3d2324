// What a SASS opcode does to memory and to the pipes: one visible table, by the word before the first dot.
//
// Width of a lane's access: the first token of digits, or U, S or F and digits, divided by eight ("LDG.E.128" 16, "LDG.E.U8" 1,
// "RED.E.ADD.F64" 8), 4 without one; the width field of a trace line is not trusted (NVBit reports it wrongly for some opcodes). Only of
// tensor copies is the line's width used. Work: FLOP of a multiply-add is 2, counted per active lane for CUDA cores and per warp for the
// tensor cores, from the shape in the opcode ("HMMA.16816" is 16 x 8 x 16; a quarter of "HGMMA.64x128x16", which four warps execute
// together). Sources: the opcode lists of the CUDA Binary Utilities (Volta to Hopper), from memory where they say no more than a name. Not
// modeled: integer and logic instructions (they take issue slots, not FLOP), texture and surface accesses (listed as dropped).
#pragma once

#include <cstdint>
#include <string_view>

#include "sim/core/kernel.hpp"

namespace rooftrace {

/// Where an instruction's addresses point.
enum class MemorySpace : std::uint8_t { none, global, generic, shared, local, constant, texture };
inline constexpr int kMemorySpaces = 7;
[[nodiscard]] std::string_view name(MemorySpace space);

enum class OpcodeKind : std::uint8_t {
  other,  ///< Touches no memory that counts here; may work.
  load,   ///< Global loads of the L1's users.
  store,
  reduce,       ///< Atomics: performed at L2.
  async_load,   ///< LDGSTS: through L1 unless .BYPASS.
  tensor_load,  ///< TMA and bulk copies: from L2 to shared memory, never through L1.
  tensor_store,
  tensor_reduce,
  prefetch,       ///< Into L2; the later load brings the same bytes.
  barrier,        ///< BAR.SYNC and BAR.RED.
  invalidate_l1,  ///< CCTL.IVALL.
};

struct Opcode {
  OpcodeKind kind = OpcodeKind::other;
  MemorySpace space = MemorySpace::none;
  std::uint32_t lane_bytes = 0;  ///< 0 for none; tensor copies: see the line.
  bool bypasses_l1 = false;      ///< .BYPASS, .STRONG, volatile, atomics, TMA.
  Pipe pipe = Pipe::cuda;
  double lane_work = 0;                   ///< Per active lane.
  double warp_work = 0;                   ///< Per instruction, however many lanes.
  DataType tensor_type = DataType::bf16;  ///< With warp_work: what the tensor cores computed in.
  bool known = true;                      ///< False: has addresses, but the table does not know it.
};

/// `opcode` as in the trace: "LDG.E.128.CONSTANT". `has_addresses`: the line gives a memory width; an opcode that is not in the table and
/// has addresses comes back with known = false.
[[nodiscard]] Opcode decode_opcode(std::string_view opcode, bool has_addresses);
/// Whether its lines have the fields of tensor copies (UTMALDG, UBLKCP ...).
[[nodiscard]] bool is_tensor_copy(std::string_view opcode);

}  // namespace rooftrace
