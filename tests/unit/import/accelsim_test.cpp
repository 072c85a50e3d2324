// Whole kernels: text, .xz, .tracez; clusters; what is lowered, what is left out; hostile files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "sim/core/error.hpp"
#include "tests/support/packers.hpp"
#include "tests/support/recording_sink.hpp"
#include "traces/import/import_accelsim.hpp"

namespace rooftrace {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string head(int version, const std::string& grid = "2,1,1", const std::string& more = "") {
  return "-kernel name = _Z6vecaddPfS_\n-kernel id = 1\n-grid dim = (" + grid +
         ")\n-block dim = (64,1,1)\n-shmem = 0\n-nregs = 16\n-binary version = 90\n-cuda stream id = 0\n"
         "-shmem base_addr = 0x00007f3000000000\n-local mem base_addr = 0x00007f2ffe000000\n-nvbit version = 1.7\n"
         "-accelsim tracer version = " +
         std::to_string(version) + "\n-enable lineinfo = 0\n" + more + "\n#traces format = ...\n";
}

std::string warp(int w, const std::vector<std::string>& lines) {
  std::string text = "\nwarp = " + std::to_string(w) + "\ninsts = " + std::to_string(lines.size()) + "\n";
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

std::string block(int x, const std::string& warps, const std::string& cluster = "") {
  return "\n#BEGIN_TB\n\nthread block = " + std::to_string(x) + ",0,0\n" + cluster + warps + "\n#END_TB\n";
}

/// Each of 32 lanes loads 4 bytes at `from` and stores 4 bytes at `to`.
std::vector<std::string> copy_lines(const std::string& from, const std::string& to) {
  return {"0010 ffffffff 1 R2 LDG.E 1 R4 4 1 " + from + " 4 0", "0020 ffffffff 0 STG.E 2 R6 R2 4 1 " + to + " 4 0",
          "0030 ffffffff 0 EXIT 0 0 0"};
}

std::string copy_kernel(int version) {
  return head(version) +
         block(0, warp(0, copy_lines("0x7f4000000000", "0x7f4000100000")) + warp(1, copy_lines("0x7f4000000080", "0x7f4000100080"))) +
         block(1, warp(0, copy_lines("0x7f4000000100", "0x7f4000100100")) + warp(1, {}));
}

struct Imported {
  RecordingSink sink;
  ImportSummary summary;
  [[nodiscard]] const RecordedKernel& kernel() const { return sink.kernels.at(0); }
};

Imported import(const std::string& text, const ImportOptions& options = {}) {
  Imported out;
  const auto source = open_memory("k.traceg", text);
  import_traceg(*source, options, out.sink, out.summary);
  return out;
}

std::string error_of(const std::string& text) {
  try {
    import(text);
  } catch (const UserError& error) {
    return error.what();
  }
  return "no error";
}

TEST(Accelsim, ACopyKernelOfEveryVersion) {
  for (const int version : {3, 4, 5, 6}) {
    const Imported got = import(copy_kernel(version));
    const RecordedKernel& kernel = got.kernel();
    EXPECT_EQ(kernel.kernel.grid, 2U);
    EXPECT_EQ(kernel.kernel.label, "_Z6vecaddPfS_");
    EXPECT_EQ(kernel.extras.source_name, "_Z6vecaddPfS_");
    // 64 threads with 16 registers and no shared memory: 2048 / 64 = 32 blocks.
    EXPECT_EQ(kernel.kernel.blocks_per_sm, 32U);
    EXPECT_EQ(kernel.bytes(AccessOp::load), 3 * 128U);
    EXPECT_EQ(kernel.bytes(AccessOp::store), 3 * 128U);
    ASSERT_EQ(kernel.blocks.at(0).size(), 1U);
    ASSERT_EQ(kernel.blocks.at(0)[0].loads.size(), 1U);  // The warps' 128 bytes are neighbours.
    EXPECT_EQ(kernel.blocks.at(0)[0].loads[0].row_bytes, 256U);
    EXPECT_EQ(got.summary.instructions, 9U);
    EXPECT_EQ(got.summary.blocks, 2U);
    EXPECT_EQ(got.summary.spaces[static_cast<std::size_t>(MemorySpace::global)].count, 6U);
    EXPECT_EQ(got.summary.spaces[static_cast<std::size_t>(MemorySpace::global)].bytes, 6 * 128U);
    EXPECT_TRUE(got.summary.left_out.empty());
  }
}

TEST(Accelsim, SpacesAreToldApart) {
  const Imported got = import(
      head(5, "1,1,1") +
      block(0, warp(0, {"0010 ffffffff 1 R2 LDS.128 1 R4 16 1 0x0 16 0", "0020 0000000f 0 STL 2 R4 R5 4 1 0xfffff0 0 0",
                        "0030 00000001 1 R2 LDC.64 1 R4 8 1 0x160 0 0",
                        // Generic: lane 0 in the shared window (16 MiB from its base), lane 1 in the local one, lane 2 in global memory.
                        "0040 00000007 1 R2 LD.E.64 1 R4 8 0 0x7f3000000100 0x7f2ffe000008 0x7f4000000000 0",
                        "0050 00000001 1 R2 SULD.D.2D 1 R4 4 1 0x100 0 0", "0060 00000003 1 R2 QQQ.64 1 R4 8 1 0x100 8 0",
                        "0070 ffffffff 0 RED.E.ADD.F32.FTZ.RN.STRONG.GPU 1 R4 4 1 0x7f4000000000 0 0"})));
  const auto& spaces = got.summary.spaces;
  EXPECT_EQ(spaces[static_cast<std::size_t>(MemorySpace::shared)].count, 2U);
  EXPECT_EQ(spaces[static_cast<std::size_t>(MemorySpace::shared)].bytes, 512U + 8);
  EXPECT_EQ(spaces[static_cast<std::size_t>(MemorySpace::local)].bytes, 16U + 8);
  EXPECT_EQ(spaces[static_cast<std::size_t>(MemorySpace::constant)].bytes, 8U);
  EXPECT_EQ(spaces[static_cast<std::size_t>(MemorySpace::global)].count, 2U);
  EXPECT_EQ(got.kernel().bytes(AccessOp::load), 32U);    // Lane 2's sector only.
  EXPECT_EQ(got.kernel().bytes(AccessOp::reduce), 32U);  // All lanes add to one word.
  EXPECT_EQ(got.summary.left_out.at("local memory (spills; assumed to stay in L1)").bytes, 24U);
  EXPECT_EQ(got.summary.left_out.at("texture and surface accesses").count, 1U);
  EXPECT_EQ(got.summary.unknown.at("QQQ.64"), 1U);
  EXPECT_EQ(got.summary.left_out.at("memory instructions of unknown opcodes").bytes, 16U);
}

TEST(Accelsim, L1TakesRepeatedLoadsButNotWhatGoesAroundIt) {
  const std::string load = "0010 ffffffff 1 R2 LDG.E 1 R4 4 1 0x7f4000000000 4 0";
  const std::string around = "0010 ffffffff 0 LDGSTS.E.BYPASS.LTC128B.128 2 R1 R4 4 1 0x7f4000000000 16 0";
  const std::string strong = "0010 ffffffff 1 R2 LDG.E.STRONG.GPU 1 R4 4 1 0x7f4000000000 4 0";
  const std::string text = head(4, "1,1,1") + block(0, warp(0, {load, load, around, around, strong, load}));
  Imported got = import(text);
  EXPECT_EQ(got.kernel().bytes(AccessOp::load), 128U + 2 * 512 + 128);  // One of three plain loads goes on.
  EXPECT_EQ(got.summary.l1_hit_bytes, 256U);
  ImportOptions none;
  none.l1_bytes = 0;
  EXPECT_EQ(import(text, none).kernel().bytes(AccessOp::load), 3 * 128U + 2 * 512 + 128);
}

TEST(Accelsim, BlocksOfOneSmShareItsL1) {
  const std::string load = "0010 ffffffff 1 R2 LDG.E 1 R4 4 1 0x7f4000000000 4 0";
  std::string text = head(4, "4,1,1");
  for (int b = 0; b < 4; ++b) text += block(b, warp(0, {load}));
  ImportOptions two;
  two.sms = 2;  // Blocks 0 and 2, 1 and 3: two misses, two hits.
  EXPECT_EQ(import(text, two).kernel().bytes(AccessOp::load), 2 * 128U);
  EXPECT_EQ(import(text).kernel().bytes(AccessOp::load), 4 * 128U);
}

TEST(Accelsim, VersionSixTensorCopiesAndClusters) {
  const std::string cluster = "cluster id = 0,0,0\ncluster cta = 0,0,0\ncluster rank = 0\n";
  const Imported got = import(head(6, "2,1,1") +
                              block(0,
                                    warp(0,
                                         {// A box of four rows of 64 bytes, 1024 bytes apart, delivered to CTAs 0 and 1.
                                          "0010 00000001 0 UTMALDG.2D.MULTICAST 2 UR4 UR8 64 0x30a0 1 3 256 0 3 4 0x7f4000000000 "
                                          "0x7f4000000400 0x7f4000000800 0x7f4000000c00 0 NoVal",
                                          "0020 00000001 0 UBLKCP.S.G 2 UR4 UR8 16 0x30a0 0 64 0 4 0x7f4000010000 4 16 16 16 0 NoVal",
                                          "0030 00000000 0 UBLKCP.S.G 2 UR4 UR8 16 0x30a0 0 64 0 4 0x7f4000020000 4 16 16 16 0 NoVal",
                                          "0040 ffffffff 1 R24 HGMMA.64x128x16.F32.BF16 2 UR4 R24 1 0 0 NoVal",
                                          "0050 00000001 0 UTMASTG.2D 2 UR4 UR8 32 0x0 0 32 0 3 1 0x7f4000030000 0 NoVal",
                                          "0060 00000001 0 UTMAPF.L2.2D 2 UR4 UR8 64 0x0 0 64 0 3 1 0x7f4000040000 0 NoVal"}),
                                    cluster) +
                              block(1, warp(0, {"0070 ffffffff 0 EXIT 0 0 0 0 NoVal"}), cluster));
  const RecordedKernel& kernel = got.kernel();
  EXPECT_EQ(kernel.bytes(AccessOp::load), 4 * 64U + 64);
  EXPECT_EQ(kernel.bytes(AccessOp::store), 32U);
  const Access& box = kernel.blocks.at(0)[0].loads.at(0);
  EXPECT_EQ(box.rows, 4U);
  EXPECT_EQ(box.row_bytes, 64U);
  EXPECT_EQ(box.pitch, 1024U);
  EXPECT_EQ(got.summary.tensor_flop, 2.0 * 64 * 128 * 16 / 4);
  EXPECT_EQ(kernel.kernel.tensor_type, DataType::bf16);
  EXPECT_EQ(got.summary.left_out.at("prefetches into L2 (the later load brings the bytes)").bytes, 64U);
  ASSERT_EQ(got.summary.remarks.size(), 1U);
  EXPECT_THAT(got.summary.remarks[0], HasSubstr("1 multicast copies"));
}

TEST(Accelsim, XzIsTheSame) {
  const auto packed = unpack_xz(open_memory("k.traceg.xz", xz_packed(copy_kernel(4))));
  RecordingSink sink;
  ImportSummary summary;
  import_traceg(*packed, {}, sink, summary);
  EXPECT_EQ(summary.instructions, 9U);
  EXPECT_EQ(sink.kernels.at(0).bytes(AccessOp::load), 3 * 128U);
}

std::string joined(const std::vector<std::string>& lines, std::size_t from, std::size_t to) {
  std::string text;
  for (std::size_t i = from; i < to; ++i) text += lines[i] + "\n";
  return text;
}

/// The copy kernel as .tracez; blocks stand in the wrong order, which the index allows; sub-chunks of 2 and 1 instructions.
std::string copy_tracez(const std::string& dictionary = "") {
  const auto make = [](const std::string& from, const std::string& to) {
    const auto lines = copy_lines(from, to);
    return TracezWarp{{joined(lines, 0, 2), lines[2]}, {2, 1}};  // The last line has no end: allowed.
  };
  return tracez_packed(head(6),
                       {{1, 0, 0, {make("0x7f4000000100", "0x7f4000100100"), TracezWarp{}}},
                        {0, 0, 0, {make("0x7f4000000000", "0x7f4000100000"), make("0x7f4000000080", "0x7f4000100080")}}},
                       dictionary);
}

Imported import_packed(const std::string& bytes) {
  Imported out;
  import_tracez(seekable_memory("k.tracez", bytes), {}, out.sink, out.summary);
  return out;
}

TEST(Accelsim, TracezIsTheSame) {
  for (const std::string& dictionary : {std::string(), std::string("0010 ffffffff 1 R2 LDG.E 1 R4 4 1 0x7f4000000 STG.E EXIT 0 0 0")}) {
    const Imported got = import_packed(copy_tracez(dictionary));
    const Imported text = import(copy_kernel(6));
    EXPECT_EQ(got.summary.instructions, 9U);
    ASSERT_EQ(got.kernel().blocks.size(), 2U);
    for (const std::uint32_t b : {0U, 1U}) {
      ASSERT_EQ(got.kernel().blocks.at(b).size(), text.kernel().blocks.at(b).size());
      EXPECT_EQ(got.kernel().blocks.at(b)[0].loads[0].address, text.kernel().blocks.at(b)[0].loads[0].address);
      EXPECT_EQ(got.kernel().blocks.at(b)[0].stores[0].row_bytes, text.kernel().blocks.at(b)[0].stores[0].row_bytes);
    }
  }
}

TEST(Accelsim, HostileText) {
  EXPECT_THAT(error_of(""), HasSubstr("names no accelsim tracer version"));
  EXPECT_THAT(error_of(head(2)), HasSubstr("tracer version 2 is not one of 3 to 6"));
  EXPECT_THAT(error_of(head(7)), HasSubstr("tracer version 7"));
  EXPECT_THAT(error_of(head(4, "4000000,4000000,1")), HasSubstr("more than 67108864 blocks"));
  EXPECT_THAT(error_of(head(4, "2,2")), HasSubstr("k.traceg:3:13: the grid is \"(2,2)\", not three numbers"));
  EXPECT_THAT(error_of(head(4, "0,1,1")), HasSubstr("a side of 0"));
  EXPECT_THAT(error_of(head(4) + "\n#BEGIN_TB\nthread block = 2,0,0\n"), HasSubstr("outside of the grid (2,1,1)"));
  EXPECT_THAT(error_of(head(4) + "\n#BEGIN_TB\nthread block = 0,0,0\nwarp = 0\ninsts = 4000000000\n0010 ffffffff 0 EXIT 0 0 0\n#END_TB\n"),
              HasSubstr("warp 0 has 1 instructions, not the 4000000000 that \"insts =\" names"));
  EXPECT_THAT(
      error_of(head(4) +
               "\n#BEGIN_TB\nthread block = 0,0,0\nwarp = 0\ninsts = 1\n0010 ffffffff 0 EXIT 0 0 0\n0010 ffffffff 0 EXIT 0 0 0\n#END_TB\n"),
      HasSubstr("follows the 1 instructions"));
  EXPECT_THAT(error_of(head(4) + "\n#BEGIN_TB\nthread block = 0,0,0\nwarp = 2\n"),
              HasSubstr("the warp is \"2\", not a whole number from 0 to 1"));
  EXPECT_THAT(error_of(head(4) + "\n#BEGIN_TB\nthread block = 0,0,0\nwarp = 0\n"), HasSubstr("the file ends inside a thread block"));
  EXPECT_THAT(error_of(head(4) + block(1, "") + block(0, "")), HasSubstr("blocks must ascend"));
  EXPECT_THAT(error_of(head(4) + block(0, "") + block(0, "")), HasSubstr("blocks must ascend"));
  EXPECT_THAT(error_of(head(4) + "hello\n"), HasSubstr("stands outside of a thread block"));
  EXPECT_THAT(error_of(head(4) + std::string(2 << 20, 'x')), HasSubstr("the line is longer than 1024 KiB"));
  EXPECT_THAT(error_of(head(4) + std::string(200'000, '\n')), HasSubstr("more than 100000 blank lines in a row"));
}

TEST(Accelsim, XzBombsAndDamage) {
  // 64 MiB of line ends pack into 10 kB; a limit of this reader stops it long before.
  const auto bomb = unpack_xz(open_memory("b.traceg.xz", xz_packed(head(4) + std::string(64 << 20, '\n'))));
  RecordingSink sink;
  ImportSummary summary;
  EXPECT_THROW(import_traceg(*bomb, {}, sink, summary), UserError);
  const std::string whole = xz_packed(copy_kernel(4));
  std::mt19937 random(1);
  for (int i = 0; i < 200; ++i) {
    std::string bytes = whole;
    if (i < 100) {
      bytes.resize(random() % whole.size());
    } else {
      bytes[random() % bytes.size()] ^= static_cast<char>(1U << (random() % 8));
    }
    const auto damaged = unpack_xz(open_memory("d.traceg.xz", bytes));
    EXPECT_THROW(import_traceg(*damaged, {}, sink, summary), UserError) << i;  // A checksum sees every change.
  }
}

TEST(Accelsim, HostileTracezNeverCrashes) {
  const std::string whole = copy_tracez();
  EXPECT_NO_THROW(import_packed(whole));
  for (std::size_t size = 0; size < whole.size(); ++size) EXPECT_THROW(import_packed(whole.substr(0, size)), UserError) << size;
  std::mt19937 random(1);
  int refused = 0;
  for (int i = 0; i < 3000; ++i) {
    std::string bytes = whole;
    bytes[random() % bytes.size()] ^= static_cast<char>(1U << (random() % 8));
    try {
      import_packed(bytes);  // Frames have no checksum here: a changed digit may pass.
    } catch (const UserError&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 1000);
}

TEST(Accelsim, ATracezFrameThatIsABombIsReadLineByLine) {
  // 64 MiB of line ends in one frame: no buffer of that size is made, and the blank lines are refused.
  const std::string bytes = tracez_packed(head(6, "1,1,1"), {{0, 0, 0, {TracezWarp{{std::string(64 << 20, '\n')}, {1}}}}});
  EXPECT_LT(bytes.size(), 100'000U);
  EXPECT_THROW(import_packed(bytes), UserError);
}

TEST(KernelList, KernelsCopiesAndTheRest) {
  const auto source =
      open_memory("kernelslist.g", "MemcpyHtoD,0x00007f4000000000,4096\nkernel-1.traceg\n\nkernel-2-ctx_0x1.traceg.xz\nMemcpyDtoH,0x0,4\n");
  LineReader reader(*source);
  const KernelList list = read_kernel_list(reader, "folder");
  ASSERT_EQ(list.entries.size(), 3U);
  EXPECT_EQ(list.entries[0].bytes, 4096U);
  EXPECT_EQ(list.entries[1].file, "folder/kernel-1.traceg");
  EXPECT_EQ(list.entries[2].file, "folder/kernel-2-ctx_0x1.traceg.xz");
  EXPECT_EQ(list.ignored, 1U);
}

TEST(KernelList, NamesStayInTheFolder) {
  for (const char* text : {"kernel/../../../etc/passwd\n", "MemcpyHtoD,0x10\n", "MemcpyHtoD,0x10,999999999999999\n", "MemcpyHtoD,zz,4\n"}) {
    const auto source = open_memory("kernelslist.g", text);
    LineReader reader(*source);
    EXPECT_THROW((void)read_kernel_list(reader, ""), UserError) << text;
  }
}

}  // namespace
}  // namespace rooftrace
