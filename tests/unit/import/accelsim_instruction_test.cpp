// Every address mode of every tracer version, and every field that can be wrong.
#include "traces/import/accelsim_instruction.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rooftrace {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Parsed {
  std::unique_ptr<ByteSource> source;
  std::string line;
  AccelsimInstruction instruction;
};

Parsed parse(const std::string& line, std::uint64_t version = 4, bool lineinfo = false) {
  Parsed out{open_memory("k.traceg", "\n\n" + line + "\n"), "", {}};
  LineReader reader(*out.source);
  std::string_view view;
  EXPECT_TRUE(reader.next_filled(view));
  out.line = view;
  parse_accelsim_instruction(out.line, reader, version, lineinfo, out.instruction);
  return out;
}

std::string error_of(const std::string& line, std::uint64_t version = 4) {
  try {
    parse(line, version);
  } catch (const UserError& error) {
    return error.what();
  }
  return "no error";
}

TEST(AccelsimInstruction, WithoutMemory) {
  for (const std::uint64_t version : {3U, 4U, 5U, 6U}) {
    const Parsed p = parse("0a40 ffffffff 1 R2 FFMA 3 R4 R5 R255 0 0", version);
    EXPECT_EQ(p.instruction.pc, 0xa40U);
    EXPECT_EQ(p.instruction.mask, 0xffffffffU);
    EXPECT_EQ(p.instruction.opcode, "FFMA");
    EXPECT_EQ(p.instruction.width, 0U);
  }
}

TEST(AccelsimInstruction, ModeZeroListsEveryActiveLane) {
  // Lanes 0, 2 and 31.
  const Parsed p = parse("0050 80000005 1 R2 LDG.E.U16 1 R4 2 0 0x7f0000001000 0x7f0000001040 0x7f0000002002 0", 3);
  EXPECT_EQ(p.instruction.lanes[0], 0x7f0000001000U);
  EXPECT_EQ(p.instruction.lanes[2], 0x7f0000001040U);
  EXPECT_EQ(p.instruction.lanes[31], 0x7f0000002002U);
}

TEST(AccelsimInstruction, ModeOneRunsFromTheFirstActiveLane) {
  const Parsed p = parse("0050 000000f0 1 R2 LDG.E.128 1 R4 16 1 0x7f0000001000 -16 0", 5);  // Lanes 4 to 7, downwards.
  EXPECT_EQ(p.instruction.lanes[4], 0x7f0000001000U);
  EXPECT_EQ(p.instruction.lanes[7], 0x7f0000000fd0U);
  EXPECT_EQ(p.instruction.lanes[3], 0U);
}

TEST(AccelsimInstruction, ModeTwoHasOneDistanceLessThanLanesInEveryVersion) {
  // Four lanes, three distances, then the immediate 7, which must not be taken for a distance.
  for (const std::uint64_t version : {3U, 4U, 5U, 6U}) {
    const Parsed p = parse("0050 0000000f 1 R2 LDG.E 1 R4 4 2 0x1000 4 -8 100 7", version);
    EXPECT_THAT(std::vector<std::uint64_t>(p.instruction.lanes.begin(), p.instruction.lanes.begin() + 4),
                ElementsAre(0x1000, 0x1004, 0xffc, 0x1060))
        << version;
    EXPECT_EQ(p.instruction.immediate, 7U) << version;
  }
  EXPECT_EQ(parse("0050 00000100 1 R2 LDG.E 1 R4 4 2 0x1000 9").instruction.lanes[8], 0x1000U);  // One lane: no distance.
}

TEST(AccelsimInstruction, LineNumbersStandInFront) {
  EXPECT_EQ(parse("217 0050 00000001 0 EXIT 0 0 0", 4, true).instruction.pc, 0x50U);
}

TEST(AccelsimInstruction, VersionSixHasMoreFields) {
  EXPECT_EQ(parse("0050 ffffffff 0 BAR.SYNC.DEFER_BLOCKING 0 0 1 128 NoVal", 6).instruction.immediate, 1U);
  EXPECT_EQ(parse("0050 ffffffff 1 UP0 UISETP 2 UR4 P3 0 0 Val 1 ff 1 3 32 1 2 3", 6).instruction.opcode, "UISETP");
  EXPECT_EQ(parse("0050 ffffffff 1 R24 HGMMA.64x128x16.F32 2 UR4 R24 1 0 0 NoVal", 6).instruction.width, 0U);
}

TEST(AccelsimInstruction, TensorCopiesListTheirPieces) {
  // Mode 3: three pieces of 64 bytes, multicast to CTAs 0 and 2.
  Parsed p = parse("0050 00000001 0 UTMALDG.2D.MULTICAST 2 UR4 UR8 64 0x30a0 1 5 192 0 3 3 0x1000 0x2000 0x3000 0 NoVal", 6);
  EXPECT_TRUE(p.instruction.tensor_copy);
  EXPECT_EQ(p.instruction.width, 64U);
  EXPECT_EQ(p.instruction.multicast, 2U);
  EXPECT_EQ(p.instruction.bytes, 192U);
  EXPECT_THAT(p.instruction.transfers, ElementsAre(0x1000, 0x2000, 0x3000));
  // Mode 4: base and distances; no multicast, so no mask.
  p = parse("0050 00000001 0 UBLKCP.S.G 2 UR4 UR8 16 0x30a0 0 64 16 4 0x1000 4 16 16 -32 0 NoVal", 6);
  EXPECT_THAT(p.instruction.transfers, ElementsAre(0x1000, 0x1010, 0x1020, 0x1000));
  EXPECT_EQ(p.instruction.out_of_bounds, 16U);
}

TEST(AccelsimInstruction, ErrorsNameLineAndColumn) {
  EXPECT_EQ(error_of("0050 0000000f 1 R2 LDG.E 1 R4 4 2 0x1000 4 -8"),
            "k.traceg:3:46: the line ends where the distance to the address before should be");
  EXPECT_EQ(error_of("00x0 0000000f 0 EXIT 0 0 0"),
            "k.traceg:3:1: the program counter is \"00x0\", not a hexadecimal number of at most 64 bits");
  EXPECT_THAT(error_of("0050 1ffffffff 0 EXIT 0 0 0"), HasSubstr("k.traceg:3:6: the mask of lanes"));
  EXPECT_THAT(error_of("0050 0000000f 4000000000 R2 LDG.E"), HasSubstr("k.traceg:3:15: the number of destination registers"));
  EXPECT_THAT(error_of("0050 0000000f 1 X2 LDG.E"), HasSubstr("k.traceg:3:17: \"X2\" is not a register"));
  EXPECT_THAT(error_of("0050 0000000f 1 R2 ldg"), HasSubstr("k.traceg:3:20: \"ldg\" is not an opcode"));
  EXPECT_THAT(error_of("0050 0000000f 1 R2 LDG.E 1 R4 4 5 0x1000"), HasSubstr("the address mode of LDG.E is 5; 0, 1 and 2 are known"));
  EXPECT_THAT(error_of("0050 00000f0f 1 R2 LDG.E 1 R4 4 1 0x1000 4 0"), HasSubstr("mode 1 gives addresses for one run of lanes"));
  EXPECT_THAT(error_of("0050 0000000f 0 EXIT 0 0 0 7"), HasSubstr("\"7\" is left over"));
  EXPECT_THAT(error_of("0050 0000000f 0 EXIT 0 0 0 0 0 Maybe", 6), HasSubstr("\"0\" is left over"));
  EXPECT_THAT(error_of("0050 00000001 0 UTMALDG.2D 0 64 0 0 64 0 2 0x1000 0", 6), HasSubstr("3 and 4 are known"));
  EXPECT_THAT(error_of("0050 00000001 0 UTMALDG.2D 0 64 0 0 64 0 3 4000000000 0x1000", 6), HasSubstr("the number of addresses"));
}

}  // namespace
}  // namespace rooftrace
