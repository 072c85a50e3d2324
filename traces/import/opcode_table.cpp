#include "traces/import/opcode_table.hpp"

#include <array>
#include <charconv>

namespace rooftrace {
namespace {

using enum OpcodeKind;
using Space = MemorySpace;

struct MemoryRow {
  std::string_view base;
  OpcodeKind kind;
  Space space;
};
constexpr std::array kMemory = {
    MemoryRow{"LDG", load, Space::global},
    MemoryRow{"LDGMC", load, Space::global},
    MemoryRow{"STG", store, Space::global},
    MemoryRow{"ATOMG", reduce, Space::global},
    MemoryRow{"REDG", reduce, Space::global},
    MemoryRow{"RED", reduce, Space::global},
    MemoryRow{"LDGSTS", async_load, Space::global},
    MemoryRow{"LD", load, Space::generic},
    MemoryRow{"ST", store, Space::generic},
    MemoryRow{"ATOM", reduce, Space::generic},
    MemoryRow{"UTMALDG", tensor_load, Space::global},
    MemoryRow{"UTMASTG", tensor_store, Space::global},
    MemoryRow{"UTMAREDG", tensor_reduce, Space::global},
    MemoryRow{"UTMAPF", prefetch, Space::global},
    MemoryRow{"UBLKCP", tensor_load, Space::global},  // Direction by its tokens, below.
    MemoryRow{"UBLKRED", tensor_reduce, Space::global},
    MemoryRow{"UBLKPF", prefetch, Space::global},
    MemoryRow{"LDS", load, Space::shared},
    MemoryRow{"LDSM", load, Space::shared},
    MemoryRow{"STS", store, Space::shared},
    MemoryRow{"STSM", store, Space::shared},
    MemoryRow{"STAS", store, Space::shared},
    MemoryRow{"REDAS", reduce, Space::shared},
    MemoryRow{"ATOMS", reduce, Space::shared},
    MemoryRow{"LDL", load, Space::local},
    MemoryRow{"STL", store, Space::local},
    MemoryRow{"LDC", load, Space::constant},
    MemoryRow{"ULDC", load, Space::constant},
    MemoryRow{"LDCU", load, Space::constant},
    MemoryRow{"TEX", load, Space::texture},
    MemoryRow{"TLD", load, Space::texture},
    MemoryRow{"TLD4", load, Space::texture},
    MemoryRow{"TXD", load, Space::texture},
    MemoryRow{"SULD", load, Space::texture},
    MemoryRow{"SUST", store, Space::texture},
    MemoryRow{"SURED", reduce, Space::texture},
    MemoryRow{"SUATOM", reduce, Space::texture},
};

struct LaneWorkRow {
  std::string_view base;
  Pipe pipe;
  double work;
};
constexpr std::array kLaneWork = {
    LaneWorkRow{"FFMA", Pipe::cuda, 2},  LaneWorkRow{"FADD", Pipe::cuda, 1},  LaneWorkRow{"FMUL", Pipe::cuda, 1},
    LaneWorkRow{"HFMA2", Pipe::cuda, 4}, LaneWorkRow{"HADD2", Pipe::cuda, 2}, LaneWorkRow{"HMUL2", Pipe::cuda, 2},
    LaneWorkRow{"DFMA", Pipe::cuda, 2},  LaneWorkRow{"DADD", Pipe::cuda, 1},  LaneWorkRow{"DMUL", Pipe::cuda, 1},
    LaneWorkRow{"MUFU", Pipe::sfu, 1},
};

struct TensorRow {
  std::string_view base;
  DataType type;
  double share;  ///< Of the shape's work that one warp does.
};
constexpr std::array kTensor = {TensorRow{"HMMA", DataType::fp16, 1},     TensorRow{"IMMA", DataType::int8, 1},
                                TensorRow{"QMMA", DataType::fp8, 1},      TensorRow{"DMMA", DataType::fp64, 1},
                                TensorRow{"HGMMA", DataType::fp16, 0.25}, TensorRow{"QGMMA", DataType::fp8, 0.25},
                                TensorRow{"IGMMA", DataType::int8, 0.25}};

constexpr std::uint32_t kDefaultLaneBytes = 4;

/// The token before the first dot, or behind `rest`; `rest` moves on.
std::string_view next_token(std::string_view& rest) {
  const std::size_t dot = rest.find('.');
  const std::string_view token = rest.substr(0, dot);
  rest = dot == std::string_view::npos ? std::string_view{} : rest.substr(dot + 1);
  return token;
}

std::uint32_t number(std::string_view text) {
  std::uint32_t value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && stop == text.data() + text.size() ? value : 0;
}

bool has_token(std::string_view opcode, std::string_view wanted) {
  for (std::string_view rest = opcode; !rest.empty();) {
    if (next_token(rest) == wanted) return true;
  }
  return false;
}

std::uint32_t lane_bytes(std::string_view tokens) {
  while (!tokens.empty()) {
    std::string_view token = next_token(tokens);
    if (!token.empty() && (token[0] == 'U' || token[0] == 'S' || token[0] == 'F')) token.remove_prefix(1);
    const std::uint32_t bits = number(token);
    if (bits == 8 || bits == 16 || bits == 32 || bits == 64 || bits == 128) return bits / 8;
  }
  return kDefaultLaneBytes;
}

/// m n k of "16816", "1688", "884" (n is 8 in all of them) or "64x128x16"; 0 when there is no such token.
double shape_work(std::string_view tokens) {
  while (!tokens.empty()) {
    const std::string_view token = next_token(tokens);
    if (const std::size_t first = token.find('x'); first != std::string_view::npos) {
      const std::size_t second = token.find('x', first + 1);
      if (second == std::string_view::npos) continue;
      const double m = number(token.substr(0, first)), n = number(token.substr(first + 1, second - first - 1));
      const double k = number(token.substr(second + 1));
      if (m > 0 && m <= 256 && n > 0 && n <= 256 && k > 0 && k <= 256) return 2 * m * n * k;
      continue;
    }
    struct Shape {
      std::string_view token;
      double m, n, k;
    };
    static constexpr std::array kShapes = {Shape{"884", 8, 8, 4},      Shape{"1684", 16, 8, 4},   Shape{"1688", 16, 8, 8},
                                           Shape{"16816", 16, 8, 16},  Shape{"16832", 16, 8, 32}, Shape{"16864", 16, 8, 64},
                                           Shape{"8816", 8, 8, 16},    Shape{"8832", 8, 8, 32},   Shape{"168128", 16, 8, 128},
                                           Shape{"168256", 16, 8, 256}};
    for (const Shape& shape : kShapes) {
      if (token == shape.token) return 2 * shape.m * shape.n * shape.k;
    }
  }
  return 0;
}

/// "UBLKCP.S.G": to shared from global; ".G.S": to global from shared; anything else stays inside the SMs.
void bulk_direction(std::string_view tokens, Opcode& out) {
  const std::string_view to = next_token(tokens), from = next_token(tokens);
  if (to == "G" && from == "S") {
    out.kind = tensor_store;
  } else if (to == "S" && from == "S") {
    out.space = Space::shared;
  }
}

}  // namespace

std::string_view name(MemorySpace space) {
  static constexpr std::array<std::string_view, kMemorySpaces> kNames = {"none",  "global",   "generic", "shared",
                                                                         "local", "constant", "texture"};
  return kNames[static_cast<std::size_t>(space)];
}

bool is_tensor_copy(std::string_view opcode) {
  const std::string_view base = opcode.substr(0, opcode.find('.'));
  for (const MemoryRow& row : kMemory) {
    if (row.base == base) return base.starts_with("UTMA") || base.starts_with("UBLK");
  }
  return false;
}

Opcode decode_opcode(std::string_view opcode, bool has_addresses) {
  Opcode out;
  std::string_view tokens = opcode;
  const std::string_view base = next_token(tokens);
  for (const MemoryRow& row : kMemory) {
    if (row.base != base) continue;
    out.kind = row.kind;
    out.space = row.space;
    out.lane_bytes = lane_bytes(tokens);
    if (base == "UBLKCP") bulk_direction(tokens, out);
    if (base == "LDSM" || base == "STSM") out.lane_bytes = 16;  // Each lane names a row of 16 bytes; ".16" is the element.
    out.bypasses_l1 = row.kind != load && row.kind != async_load && row.kind != store;
    out.bypasses_l1 = out.bypasses_l1 || has_token(tokens, "BYPASS") || has_token(tokens, "STRONG") || has_token(tokens, "MMIO") ||
                      has_token(tokens, "VOLATILE");
    return out;
  }
  if (base == "BAR") {
    if (has_token(tokens, "SYNC") || has_token(tokens, "RED")) out.kind = barrier;
    return out;
  }
  if (base == "CCTL") {
    if (has_token(tokens, "IVALL")) out.kind = invalidate_l1;
    return out;  // Its address names a line, but no bytes move.
  }
  if (base == "CCTLL" || base == "CCTLT") return out;
  for (const LaneWorkRow& row : kLaneWork) {
    if (row.base != base) continue;
    out.pipe = row.pipe;
    out.lane_work = row.work;
  }
  for (const TensorRow& row : kTensor) {
    if (row.base != base) continue;
    out.pipe = Pipe::tensor;
    out.warp_work = shape_work(tokens) * row.share;
    out.tensor_type = row.type;
    if (has_token(tokens, "BF16")) out.tensor_type = DataType::bf16;
    if (has_token(tokens, "TF32")) out.tensor_type = DataType::tf32;
  }
  out.known = !has_addresses;
  return out;
}

}  // namespace rooftrace
