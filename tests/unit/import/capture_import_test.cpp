// Captures: a small file made here, the committed samples, damage.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <random>
#include <sstream>

#include "sim/core/error.hpp"
#include "tests/support/recording_sink.hpp"
#include "traces/capture/capture_format.hpp"
#include "traces/import/import_capture.hpp"

namespace rooftrace {
namespace {

namespace cap = capture;
using ::testing::HasSubstr;

cap::Record record(cap::Op op, cap::Shape shape, std::uint64_t address, std::uint32_t bytes, std::uint16_t lanes, std::uint32_t block,
                   std::uint16_t warp, std::uint16_t sm = cap::kNoSm) {
  cap::Record r;
  r.op = op;
  r.shape = shape;
  r.address = address;
  r.bytes = bytes;
  r.lanes = lanes;
  r.block = block;
  r.warp = warp;
  r.sm = sm;
  return r;
}

struct Made {
  cap::FileHeader header;
  std::vector<cap::KernelEntry> kernels;
  std::vector<cap::AllocationEntry> allocations;
  std::vector<cap::SlabEntry> slabs;
  std::vector<cap::Record> records;
  std::string text;

  std::pair<std::uint32_t, std::uint32_t> name(const std::string& word) {
    text += word;
    return {static_cast<std::uint32_t>(text.size() - word.size()), static_cast<std::uint32_t>(word.size())};
  }

  [[nodiscard]] std::string bytes() const {
    cap::FileHeader head = header;
    std::string padded = text;
    padded.resize((text.size() + 7) / 8 * 8, '\0');
    head = cap::FileHeader{};
    std::memcpy(head.magic, cap::kMagic, sizeof(cap::kMagic));
    head.header_bytes = sizeof(cap::FileHeader);
    head.record_bytes = sizeof(cap::Record);
    head.kernel_count = static_cast<std::uint32_t>(kernels.size());
    head.allocation_count = static_cast<std::uint32_t>(allocations.size());
    head.slab_count = static_cast<std::uint32_t>(slabs.size());
    head.record_count = records.size();
    head.text_bytes = padded.size();
    head.file_bytes = cap::layout_of(head).end;
    std::string body;
    const auto add = [&](const auto& table) { body.append(reinterpret_cast<const char*>(table.data()), table.size() * sizeof(table[0])); };
    add(kernels);
    add(allocations);
    add(slabs);
    body += padded;
    add(records);
    head.checksum = cap::checksum(cap::checksum(0, &head, sizeof(head)), body.data(), body.size());
    return std::string(reinterpret_cast<const char*>(&head), sizeof(head)) + body;
  }
};

/// One kernel of two blocks of 64 threads; weights of 4 KiB at 0x7f0000000000, an output without a telling name.
Made small() {
  Made made;
  const auto kernel = made.name("probe"), weights = made.name("weights"), out = made.name("out");
  cap::KernelEntry k;
  k.name_text = kernel.first;
  k.name_bytes = kernel.second;
  k.grid[0] = 2;
  k.block[0] = 64;
  k.slab_count = 2;
  made.kernels = {k};
  cap::AllocationEntry a;
  a.name_text = weights.first;
  a.name_bytes = weights.second;
  a.base = 0x7f0000000000;
  a.bytes = 4096;
  made.allocations = {a};
  a.name_text = out.first;
  a.name_bytes = out.second;
  a.base = 0x7f0000001000;
  made.allocations.push_back(a);
  using O = cap::Op;
  using S = cap::Shape;
  made.records = {
      record(O::load, S::range, 0x7f0000000000, 512, 32, 0, 0, 7),
      record(O::work, S::marker, 1000, 0, 0, 0, 0, 7),  // Tensor FLOP.
      record(O::barrier, S::marker, 0, 0, 0, 0, 0, 7),
      record(O::store, S::line, 0x7f0000001080, 64, 0b1001, 0, 0, 7),  // First and last sector of a line.
      record(O::load, S::range, 0x7f0000000000, 512, 32, 0, 1, 7),     // Again: L1.
      record(O::barrier, S::marker, 0, 0, 0, 0, 1, 7),
      record(O::tensor_load, S::box_row, 0x7f0000000000, 64, 3, 1, 0, 9),
      record(O::tensor_load, S::box_row, 0x7f0000000400, 64, 2, 1, 0, 9),
      record(O::tensor_load, S::box_row, 0x7f0000000800, 64, 1, 1, 0, 9),
      record(O::prefetch, S::range, 0x7f0000000000, 256, 1, 1, 0, 9),
  };
  made.slabs = {{0, 0, 0, 6, 0}, {0, 1, 6, 4, 0}};
  return made;
}

struct Imported {
  RecordingSink sink;
  ImportSummary summary;
};
Imported import(const std::string& bytes) {
  Imported out;
  out.summary = import_capture(seekable_memory("c.rtcap", bytes), {}, out.sink);
  return out;
}
std::string error_of(const Made& made) {
  try {
    import(made.bytes());
  } catch (const UserError& error) {
    return error.what();
  }
  return "no error";
}

TEST(CaptureImport, RecordsBecomeSteps) {
  const Imported got = import(small().bytes());
  const RecordedKernel& kernel = got.sink.kernels.at(0);
  EXPECT_EQ(kernel.kernel.label, "probe");
  EXPECT_EQ(kernel.sms.at(0), 7U);
  EXPECT_EQ(kernel.sms.at(1), 9U);
  // Block 0: loads before the barrier (the second warp's hit in L1), the store after it.
  const auto& steps = kernel.blocks.at(0);
  ASSERT_EQ(steps.size(), 2U);
  ASSERT_EQ(steps[0].loads.size(), 1U);
  EXPECT_EQ(steps[0].loads[0].address, kPageBytes);  // The first allocation's page.
  EXPECT_EQ(steps[0].loads[0].role, TensorRole::weights);
  EXPECT_EQ(steps[0].work[0], 1000);
  ASSERT_EQ(steps[1].stores.size(), 1U);
  EXPECT_EQ(steps[1].stores[0].address, 2 * kPageBytes + 0x80);
  EXPECT_EQ(steps[1].stores[0].rows, 2U);
  EXPECT_EQ(steps[1].stores[0].pitch, 96U);
  // Block 1: the box is one access.
  const Access& box = kernel.blocks.at(1)[0].loads.at(0);
  EXPECT_EQ(box.rows, 3U);
  EXPECT_EQ(box.row_bytes, 64U);
  EXPECT_EQ(box.pitch, 1024U);
  EXPECT_EQ(got.summary.left_out.at("prefetches into L2 (the later load brings the bytes)").bytes, 256U);
  EXPECT_EQ(got.summary.l1_hit_bytes, 512U);
  ASSERT_EQ(got.sink.tensors.size(), 2U);
  EXPECT_EQ(got.sink.tensors[0].name, "weights");
  EXPECT_EQ(got.sink.tensors[1].base, 2 * kPageBytes);
}

TEST(CaptureImport, WhereTheProcessLayDoesNotMatter) {
  Made moved = small();
  for (auto& a : moved.allocations) a.base += 0x12340000;
  for (auto& r : moved.records) r.address += r.shape == cap::Shape::marker ? 0 : 0x12340000;
  const Imported a = import(small().bytes()), b = import(moved.bytes());
  EXPECT_EQ(a.sink.tensors, b.sink.tensors);
  EXPECT_EQ(a.sink.kernels[0].blocks.at(1)[0].loads.at(0).address, b.sink.kernels[0].blocks.at(1)[0].loads.at(0).address);
}

TEST(CaptureImport, WhatIsMissingIsSaid) {
  Made made = small();
  made.kernels[0].incomplete = cap::incomplete::kOverflow | cap::incomplete::kUnseenTensor;
  made.kernels[0].dropped = 12;
  const Imported got = import(made.bytes());
  ASSERT_EQ(got.summary.remarks.size(), 2U);
  EXPECT_THAT(got.summary.remarks[1], HasSubstr("tensor copies (TMA) that the capture could not see"));
  EXPECT_EQ(got.summary.left_out.at("records that the capture dropped").count, 12U);
}

TEST(CaptureImport, TheMostAllocationsAliveAtOnceAreANote) {
  const auto note = [](const Made& made) {
    const Imported got = import(made.bytes());
    return got.sink.notes.empty() ? std::make_pair(std::string(), std::string()) : got.sink.notes.back();
  };
  Made made = small();
  EXPECT_EQ(note(made), std::make_pair(std::string("memory.0"), std::string("allocations=8192")));
  // A second kernel; the first allocation is gone by then, a third of 1,000 bytes is new: 4096 + 4096, then 4096 + 1000.
  made.kernels.push_back(made.kernels[0]);
  made.kernels[1].first_slab = 2;
  made.kernels[1].slab_count = 0;
  made.allocations[0].end_kernel = 1;
  made.allocations.push_back(made.allocations[1]);
  made.allocations[2].base = 0x7f0000100000;
  made.allocations[2].bytes = 1000;
  made.allocations[2].first_kernel = 1;
  EXPECT_EQ(note(made).second, "allocations=8192");
  made.allocations[2].bytes = 5000;
  EXPECT_EQ(note(made).second, "allocations=9096");
}

TEST(CaptureImport, SamplesOfTheCaptureTool) {
  // Every byte recorded is asked of L2, hits in L1, or is left out by name.
  for (const char* name : {"gemm_tma", "paged_decode", "rms_norm", "swiglu_unfused"}) {
    RecordingSink sink;
    const ImportSummary s =
        import_capture(open_seekable(std::string(ROOFTRACE_SOURCE_DIR "/traces/capture/samples/") + name + ".rtcap"), {}, sink);
    std::uint64_t left_out = 0;
    for (const auto& [reason, much] : s.left_out) left_out += much.bytes;
    const std::uint64_t recorded = s.spaces[static_cast<std::size_t>(MemorySpace::global)].bytes;
    const std::uint64_t lowered = s.load_bytes + s.store_bytes + s.reduce_bytes + s.l1_hit_bytes + left_out;
    // Ranges are rounded out to sectors; nothing is less than recorded.
    EXPECT_GE(lowered, recorded) << name;
    EXPECT_LE(lowered, recorded * 5 / 4) << name;
  }
}

TEST(CaptureImport, BadTablesAreRefused) {
  Made made = small();
  made.records[0].warp = 9;
  EXPECT_THAT(error_of(made), HasSubstr("warps of a block must ascend, and lie in the block"));
  made = small();
  made.records[3].lanes = 0x10;
  EXPECT_THAT(error_of(made), HasSubstr("a line without sectors"));
  made = small();
  made.records[0].bytes = 0xffffffff;
  EXPECT_THAT(error_of(made), HasSubstr("an access of 4294967295 bytes"));
  made = small();
  made.kernels[0].grid[1] = 0xffffffff;
  EXPECT_THAT(error_of(made), HasSubstr("kernel 0: a grid of 0 or more than"));
  made = small();
  made.slabs[1].block = 0;
  EXPECT_THAT(error_of(made), HasSubstr("slab 1: blocks must ascend"));
  made = small();
  made.allocations[1].base -= 1;
  EXPECT_THAT(error_of(made), HasSubstr("allocation 1: two allocations overlap"));
  made = small();
  made.kernels[0].name_text = 1 << 20;
  EXPECT_THAT(error_of(made), HasSubstr("a name lies outside of the text section"));
}

TEST(CaptureImport, DamageIsSeen) {
  const std::string whole = small().bytes();
  std::mt19937 random(1);
  for (std::size_t size = 0; size < whole.size(); size += 7) EXPECT_THROW(import(whole.substr(0, size)), UserError) << size;
  for (int i = 0; i < 500; ++i) {
    std::string bytes = whole;
    bytes[random() % bytes.size()] ^= static_cast<char>(1U << (random() % 8));
    EXPECT_THROW(import(bytes), UserError) << i;
  }
}

}  // namespace
}  // namespace rooftrace
