#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sim/core/error.hpp"
#include "tests/support/recording_sink.hpp"
#include "traces/import/import_csv.hpp"

namespace rooftrace {
namespace {

using ::testing::HasSubstr;

struct Imported {
  RecordingSink sink;
  ImportSummary summary;
};

Imported import(const std::string& text) {
  Imported out;
  out.summary = import_csv([&] { return open_memory("t.csv", text); }, {}, out.sink);
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

TEST(Csv, ColumnsInAnyOrderKernelsByName) {
  const Imported got = import(
      "# made by hand\nrole, op,address,bytes,block,step,kernel\n"
      "weights,load,0x10000000,4096,0,0,\"a, \"\"b\"\"\"\n"
      ",store,4096,100,0,0,\"a, \"\"b\"\"\"\n"
      "kv,reduce,8192,64,0,1,\"a, \"\"b\"\"\"\n"
      "kv,load,8192,64,2,0,\"a, \"\"b\"\"\"\n\n"
      "kv,load,8192,64,0,0,c\n");
  ASSERT_EQ(got.sink.kernels.size(), 2U);
  const RecordedKernel& first = got.sink.kernels[0];
  EXPECT_EQ(first.kernel.label, "a, \"b\"");
  EXPECT_EQ(first.kernel.grid, 3U);
  ASSERT_EQ(first.blocks.at(0).size(), 2U);
  EXPECT_EQ(first.blocks.at(0)[0].loads.at(0).address, 0x10000000U);  // Kept: below 2^42.
  EXPECT_EQ(first.blocks.at(0)[0].loads.at(0).role, TensorRole::weights);
  EXPECT_EQ(first.blocks.at(0)[0].stores.at(0).row_bytes, 100U);
  EXPECT_EQ(first.blocks.at(0)[1].stores.at(0).op, AccessOp::reduce);
  EXPECT_EQ(first.blocks.count(1), 0U);
  EXPECT_EQ(got.summary.blocks, 3U);
  EXPECT_EQ(got.summary.blocks_missing, 1U);
  EXPECT_EQ(got.summary.instructions, 5U);
  EXPECT_EQ(got.summary.load_bytes, 4096U + 64 + 64);
}

TEST(Csv, FarAddressesMoveByFramesAndKeepTheirBytes) {
  // 40 bytes from 8 bytes before the end of a frame: 8 in it, 32 in the next.
  const Imported got = import("block,step,op,address,bytes\n0,0,load,0x7f003ffffff8,40\n0,0,load,0x7f0000000004,4\n");
  const auto& loads = got.sink.kernels.at(0).blocks.at(0)[0].loads;
  ASSERT_EQ(loads.size(), 3U);
  EXPECT_EQ(loads[0].address, 2 * kFrameBytes - 8);
  EXPECT_EQ(loads[0].row_bytes, 8U);
  EXPECT_EQ(loads[1].address, 2 * kFrameBytes);
  EXPECT_EQ(loads[1].row_bytes, 32U);
  EXPECT_EQ(loads[2].address, kFrameBytes + 4);
}

TEST(Csv, ErrorsNameLineAndColumn) {
  const std::string head = "block,step,op,address,bytes\n";
  EXPECT_THAT(error_of(""), HasSubstr("the table is empty"));
  EXPECT_THAT(error_of(head), HasSubstr("the table has no rows"));
  EXPECT_THAT(error_of("block,step,op,adress,bytes\n"), HasSubstr("t.csv:1:15: no column \"adress\"; did you mean \"address\"?"));
  EXPECT_THAT(error_of("block,step,op,address\n0,0,load,0\n"), HasSubstr("there is no column \"bytes\""));
  EXPECT_THAT(error_of("block,block,op,address,bytes\n"), HasSubstr("stands twice"));
  EXPECT_THAT(error_of(head + "0,0,laod,0,4\n"), HasSubstr("t.csv:2:5: op \"laod\" is not load, store or reduce; did you mean \"load\"?"));
  EXPECT_THAT(error_of(head + "0,0,load,0x,4\n"), HasSubstr("t.csv:2:10: address is \"0x\", not a whole number"));
  EXPECT_THAT(error_of(head + "0,0,load,64,0\n"), HasSubstr("t.csv:2:13: an access of 0 bytes"));
  EXPECT_THAT(error_of(head + "0,0,load,64\n"), HasSubstr("t.csv:2:1: 4 fields, but 5 columns"));
  EXPECT_THAT(error_of(head + "4000000000,0,load,64,4\n"), HasSubstr("t.csv:2:1: block is \"4000000000\""));
  EXPECT_THAT(error_of(head + "0,4000000000,load,64,4\n"), HasSubstr("t.csv:2:3: step 4000000000 of block 0 comes where 0 is next"));
  EXPECT_THAT(error_of(head + "1,0,load,64,4\n0,0,load,64,4\n"), HasSubstr("t.csv:3:1: block 0 stands behind block 1"));
  EXPECT_THAT(error_of(head + "0,0,load,0xffffffffffffffff,4\n"), HasSubstr("passes the end of 64-bit addresses"));
  EXPECT_THAT(error_of(head + "0,0,load,\"64,4\n"), HasSubstr("this quote is not closed"));
  EXPECT_THAT(error_of("block,step,op,address,bytes,role\n0,0,load,0,4,wieghts\n"), HasSubstr("did you mean \"weights\"?"));
}

}  // namespace
}  // namespace rooftrace
