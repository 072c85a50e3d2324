#include "traces/import/opcode_table.hpp"

#include <gtest/gtest.h>

namespace rooftrace {
namespace {

TEST(OpcodeTable, SpaceKindWidthAndL1) {
  struct Row {
    const char* opcode;
    OpcodeKind kind;
    MemorySpace space;
    std::uint32_t bytes;
    bool bypass;
  };
  using K = OpcodeKind;
  using S = MemorySpace;
  for (const Row& row : {Row{"LDG.E.128.CONSTANT", K::load, S::global, 16, false},
                         Row{"LDG.E", K::load, S::global, 4, false},
                         Row{"LDG.E.U8", K::load, S::global, 1, false},
                         Row{"LDG.E.S16", K::load, S::global, 2, false},
                         Row{"LDG.E.64.STRONG.GPU", K::load, S::global, 8, true},
                         Row{"LD.E.64", K::load, S::generic, 8, false},
                         Row{"STG.E.U16", K::store, S::global, 2, false},
                         Row{"ST.E", K::store, S::generic, 4, false},
                         Row{"RED.E.ADD.F32.FTZ.RN.STRONG.GPU", K::reduce, S::global, 4, true},
                         Row{"RED.E.ADD.F64.RN.STRONG.GPU", K::reduce, S::global, 8, true},
                         Row{"RED.E.ADD.F16x2.RN.STRONG.GPU", K::reduce, S::global, 4, true},
                         Row{"ATOMG.E.CAS.64.STRONG.GPU", K::reduce, S::global, 8, true},
                         Row{"LDGSTS.E.BYPASS.LTC128B.128", K::async_load, S::global, 16, true},
                         Row{"LDGSTS.E.64", K::async_load, S::global, 8, false},
                         Row{"LDS.U.128", K::load, S::shared, 16, false},
                         Row{"LDSM.16.M88.4", K::load, S::shared, 16, false},
                         Row{"STS", K::store, S::shared, 4, false},
                         Row{"LDL.LU", K::load, S::local, 4, false},
                         Row{"STL.64", K::store, S::local, 8, false},
                         Row{"LDC.64", K::load, S::constant, 8, false},
                         Row{"ULDC", K::load, S::constant, 4, false},
                         Row{"UTMALDG.2D", K::tensor_load, S::global, 4, true},
                         Row{"UTMASTG.3D", K::tensor_store, S::global, 4, true},
                         Row{"UTMAREDG.2D.ADD", K::tensor_reduce, S::global, 4, true},
                         Row{"UTMAPF.L2.2D", K::prefetch, S::global, 4, true},
                         Row{"UBLKCP.S.G", K::tensor_load, S::global, 4, true},
                         Row{"UBLKCP.G.S", K::tensor_store, S::global, 4, true},
                         Row{"UBLKCP.S.S", K::tensor_load, S::shared, 4, true},
                         Row{"SULD.D.2D", K::load, S::texture, 4, false},
                         Row{"BAR.SYNC.DEFER_BLOCKING", K::barrier, S::none, 0, false},
                         Row{"BAR.ARV", K::other, S::none, 0, false},
                         Row{"CCTL.IVALL", K::invalidate_l1, S::none, 0, false}}) {
    const Opcode op = decode_opcode(row.opcode, row.bytes > 0);
    EXPECT_EQ(op.kind, row.kind) << row.opcode;
    EXPECT_EQ(op.space, row.space) << row.opcode;
    EXPECT_EQ(op.lane_bytes, row.bytes) << row.opcode;
    EXPECT_EQ(op.bypasses_l1, row.bypass) << row.opcode;
    EXPECT_TRUE(op.known) << row.opcode;
  }
}

TEST(OpcodeTable, WorkFromTheShape) {
  EXPECT_EQ(decode_opcode("HMMA.16816.F32.BF16", false).warp_work, 2.0 * 16 * 8 * 16);
  EXPECT_EQ(decode_opcode("HMMA.16816.F32.BF16", false).tensor_type, DataType::bf16);
  EXPECT_EQ(decode_opcode("HMMA.1688.F32", false).tensor_type, DataType::fp16);
  EXPECT_EQ(decode_opcode("HMMA.1684.F32.TF32", false).warp_work, 2.0 * 16 * 8 * 4);
  // Four warps execute it together, each line of the trace is one of them.
  EXPECT_EQ(decode_opcode("HGMMA.64x128x16.F32.BF16", false).warp_work, 2.0 * 64 * 128 * 16 / 4);
  EXPECT_EQ(decode_opcode("QGMMA.64x256x32.F32.E4M3.E4M3", false).tensor_type, DataType::fp8);
  EXPECT_EQ(decode_opcode("FFMA.FTZ", false).lane_work, 2);
  EXPECT_EQ(decode_opcode("MUFU.EX2", false).pipe, Pipe::sfu);
  EXPECT_EQ(decode_opcode("IADD3", false).lane_work, 0);
}

TEST(OpcodeTable, WhatIsNotInItIsUnknownOnlyWithAddresses) {
  EXPECT_FALSE(decode_opcode("LDXYZ.64", true).known);
  EXPECT_TRUE(decode_opcode("LOP3.LUT", false).known);
}

}  // namespace
}  // namespace rooftrace
