#include "traces/import/accelsim_instruction.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "traces/import/opcode_table.hpp"

namespace rooftrace {
namespace {

constexpr std::uint64_t kMostRegisters = 64;
constexpr std::size_t kLongestOpcode = 256;             // With all its suffixes; some forty of today.
constexpr std::uint64_t kWidestLane = 256;              // Bytes; 16 is the widest of today, and v6 counts matrices per warp.
constexpr std::uint64_t kWidestTransfer = 1 << 24;      // Of a bulk copy in one piece.
constexpr std::uint64_t kMostTransfers = kLongestLine;  // A line cannot hold more.

enum AddressMode : std::uint64_t { list_all = 0, base_stride = 1, base_delta = 2, tensor_list = 3, tensor_delta = 4 };

void skip_registers(Words& words, const char* count_name) {
  const std::uint64_t count = words.decimal(count_name, kMostRegisters);
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::string_view text = words.word("a register");
    const std::size_t digits = text.find_first_not_of("URP");
    const bool number = digits != std::string_view::npos && text.find_first_not_of("0123456789", digits) == std::string_view::npos;
    if (digits == 0 || (!number && text != "PT" && text != "RZ")) {
      words.refuse(fmt::format("{} is not a register (R, UR, P or UP, and a number)", quoted_word(text)));
    }
  }
}

void read_stride(Words& words, AccelsimInstruction& out) {
  std::uint64_t address = words.hex("the base address");
  const auto stride = static_cast<std::uint64_t>(words.signed_decimal("the stride"));
  if (out.mask == 0) return;
  const int first = std::countr_zero(out.mask);
  const int run = std::countr_one(out.mask >> first);
  if (run < out.active()) {
    words.refuse(fmt::format("mode 1 gives addresses for one run of lanes, but the mask is 0x{:08x}", out.mask));
  }
  for (int lane = first; lane < first + run; ++lane, address += stride) out.lanes[static_cast<std::size_t>(lane)] = address;
}

void read_lanes(Words& words, AccelsimInstruction& out) {
  const std::uint64_t mode = words.decimal("the address mode");
  if (mode == base_stride) return read_stride(words, out);
  if (mode != list_all && mode != base_delta) {
    words.refuse(fmt::format("the address mode of {} is {}; 0, 1 and 2 are known", out.opcode, mode));
  }
  std::uint64_t address = mode == base_delta ? words.hex("the base address") : 0;
  bool first = true;
  for (std::size_t lane = 0; lane < kWarpLanes; ++lane) {
    if (((out.mask >> lane) & 1) == 0) continue;
    if (mode == list_all) {
      address = words.hex("the address of a lane");
    } else if (!first) {
      address += static_cast<std::uint64_t>(words.signed_decimal("the distance to the address before"));
    }
    first = false;
    out.lanes[lane] = address;
  }
}

void read_tensor_copy(Words& words, AccelsimInstruction& out) {
  (void)words.hex("the mbarrier");
  if (words.decimal("the multicast flag", 1) == 1) {
    out.multicast = static_cast<std::uint32_t>(std::max(1, std::popcount(words.hex("the mask of CTAs", UINT32_MAX))));
  }
  out.bytes = words.decimal("the bytes of the copy");
  out.out_of_bounds = words.decimal("the bytes out of bounds");
  const std::uint64_t mode = words.decimal("the address mode");
  if (mode != tensor_list && mode != tensor_delta) {
    words.refuse(fmt::format("the address mode of {} is {}; 3 and 4 are known", out.opcode, mode));
  }
  std::uint64_t address = mode == tensor_delta ? words.hex("the base address") : 0;
  const std::uint64_t count = words.decimal("the number of addresses", kMostTransfers);
  for (std::uint64_t i = 0; i < count; ++i) {
    if (mode == tensor_list) {
      address = words.hex("an address of the copy");
    } else if (i > 0) {
      address += static_cast<std::uint64_t>(words.signed_decimal("the distance to the address before"));
    }
    out.transfers.push_back(address);
  }
}

bool all_digits(std::string_view text) {
  if (text.starts_with("-")) text.remove_prefix(1);
  if (text.starts_with("0x")) text.remove_prefix(2);
  return !text.empty() && text.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
}

/// After mode 0 the tracer leaves its stream in hexadecimal, so an immediate may have letters; only barriers use the value.
void read_immediates(Words& words, std::uint64_t version, AccelsimInstruction& out) {
  const int most = version >= 6 ? 2 : 1;
  for (int i = 0; i < most && all_digits(words.peek()); ++i) {
    std::string_view text = words.word("an immediate");
    if (i > 0) continue;
    std::uint64_t value = 0;
    const bool decimal = text.find_first_not_of("0123456789") == std::string_view::npos && text.size() < 19;
    for (const char c : text) value = decimal ? value * 10 + static_cast<std::uint64_t>(c - '0') : 1;
    out.immediate = value;
  }
  if (!words.more()) return;
  const std::string_view last = words.word("the end of the line");
  if (version >= 6 && last == "Val") return;
  if (version >= 6 && last == "NoVal" && !words.more()) return;
  words.refuse(fmt::format("{} is left over at the end of the instruction", quoted_word(last)));
}

}  // namespace

void parse_accelsim_instruction(std::string_view line, const LineReader& reader, std::uint64_t version, bool lineinfo,
                                AccelsimInstruction& out) {
  Words words(line, reader);
  out.transfers.clear();
  out.bytes = out.out_of_bounds = out.immediate = 0;
  out.multicast = 1;
  if (lineinfo) (void)words.decimal("the line number");
  out.pc = words.hex("the program counter");
  out.mask = static_cast<std::uint32_t>(words.hex("the mask of lanes", UINT32_MAX));
  skip_registers(words, "the number of destination registers");
  out.opcode = words.word("the opcode");
  if (out.opcode.front() < 'A' || out.opcode.front() > 'Z' || out.opcode.size() > kLongestOpcode)
    words.refuse(fmt::format("{} is not an opcode", quoted_word(out.opcode)));
  skip_registers(words, "the number of source registers");
  if (version >= 6 && out.opcode.find("GMMA") != std::string_view::npos) (void)words.decimal("the commit flag");
  out.tensor_copy = is_tensor_copy(out.opcode);
  out.width = static_cast<std::uint32_t>(words.decimal("the memory width", out.tensor_copy ? kWidestTransfer : kWidestLane));
  if (out.tensor_copy) {
    read_tensor_copy(words, out);
  } else if (out.width > 0) {
    read_lanes(words, out);
  }
  read_immediates(words, version, out);
}

}  // namespace rooftrace
