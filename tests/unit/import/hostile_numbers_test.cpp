// Where numbers of a file meet arithmetic: sums that pass a limit, few bytes that claim much, and shapes of which only the result is
// absurd.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "sim/core/error.hpp"
#include "tests/support/recording_sink.hpp"
#include "traces/byte_set.hpp"
#include "traces/import/accelsim_header.hpp"
#include "traces/import/accelsim_instruction.hpp"
#include "traces/import/block_lowering.hpp"
#include "traces/import/import_csv.hpp"
#include "traces/import/import_kineto.hpp"
#include "traces/trace_check.hpp"

namespace rooftrace {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

template <class Call>
std::string error_of(Call call) {
  try {
    call();
  } catch (const UserError& error) {
    return error.what();
  }
  return "no error";
}

TEST(HostileNumbers, AnAllocationInTheLastSectorOfAll) {
  // [2^64 - 4096, 2^64 - 1): its end rounded up to sectors is 2^64. Behind nothing, and before a neighbour of one byte.
  AddressRebase rebase;
  const std::uint64_t base = UINT64_MAX - 4095, to = rebase.add_allocation(base, 4095, TensorRole::kv);
  std::vector<AddressRebase::Place> out;
  rebase.rebase({base, 128}, out);
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(out[0].run, (SectorRun{to, 128}));
  out.clear();
  rebase.rebase({base - 32, 2}, out);
  ASSERT_EQ(out.size(), 2U);
  EXPECT_EQ(out[1].run, (SectorRun{to, 1}));
}

TEST(HostileNumbers, OneCopyThroughManyAllocationsIsSeveralSteps) {
  // 20,000 allocations of 32 bytes, each 96 bytes from the one before and one of three 32 bytes off: no even pattern, 2 MiB apart here.
  AddressRebase rebase;
  constexpr std::uint64_t kMany = 20'000, kBase = 0x7f0000000000;
  for (std::uint64_t i = 0; i < kMany; ++i) (void)rebase.add_allocation(kBase + 96 * i + (i % 3 == 0 ? 32 : 0), 32, TensorRole::kv);
  ImportSummary summary;
  BlockLowering lowering(rebase, summary);
  L1Filter l1(0);
  ASSERT_TRUE(lowering.access(AccessOp::load, false, {{kBase, 3 * kMany}}));
  std::uint64_t bytes = 0;
  lowering.lower(l1, [&](const Step& step) {
    EXPECT_LE(step.loads.size(), 2 * kStepAccesses);
    for (const Access& access : step.loads) bytes += access.bytes();
  });
  EXPECT_EQ(bytes, 96 * kMany);
}

TEST(HostileNumbers, ALongReductionEmptiesL1InOneWalk) {
  // A million reductions of 64 MiB, each 2^21 sectors: sector by sector that were 2^41 lookups.
  L1Filter l1(64 * 128);
  std::vector<SectorRun> missed;
  EXPECT_EQ(l1.load({0, 8}, missed), 0U);
  EXPECT_EQ(l1.load({1 << 30, 4}, missed), 0U);
  for (int i = 0; i < 1'000'000; ++i) l1.drop({128, 1 << 21});
  missed.clear();
  EXPECT_EQ(l1.load({0, 8}, missed), 4U);  // The line before it is still there, the one inside is not.
  EXPECT_EQ(l1.load({1 << 30, 4}, missed), 4U);
}

TEST(HostileNumbers, CopiesOfAListAreBoundedTogether) {
  std::string text;
  for (int i = 0; i < 17; ++i) text += "MemcpyHtoD,0x0,274877906944\n";  // 256 GiB each: a million steps from thirty bytes.
  EXPECT_THAT(error_of([&] {
                const auto source = open_memory("kernelslist.g", text);
                LineReader reader(*source);
                (void)read_kernel_list(reader, "");
              }),
              HasSubstr("kernelslist.g:17:1: the copies move more than 4 TiB"));
}

TEST(HostileNumbers, GridsWithoutRecordsAreBoundedTogether) {
  // Five rows of five kernels that claim 2^26 blocks each.
  std::string text = "block,step,op,address,bytes,kernel\n";
  for (int i = 0; i < 5; ++i) text += "67108863,0,load,0,32,k" + std::to_string(i) + "\n";
  RecordingSink sink;
  EXPECT_THAT(error_of([&] { (void)import_csv([&] { return open_memory("t.csv", text); }, {}, sink); }),
              HasSubstr("t.csv: its grids have more than 268435456 blocks that it does not hold"));
}

TEST(HostileNumbers, OpcodesAndNamesAreCut) {
  const std::string line = "0010 ffffffff 0 L" + std::string(1000, 'X') + " 0 0 0";
  const auto source = open_memory("k.traceg", line);
  LineReader reader(*source);
  std::string_view view;
  ASSERT_TRUE(reader.next(view));
  AccelsimInstruction out;
  EXPECT_THAT(error_of([&] { parse_accelsim_instruction(view, reader, 4, false, out); }), HasSubstr("is not an opcode"));
  ImportSummary summary;
  ++summary.kernel(std::string(1 << 20, 'k')).count;
  EXPECT_EQ(summary.names.begin()->first.size(), 4096U);
}

TEST(HostileNumbers, WorkOfOneEventFitsAStep) {
  AddressRebase rebase;
  ImportSummary summary;
  BlockLowering lowering(rebase, summary);
  L1Filter l1(0);
  lowering.begin_warp();
  for (int i = 0; i < 5; ++i) {  // The most that a capture's marker may say (import_capture.cpp).
    lowering.work(Pipe::tensor, 1e9 - 1);
    lowering.work(Pipe::tensor, 1e12);
  }
  lowering.lower(l1, [](const Step& step) { EXPECT_LE(step.work[static_cast<std::size_t>(Pipe::tensor)], kMostStepWork); });
}

TEST(HostileNumbers, ByteSetsTakeWholeRegionsAtOnce) {
  // Regions of 2 MiB: three whole ones, the middle of the second and a byte of the third were there before.
  ByteSet set;
  constexpr std::uint64_t kRegion = 2 << 20;
  set.insert(kRegion + 4096, kRegion + 4096 * 3);
  set.insert(2 * kRegion + 7, 2 * kRegion + 8);
  EXPECT_EQ(set.size(), 8193U);
  set.insert(5, 3 * kRegion + 9);  // The first begins 5 bytes late and is no whole one.
  EXPECT_EQ(set.size(), 3 * kRegion + 4);
  set.insert(0, 4 * kRegion);
  EXPECT_EQ(set.size(), 4 * kRegion);
  set.insert(0, 4 * kRegion);
  EXPECT_EQ(set.size(), 4 * kRegion);
}

struct Imported {
  RecordingSink sink;
  ImportSummary summary;
};
Imported import(const std::string& text) {
  Imported out;
  const auto source = open_memory("p.json", text);
  out.summary = import_kineto(*source, {}, out.sink);
  return out;
}
std::string profile(const std::string& op, const std::string& dims, const std::string& types, const std::string& duration = "2.5") {
  return R"({"traceEvents":[{"ph":"X","cat":"cpu_op","name":")" + op + R"(","tid":1,"ts":0,"dur":9,"args":{"External id":1,"Input Dims":)" +
         dims + R"(,"Input type":)" + types + R"(}},{"ph":"X","cat":"kernel","name":"k","ts":5,"dur":)" + duration +
         R"(,"args":{"External id":1,"stream":7}}]})";
}

TEST(HostileNumbers, ShapesOfWhichOnlyTheResultIsAbsurd) {
  const std::string two = R"(["float","float"])";
  for (const auto& [op, dims] :
       {std::pair{"aten::mm", "[[2147483648,1],[1,2147483648]]"},  // 2^62 elements of four bytes: 2^64 bytes.
        std::pair{"aten::linear", "[[1048576,2],[1048576,2]]"}, std::pair{"aten::bmm", "[[2,1000000,1],[2,1,1000000]]"},
        std::pair{"aten::embedding", "[[4,1000000000],[1000000]]"}}) {
    const Imported got = import(profile(op, dims, two));
    EXPECT_EQ(got.summary.unknown.size(), 1U) << op;
    EXPECT_FALSE(got.summary.names.at("k").lowered) << op;
  }
}

TEST(HostileNumbers, InputsThatAreNoMultipleOfTheOutputAreReadOnce) {
  // Seven bytes of output for 3 x 4 and for 5 x 4 bytes of input: more than a byte each, and no whole number of them.
  for (const char* dims : {"[[3],[7]]", "[[5],[7]]", "[[1000003],[7]]"}) {
    const Imported got = import(profile("triton_red_fused_add_0", dims, R"(["float","signed char"])"));
    ASSERT_TRUE(got.summary.unknown.empty()) << got.summary.text();
    EXPECT_THAT(check_kernel(got.sink.kernels.at(0).kernel), IsEmpty()) << dims;
  }
}

TEST(HostileNumbers, DurationsStayFinite) {
  const Imported got = import(profile("mylib::magic", "[]", "[]", "1e308"));
  EXPECT_TRUE(std::isfinite(got.sink.kernels.at(0).extras.measured_ns.value()));
}

TEST(HostileNumbers, OperatorsNestedDeepAreWalkedOnce) {
  // 50,000 operators inside each other and as many kernels of the innermost: walked each time that were 2.5e9 looks into the table.
  constexpr int kMany = 50'000;
  std::string text = "[";
  for (int i = 0; i < kMany; ++i)
    text += R"({"ph":"X","cat":"cpu_op","name":"o","tid":1,"ts":0,"dur":9,"args":{"External id":)" + std::to_string(i) + "}},";
  for (int i = 0; i < kMany; ++i)
    text += R"({"ph":"X","cat":"kernel","name":"k","ts":1,"dur":1,"args":{"External id":)" + std::to_string(kMany - 1) + "}},";
  text.back() = ']';
  EXPECT_EQ(import(text).summary.unknown.at("operator o"), static_cast<std::uint64_t>(kMany));
}

TEST(HostileNumbers, TextOfAnEventIsBounded) {
  std::string text = R"([{"ph":"X","args":{)";
  for (int i = 0; i < 20; ++i) text += (i > 0 ? ",\"" : "\"") + std::to_string(i) + "\":\"" + std::string(1'000'000, 'x') + "\"";
  EXPECT_THAT(error_of([&] { (void)import(text + "}}]"); }), HasSubstr("one event holds more than 16 MiB of text"));
}

}  // namespace
}  // namespace rooftrace
