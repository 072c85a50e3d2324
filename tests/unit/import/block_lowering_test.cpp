// Warps in program order -> steps; and where addresses go.
#include "traces/import/block_lowering.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "sim/core/error.hpp"

namespace rooftrace {
namespace {

using ::testing::ElementsAre;

class Lowering : public ::testing::Test {
 protected:
  void load(std::uint64_t address, std::uint64_t bytes = 512, bool through_l1 = false) {
    ASSERT_TRUE(lowering.access(AccessOp::load, through_l1, {sectors_of(address, bytes)}));
  }
  void store(std::uint64_t address, std::uint64_t bytes = 512) {
    ASSERT_TRUE(lowering.access(AccessOp::store, false, {sectors_of(address, bytes)}));
  }
  /// Per step "loads+stores" in bytes.
  std::vector<std::string> steps() {
    std::vector<std::string> out;
    lowering.lower(l1, [&](const Step& step) {
      std::uint64_t loads = 0, stores = 0;
      for (const Access& access : step.loads) loads += access.bytes();
      for (const Access& access : step.stores) stores += access.bytes();
      out.push_back(std::to_string(loads) + "+" + std::to_string(stores));
      kept.push_back(step);
    });
    return out;
  }

  AddressRebase rebase;
  ImportSummary summary;
  L1Filter l1{64 * 1024};
  BlockLowering lowering{rebase, summary};
  std::vector<Step> kept;
};

TEST_F(Lowering, WarpsTakeTurnsAndALoadAfterAStoreOpensAStep) {
  // Two warps, each load, store, load, store: turns are loads, stores, loads, stores: two steps of 1024 + 1024 bytes.
  for (std::uint64_t warp = 0; warp < 2; ++warp) {
    lowering.begin_warp();
    for (std::uint64_t i = 0; i < 2; ++i) {
      load(0x10000 * i + 512 * warp);
      store(0x80000 + 0x10000 * i + 512 * warp);
    }
  }
  EXPECT_THAT(steps(), ElementsAre("1024+1024", "1024+1024"));
  EXPECT_EQ(kept[0].loads.size(), 1U);  // Neighbours became one access.
}

TEST_F(Lowering, ABarrierEndsAStepForAllWarps) {
  // Warp 0: load, barrier, load. Warp 1: two loads, barrier. Before the barrier 3 loads, after it 1.
  lowering.begin_warp();
  load(0);
  lowering.barrier();
  load(0x1000);
  lowering.begin_warp();
  load(0x2000);
  load(0x3000);
  lowering.barrier();
  EXPECT_THAT(steps(), ElementsAre("1536+0", "512+0"));
}

TEST_F(Lowering, AStepHoldsAtMost32KiBOfLoadsAndOneMore) {
  lowering.begin_warp();
  for (std::uint64_t i = 0; i < 130; ++i) load(0x1000 * i);  // 64 x 512 B = 32 KiB.
  EXPECT_THAT(steps(), ElementsAre("32768+0", "32768+0", "1024+0"));
}

TEST_F(Lowering, LoadsThroughL1AreFilteredInOrderOfTurns) {
  // Both warps load the same 512 bytes: the second finds them.
  for (int warp = 0; warp < 2; ++warp) {
    lowering.begin_warp();
    load(0, 512, true);
  }
  EXPECT_THAT(steps(), ElementsAre("512+0"));
  EXPECT_EQ(summary.l1_load_bytes, 1024U);
  EXPECT_EQ(summary.l1_hit_bytes, 512U);
}

TEST_F(Lowering, WorkBelongsToItsStepAndAnEmptyBlockHasOneStep) {
  lowering.begin_warp();
  load(0);
  lowering.work(Pipe::tensor, 4096);
  lowering.work(Pipe::tensor, 4096);
  lowering.work(Pipe::sfu, 32);
  EXPECT_THAT(steps(), ElementsAre("512+0"));
  EXPECT_EQ(kept[0].work[static_cast<std::size_t>(Pipe::tensor)], 8192);
  EXPECT_EQ(kept[0].work[static_cast<std::size_t>(Pipe::sfu)], 32);
  lowering.clear();
  EXPECT_THAT(steps(), ElementsAre("0+0"));
}

TEST_F(Lowering, ABlockThatDoesNotFitSaysSo) {
  lowering.begin_warp();
  for (std::size_t i = 0; i < kMostBlockEvents; ++i) lowering.barrier();
  EXPECT_FALSE(lowering.overflowed());
  lowering.work(Pipe::sfu, 1);
  EXPECT_TRUE(lowering.overflowed());
  EXPECT_FALSE(lowering.access(AccessOp::load, false, {sectors_of(0, 32)}));
}

TEST(AddressRebase, FramesComeInOrderOfFirstTouch) {
  AddressRebase rebase;
  std::vector<AddressRebase::Place> out;
  rebase.rebase({0x7f5540000020, 2}, out);  // First frame met: the first free one behind page 0 is at 1 GiB.
  rebase.rebase({0x100000000, 1}, out);     // Second: 2 GiB.
  rebase.rebase({0x7f5550000000, 1}, out);  // The first again.
  ASSERT_EQ(out.size(), 3U);
  EXPECT_EQ(out[0].run, (SectorRun{kFrameBytes + 0x20, 2}));
  EXPECT_EQ(out[1].run, (SectorRun{2 * kFrameBytes, 1}));
  EXPECT_EQ(out[2].run, (SectorRun{kFrameBytes + 0x10000000, 1}));
  EXPECT_EQ(rebase.frames(), 2U);
}

TEST(AddressRebase, RunsAreCutWhereFramesAndAllocationsEnd) {
  AddressRebase rebase;
  std::vector<AddressRebase::Place> out;
  rebase.rebase({kFrameBytes - 32, 2}, out);
  ASSERT_EQ(out.size(), 2U);
  EXPECT_EQ(out[0].run.sectors, 1U);
  out.clear();
  rebase.rebase({UINT64_MAX - 63, 2}, out);  // The end of the address space is inside a frame.
  ASSERT_EQ(out.size(), 1U);
  out.clear();
  // 256 bytes at 0x700000100: sectors before and after belong to nobody.
  const std::uint64_t to = rebase.add_allocation(0x700000100, 256, TensorRole::weights);
  rebase.rebase({0x7000000e0, 10}, out);
  ASSERT_EQ(out.size(), 3U);
  EXPECT_EQ(out[0].run.sectors, 1U);
  EXPECT_EQ(out[1].run, (SectorRun{to, 8}));
  EXPECT_EQ(out[1].role, TensorRole::weights);
  EXPECT_EQ(out[2].run.sectors, 1U);
  EXPECT_EQ(out[2].role, TensorRole::activations);
}

TEST(AddressRebase, AllocationsGetPagesOfTheirOwnWhereverTheyLay) {
  for (const std::uint64_t aslr : {0x7f0000000000U, 0x7e1234500000U}) {
    AddressRebase rebase;
    EXPECT_EQ(rebase.add_allocation(aslr, 100, TensorRole::kv), kPageBytes);
    EXPECT_EQ(rebase.add_allocation(aslr + 512, 3 << 20, TensorRole::kv), 2 * kPageBytes);
    EXPECT_EQ(rebase.add_allocation(aslr + (4 << 20), 1, TensorRole::kv), 4 * kPageBytes);
  }
}

TEST(AddressRebase, RefusesWhatCannotBe) {
  AddressRebase rebase;
  (void)rebase.add_allocation(0x1000, 0x1000, TensorRole::kv);
  EXPECT_THROW((void)rebase.add_allocation(0x1fff, 1, TensorRole::kv), std::invalid_argument);
  EXPECT_THROW((void)rebase.add_allocation(0x800, 0x801, TensorRole::kv), std::invalid_argument);
  rebase.remove_allocation(0x1000);
  EXPECT_NO_THROW((void)rebase.add_allocation(0x1fff, 1, TensorRole::kv));
  // 4 TiB hold 4,096 frames, the first of which holds page 0 and the allocations.
  std::vector<AddressRebase::Place> out;
  EXPECT_THROW(
      {
        for (std::uint64_t frame = 1; frame < 5000; ++frame) rebase.rebase({frame * kFrameBytes, 1}, out);
      },
      UserError);
  EXPECT_EQ(rebase.frames(), 4096U);
}

TEST(RoleOfName, TheFirstWordSays) {
  EXPECT_EQ(role_of_name("weights"), TensorRole::weights);
  EXPECT_EQ(role_of_name("kv_cache"), TensorRole::kv);
  EXPECT_EQ(role_of_name("K pool"), TensorRole::kv);
  EXPECT_EQ(role_of_name("block_table"), TensorRole::tables);
  EXPECT_EQ(role_of_name("x"), std::nullopt);
}

}  // namespace
}  // namespace rooftrace
