// One access of a warp as WarpTrace writes it down.
#include "traces/capture/trace.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "traces/capture/capture_file.hpp"

namespace rooftrace::capture {
namespace {

/// Runs `body` with a trace for one block of `threads`, capacity 4 per warp.
template <typename Body>
CapturedKernel traced(unsigned threads, const Body& body, unsigned blocks = 1, std::uint32_t sample = 1) {
  CapturedKernel kernel;
  kernel.name = "test";
  kernel.entry.block[0] = threads;
  kernel.entry.block_sample = sample;
  const unsigned warps = (threads + 31) / 32;
  const unsigned kept = (blocks + sample - 1) / sample;
  std::vector<Record> records(std::size_t{4} * warps * kept);
  std::vector<std::uint32_t> counts(std::size_t{warps} * kept, kUnfinished);
  const TraceSlabs slabs{records.data(), counts.data(), 4, warps, sample};
  shim::run_grid({{blocks, 1, 1}, {threads, 1, 1}, 0}, [&] {
    WarpTrace trace(slabs);
    body(trace);
  });
  add_slabs(kernel, records.data(), counts, 4);
  return kernel;
}

const void* at(std::uint64_t address) {
  return reinterpret_cast<const void*>(address);  // NOLINT(performance-no-int-to-ptr): nobody reads there.
}

TEST(WarpTrace, NeighbouringLanesAreOneRange) {
  const CapturedKernel kernel = traced(64, [](WarpTrace& trace) {
    trace.load(at(0x1000 + thread_index() * 16), 16);
    trace.finish();
  });
  ASSERT_EQ(kernel.slabs.at(0).records.size(), 2U);
  const Record& second = kernel.slabs[0].records[1];
  EXPECT_EQ(second.address, 0x1200U);  // Warp 1 starts 32 x 16 B further.
  EXPECT_EQ(second.bytes, 512U);
  EXPECT_EQ(second.warp, 1);
  EXPECT_EQ(second.lanes, 32);
  EXPECT_EQ(second.op, Op::load);
  EXPECT_EQ(second.shape, Shape::range);
}

TEST(WarpTrace, InactiveLanesLeaveNoHoleInARange) {
  const CapturedKernel kernel = traced(32, [](WarpTrace& trace) {
    // Lanes 4, 8, 12 ... hold neighbouring words: eight active lanes (0 is not), 7 x 4 B.
    trace.store(at(0x1000 + thread_index()), 4, thread_index() % 4 == 0 && thread_index() > 0);
    trace.store(at(0x5000), 4, false);  // Nobody: no record.
    trace.finish();
  });
  ASSERT_EQ(kernel.slabs.at(0).records.size(), 1U);
  EXPECT_EQ(kernel.slabs[0].records[0].address, 0x1004U);
  EXPECT_EQ(kernel.slabs[0].records[0].bytes, 28U);
  EXPECT_EQ(kernel.slabs[0].records[0].lanes, 7);
}

TEST(WarpTrace, ScatteredLanesAreLinesWithSectors) {
  const CapturedKernel kernel = traced(32, [](WarpTrace& trace) {
    // Lanes 0-15 at stride 8 B in the line 0x1000 (128 B: 4 sectors), lanes 16-31 all at 0x2044: sector 2 of line 0x2000.
    trace.load(at(thread_index() < 16 ? 0x1000 + thread_index() * 8 : 0x2044), 4);
    trace.finish();
  });
  ASSERT_EQ(kernel.slabs.at(0).records.size(), 2U);
  EXPECT_EQ(kernel.slabs[0].records[0].address, 0x1000U);
  EXPECT_EQ(kernel.slabs[0].records[0].lanes, 0xF);
  EXPECT_EQ(kernel.slabs[0].records[0].bytes, 128U);
  EXPECT_EQ(kernel.slabs[0].records[1].address, 0x2000U);
  EXPECT_EQ(kernel.slabs[0].records[1].lanes, 0x4);
  EXPECT_EQ(kernel.slabs[0].records[1].bytes, 32U);
  EXPECT_EQ(kernel.slabs[0].records[1].shape, Shape::line);
}

TEST(WarpTrace, ABoxIsItsRows) {
  const CapturedKernel kernel = traced(32, [](WarpTrace& trace) {
    trace.box(Op::tensor_load, at(0x1000), 3, 128, 4096);
    trace.finish();
  });
  ASSERT_EQ(kernel.slabs.at(0).records.size(), 3U);
  EXPECT_EQ(kernel.slabs[0].records[2].address, 0x3000U);
  EXPECT_EQ(kernel.slabs[0].records[2].shape, Shape::box_row);
  EXPECT_EQ(kernel.slabs[0].records[0].lanes, 3);
  EXPECT_EQ(kernel.slabs[0].records[2].lanes, 1);
}

TEST(WarpTrace, OverflowIsCountedAndMarked) {
  const CapturedKernel kernel = traced(32, [](WarpTrace& trace) {
    for (int i = 0; i < 7; ++i) trace.barrier();
    trace.finish();
  });
  EXPECT_EQ(kernel.slabs.at(0).records.size(), 4U);
  EXPECT_EQ(kernel.slabs[0].dropped, 3U);
  EXPECT_EQ(kernel.entry.incomplete, incomplete::kOverflow);
}

TEST(WarpTrace, EveryNthBlockIsCaptured) {
  const CapturedKernel kernel = traced(
      32,
      [](WarpTrace& trace) {
        trace.work(Pipe::tensor, linear_block());
        trace.finish();
      },
      8, 3);
  ASSERT_EQ(kernel.slabs.size(), 3U);  // Blocks 0, 3, 6.
  EXPECT_EQ(kernel.slabs[2].block, 6U);
  EXPECT_EQ(kernel.slabs[2].records.at(0).address, 6U);
  EXPECT_EQ(kernel.entry.incomplete, incomplete::kSampled);
}

TEST(WarpTrace, AKernelThatForgetsToFinishIsRefused) {
  EXPECT_THROW(traced(32, [](WarpTrace& trace) { trace.barrier(); }), CaptureError);
}

}  // namespace
}  // namespace rooftrace::capture
