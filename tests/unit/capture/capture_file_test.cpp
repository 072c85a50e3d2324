// .rtcap: there and back, and every kind of damage refused.
#include "traces/capture/capture_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>

namespace rooftrace::capture {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

Record record(std::uint64_t address, std::uint32_t bytes, std::uint32_t block) {
  Record made;
  made.address = address;
  made.bytes = bytes;
  made.block = block;
  return made;
}

Capture small() {
  Capture capture;
  capture.device = "a GPU";
  capture.note = "producer: test\n";
  capture.allocations = {{"x", 0x10000, 4096, 0, kNoKernel}, {"y", 0x8000, 4096, 0, kNoKernel}};
  CapturedKernel& kernel = capture.kernels.emplace_back();
  kernel.name = "first";
  kernel.slabs = {{0, 0, {record(0x10000, 512, 0), record(0x8000, 32, 0)}}, {1, 5, {}}};
  kernel.entry.incomplete = incomplete::kOverflow;
  capture.kernels.emplace_back().name = "second";
  return capture;
}

/// Bytes with one change in the header or behind it, and a right checksum.
template <typename Change>
std::string changed(const Change& change) {
  std::string bytes = to_bytes(small());
  FileHeader header;
  std::memcpy(&header, bytes.data(), sizeof header);
  change(header, bytes);
  header.checksum = 0;
  std::memcpy(bytes.data(), &header, sizeof header);
  header.checksum = checksum(0, bytes.data(), bytes.size());
  std::memcpy(bytes.data(), &header, sizeof header);
  return bytes;
}

TEST(CaptureFile, ThereAndBack) {
  const Capture back = parse_capture(to_bytes(small()));
  ASSERT_EQ(back.kernels.size(), 2U);
  EXPECT_EQ(back.kernels[0].name, "first");
  EXPECT_EQ(back.kernels[0].entry.dropped, 5U);
  EXPECT_EQ(back.kernels[0].slabs.at(0).records.at(1).address, 0x8000U);
  EXPECT_EQ(back.kernels[0].slabs.at(1).dropped, 5U);
  EXPECT_EQ(back.allocations.at(0).name, "y");  // Sorted by base.
  EXPECT_EQ(back.device, "a GPU");
  EXPECT_EQ(back.note, "producer: test\n");
  EXPECT_TRUE(to_bytes(back) == to_bytes(small()));
}

TEST(CaptureFile, EveryBitThatFlipsIsNoticed) {
  const std::string good = to_bytes(small());
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ (1 << (i % 8)));
    EXPECT_THROW((void)parse_capture(bad), CaptureError) << "byte " << i;
  }
}

TEST(CaptureFile, EveryCutIsNoticed) {
  const std::string good = to_bytes(small());
  for (std::size_t length = 0; length < good.size(); ++length) EXPECT_THROW((void)parse_capture(good.substr(0, length)), CaptureError);
  EXPECT_THROW((void)parse_capture(good + std::string(8, '\0')), CaptureError);
}

// The checksum is right in these: only the content is wrong.
TEST(CaptureFile, LiesAreNoticed) {
  const auto lie = [](const auto& change, const char* text) {
    EXPECT_THAT([&] { (void)parse_capture(changed(change)); }, ThrowsMessage<CaptureError>(HasSubstr(text)));
  };
  lie([](FileHeader& header, std::string&) { header.version = 2; }, "capture version 2");
  lie([](FileHeader& header, std::string&) { header.byte_order = 0x04030201; }, "other byte order");
  lie([](FileHeader& header, std::string&) { header.record_count = 1ULL << 60; }, "do not add up");
  lie([](FileHeader& header, std::string&) { header.text_bytes = ~7ULL; }, "do not add up");
  lie([](FileHeader& header, std::string&) { header.kernel_count = 0xFFFFFFFF; }, "do not add up");
  lie([](FileHeader& header, std::string&) { header.note_bytes = 0xFFFFFFFF; }, "outside of the text");
  lie([](FileHeader& header, std::string& bytes) { bytes[layout_of(header).slabs + 8] = 1; }, "not where they should be");
  lie([](FileHeader& header, std::string& bytes) { bytes[layout_of(header).records + 22] = 99; }, "means nothing");
  lie([](FileHeader& header, std::string& bytes) { bytes[layout_of(header).records + 23] = 1; }, "a line that is none");
}

TEST(CaptureFile, RebasingFollowsTheAllocations) {
  Capture capture = small();
  rebase(capture);
  EXPECT_EQ(capture.allocations[0].base, 1ULL << 40);
  EXPECT_EQ(capture.allocations[1].base, (1ULL << 40) + (4ULL << 20));  // 4 KiB: one page of 2 MiB, one left free.
  EXPECT_EQ(capture.kernels[0].slabs[0].records[0].address, capture.allocations[0].base);
  EXPECT_EQ(capture.kernels[0].slabs[0].records[1].address, capture.allocations[1].base);
  Capture outside = small();
  outside.kernels[0].slabs[0].records[0].address = 0x10000 + 4000;  // 4000 + 512 > 4096.
  EXPECT_THAT([&] { rebase(outside); }, ThrowsMessage<CaptureError>(HasSubstr("kernel first, block 0")));
}

TEST(CaptureFile, DifferencesOfContentNotOfPlace) {
  Capture moved = small();  // As a GPU would write it: other bases in another order, clocks and SMs.
  std::swap(moved.allocations[0], moved.allocations[1]);
  moved.allocations[1].base = 0x900000;
  moved.allocations[0].base = 0xA00000;
  moved.kernels[0].slabs[0].records = {record(0x900000, 512, 0), record(0xA00000, 32, 0)};
  for (Record& each : moved.kernels[0].slabs[0].records) each.clock = each.sm = 7;
  EXPECT_EQ(difference(small(), moved), "");
  moved.kernels[0].slabs[0].records[1].address += 32;
  EXPECT_EQ(difference(small(), moved), "kernel first, block 0, warp 0: record 0 differs");
  moved.kernels[0].slabs[0].records.pop_back();
  EXPECT_EQ(difference(small(), moved), "kernel first, block 0: 2 and 1 records");
  moved.allocations[0].bytes *= 2;
  EXPECT_EQ(difference(small(), moved), "the allocations have other names or sizes");
}

TEST(CaptureFile, AFileAppearsWholeOrNotAtAll) {
  const std::filesystem::path folder = std::filesystem::path(::testing::TempDir()) / "rtcap_test";
  std::filesystem::create_directories(folder);
  const std::string path = (folder / "a.rtcap").string();
  write_capture(path, small());
  EXPECT_TRUE(to_bytes(read_capture(path)) == to_bytes(small()));
  EXPECT_THROW(write_capture((folder / "none" / "a.rtcap").string(), small()), CaptureError);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 1);
  std::filesystem::remove(path);
  std::filesystem::remove(folder);
}

}  // namespace
}  // namespace rooftrace::capture
