// The checker itself: what it counts, and that every broken law is found.
#include "traces/trace_check.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

namespace rooftrace {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// A kernel written out by hand: the steps of each block.
class Script final : public BlockProgram {
 public:
  explicit Script(std::vector<std::vector<Step>> blocks) : blocks_(std::move(blocks)) {}
  [[nodiscard]] std::uint32_t steps(std::uint32_t block) const override { return static_cast<std::uint32_t>(blocks_[block].size()); }
  void fill(std::uint32_t block, std::uint32_t step, Step& out) const override { out = blocks_[block][step]; }

 private:
  std::vector<std::vector<Step>> blocks_;
};

Access access(AccessOp op, std::uint64_t address, std::uint32_t rows, std::uint32_t row_bytes, std::uint64_t pitch) {
  Access out;
  out.op = op;
  out.address = address;
  out.rows = rows;
  out.row_bytes = row_bytes;
  out.pitch = pitch;
  return out;
}

Kernel kernel_of(std::vector<std::vector<Step>> blocks) {
  Kernel kernel;
  kernel.grid = static_cast<std::uint32_t>(blocks.size());
  kernel.program = std::make_shared<Script>(std::move(blocks));
  return kernel;
}

/// Block 0 loads [0, 100) and rows [4090, 4100), [8186, 8196); block 1 loads [50, 150) and stores [64, 128); 10 FLOP each.
Kernel sound() {
  Step first, second;
  first.loads = {access(AccessOp::load, 0, 1, 100, 0), access(AccessOp::load, 4090, 2, 10, 4096)};
  second.loads = {access(AccessOp::load, 50, 1, 100, 0)};
  second.stores = {access(AccessOp::store, 64, 1, 64, 0)};
  first.work[static_cast<int>(Pipe::cuda)] = second.work[static_cast<int>(Pipe::cuda)] = 10;
  Kernel kernel = kernel_of({{first}, {second}});
  kernel.work[static_cast<int>(Pipe::cuda)] = 20;
  kernel.footprint = {{TensorRole::activations, Home::local, 170, 64, false}};  // [0, 150) and two runs of 10, over page borders.
  return kernel;
}

TEST(TraceCheck, CountsBytesDistinctBytesAndSectors) {
  const TraceTotals totals = measure(sound());
  const TouchTotals& touched = totals.at(TensorRole::activations);
  EXPECT_EQ(touched.loaded, 220U);
  EXPECT_EQ(touched.distinct_read, 170U);
  EXPECT_EQ(touched.stored, 64U);
  EXPECT_EQ(touched.distinct_written, 64U);
  // [0, 100): 4 sectors; [4090, 4100) lies in two, [8186, 8196) in two; [50, 150): sectors 1 to 4.
  EXPECT_EQ(totals.sectors_loaded, 4 + 2 + 2 + 4U);
  EXPECT_EQ(totals.address_end, 8196U);
  EXPECT_EQ(totals.steps, 2U);
  EXPECT_EQ(totals.accesses, 4U);
  EXPECT_EQ(totals.largest_step, 120U);
  EXPECT_EQ(totals.work[static_cast<int>(Pipe::cuda)], 20);
  EXPECT_THAT(check_kernel(sound()), IsEmpty());
}

TEST(TraceCheck, KeepsRolesAndHomesApart) {
  Step step;
  step.loads = {access(AccessOp::load, 0, 1, 64, 0), access(AccessOp::load, 0, 1, 64, 0), access(AccessOp::load, 0, 1, 64, 0)};
  step.loads[1].role = TensorRole::weights;
  step.loads[2].home = Home::host;
  step.loads[2].multicast = 4;
  step.stores = {access(AccessOp::reduce, 0, 1, 32, 0)};
  const TraceTotals totals = measure(kernel_of({{step}}));
  EXPECT_EQ(totals.at(TensorRole::activations).distinct_read, 64U);
  EXPECT_EQ(totals.at(TensorRole::weights).distinct_read, 64U);
  EXPECT_EQ(totals.at(TensorRole::activations, Home::host).distinct_read, 64U);
  EXPECT_EQ(totals.at(TensorRole::activations).stored, 32U);
  EXPECT_EQ(totals.loaded(), 192U);
  EXPECT_EQ(totals.delivered, 64 + 64 + 4 * 64U);
}

TEST(TraceCheck, FindsEveryBrokenLaw) {
  const auto broken = [](const std::function<void(Access&)>& harm, bool as_store = false) {
    Access one = access(as_store ? AccessOp::store : AccessOp::load, 0, 2, 32, 64);
    harm(one);
    Step step;
    (as_store ? step.stores : step.loads) = {one};
    return check_kernel(kernel_of({{step}}));
  };
  EXPECT_THAT(broken([](Access& a) { a.rows = 0; }), Contains(HasSubstr("no bytes")));
  EXPECT_THAT(broken([](Access& a) { a.row_bytes = 0; }), Contains(HasSubstr("no bytes")));
  EXPECT_THAT(broken([](Access& a) { a.address = 1ULL << 42; }), Contains(HasSubstr("2^42")));
  EXPECT_THAT(broken([](Access& a) { a.address = (1ULL << 42) - 95; }), Contains(HasSubstr("2^42")));  // The second row ends one above.
  EXPECT_THAT(broken([](Access& a) { a.pitch = 31; }), Contains(HasSubstr("overlap")));
  EXPECT_THAT(broken([](Access& a) { a.multicast = 0; }), Contains(HasSubstr("multicast is zero")));
  EXPECT_THAT(broken([](Access& a) { a.op = AccessOp::store; }), Contains(HasSubstr("a store among the loads")));
  EXPECT_THAT(broken([](Access& a) { a.op = AccessOp::load; }, true), Contains(HasSubstr("a load among the stores")));
  EXPECT_THAT(broken([](Access& a) { a.multicast = 2; }, true), Contains(HasSubstr("multicast store")));
  // Sound accesses of the same shape up to the last address break nothing but the missing footprint.
  EXPECT_THAT(broken([](Access& a) { a.address = (1ULL << 42) - 96; }), ElementsAre(HasSubstr("footprint")));
}

TEST(TraceCheck, ComparesTheClosedForms) {
  Kernel kernel = sound();
  kernel.work[static_cast<int>(Pipe::cuda)] = 21;
  EXPECT_THAT(check_kernel(kernel), ElementsAre(HasSubstr("the kernel says 21, its steps do 20")));
  kernel = sound();
  kernel.footprint[0].read = 171;
  EXPECT_THAT(check_kernel(kernel), ElementsAre(HasSubstr("171 read 64 written, its steps touch 170 and 64")));
  kernel = sound();
  kernel.footprint.push_back({TensorRole::kv, Home::peer, 0, 1, false});
  EXPECT_THAT(check_kernel(kernel), ElementsAre(HasSubstr("1 written")));
}

TEST(TraceCheck, NamesKernelsThatCannotBeWalked) {
  Kernel kernel = sound();
  kernel.program = nullptr;
  kernel.depth = 0;
  EXPECT_THAT(check_kernel(kernel), ElementsAre("no block program", "a pipeline of no stages"));
  EXPECT_THAT(check_kernel(kernel_of({{}})), ElementsAre("block 0 has no steps"));
}

TEST(TraceCheck, ChecksTheGraph) {
  Trace trace;
  trace.kernels = {sound(), sound()};
  trace.kernels[1].label = "second";
  trace.kernels[1].waits_for = {0, 1};
  trace.address_end = 8196;
  EXPECT_THAT(check_trace(trace), ElementsAre("kernel 1 (second): waits for kernel 1, which is not earlier"));
  trace.kernels[1].waits_for = {0};
  EXPECT_THAT(check_trace(trace), IsEmpty());
  trace.address_end = 8195;
  EXPECT_EQ(check_trace(trace).size(), 2U);
}

}  // namespace
}  // namespace rooftrace
