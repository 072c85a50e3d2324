// The host's side of the injected capture, without a GPU: options, machine code, packing, and when a launch is called complete.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "traces/capture/inject/options.hpp"
#include "traces/capture/inject/session.hpp"
#include "traces/capture/trace.hpp"

namespace rooftrace::capture {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

InjectOptions options_of(const std::map<std::string, std::string>& variables) {
  return inject_options(
      [&](const std::string& name) {
        const auto found = variables.find(name);
        return found == variables.end() ? std::nullopt : std::optional<std::string>(found->second);
      },
      4711);
}

TEST(InjectOptions, DefaultsAndValues) {
  EXPECT_EQ(options_of({}).out, "rooftrace-4711.rtcap");
  EXPECT_EQ(options_of({}).kernels, 16U);
  const InjectOptions options = options_of({{"ROOFTRACE_INJECT_OUT", "/x/%p.rtcap"}, {"ROOFTRACE_INJECT_SAMPLE", "8"}});
  EXPECT_EQ(options.out, "/x/4711.rtcap");
  EXPECT_EQ(options.block_sample, 8U);
  for (const char* const bad : {"", "0", "-1", "8x", "99999999999999999999"}) {
    EXPECT_THAT(
        [&] {
          (void)options_of({{"ROOFTRACE_INJECT_SAMPLE", bad}});
        },
        ThrowsMessage<CaptureError>(HasSubstr("ROOFTRACE_INJECT_SAMPLE")));
  }
}

TEST(LaunchFilter, SkipsAndStops) {
  LaunchFilter filter(options_of({{"ROOFTRACE_INJECT_NAME", "gemm"}, {"ROOFTRACE_INJECT_SKIP", "1"}, {"ROOFTRACE_INJECT_KERNELS", "2"}}));
  std::string taken;
  for (const char* const name : {"gemm0", "norm", "gemm1", "a_gemm2", "gemm3"}) taken += filter.take(name) ? 'y' : 'n';
  EXPECT_EQ(taken, "nnyyn");  // gemm0 is skipped, norm does not match, gemm3 is the third.
}

/// A cubin with one kernel `k` and, if asked, one function `f`, of the given operations.
std::string cubin(const std::vector<unsigned>& kernel, const std::vector<unsigned>& function = {}, std::uint32_t flags = 0x6005a04) {
  const std::string names = std::string("\0.text.k\0.nv.constant0.k\0.text.f\0.shstrtab\0", 43);
  const auto code = [](const std::vector<unsigned>& operations) {
    std::string text;
    for (const unsigned operation : operations) {
      const std::uint64_t words[2] = {operation | 0x1234000000000000ULL, 0x42};
      text.append(reinterpret_cast<const char*>(words), 16);
    }
    return text;
  };
  const std::vector<std::pair<std::uint32_t, std::string>> sections = {
      {0, ""}, {1, code(kernel)}, {9, "params"}, {25, code(function)}, {33, names}};
  std::string file(64, '\0');
  std::memcpy(file.data(),
              "\x7f"
              "ELF\x02\x01\x01",
              7);
  std::string table;
  for (const auto& [name, content] : sections) {
    std::string header(64, '\0');
    const std::uint64_t offset = file.size();
    const std::uint64_t size = content.size();
    std::memcpy(header.data(), &name, 4);
    std::memcpy(header.data() + 24, &offset, 8);
    std::memcpy(header.data() + 32, &size, 8);
    table += header;
    file += content;
  }
  const std::uint64_t at = file.size();
  const std::uint16_t numbers[3] = {64, static_cast<std::uint16_t>(sections.size()), 4};
  std::memcpy(file.data() + 40, &at, 8);
  std::memcpy(file.data() + 48, &flags, 4);
  std::memcpy(file.data() + 58, numbers, 6);
  return file + table;
}

TEST(CodeScan, CountsByClass) {
  // 0x981 LDG, 0x986 STG, 0xfae LDGSTS, 0x210 neither; the form bits above the low nine vary.
  const CodeScan scan = scan_code(cubin({0x981, 0x381, 0x986, 0xFAE, 0x210}));
  ASSERT_TRUE(scan.readable);
  EXPECT_EQ(scan.architecture, 90U);
  const CodeCounts& counts = scan.kernels.at("k");
  EXPECT_EQ(counts.instructions, 5U);
  EXPECT_EQ(counts.global, 3U);
  EXPECT_EQ(counts.async_copies, 1U);
  EXPECT_EQ(unseen_by_sanitizer(scan, "k"), 0U);
}

TEST(CodeScan, WhatCannotBeSeenIsSaid) {
  for (const unsigned tensor : {0x5B4U, 0x3B5U, 0x3B6U, 0x5B8U}) {
    EXPECT_EQ(unseen_by_sanitizer(scan_code(cubin({0x981, tensor})), "k"), incomplete::kUnseenTensor);
  }
  EXPECT_EQ(unseen_by_sanitizer(scan_code(cubin({0x3BA})), "k"), incomplete::kUnseenOther);
  EXPECT_EQ(unseen_by_sanitizer(scan_code(cubin({0x981}, {0x5B4})), "k"), incomplete::kUnseenTensor);  // In a function it may call.
  EXPECT_EQ(unseen_by_sanitizer(scan_code(cubin({0x981})), "other"), incomplete::kUnknownCode);
  EXPECT_EQ(unseen_by_sanitizer(scan_code(cubin({0x981}, {}, 0x600c804)), "k"), incomplete::kUnknownCode);  // sm_200: who knows.
  EXPECT_EQ(unseen_by_sanitizer(scan_code("not a cubin"), "k"), incomplete::kUnknownCode);
}

TEST(CodeScan, SurvivesAnyBytes) {
  const std::string good = cubin({0x981, 0x5B4}, {0x981});
  std::mt19937 random(3);
  for (int i = 0; i < 2000; ++i) {
    std::string bad = good.substr(0, i % 2 == 0 ? good.size() : random() % good.size());
    for (int j = 0; j < 4 && !bad.empty(); ++j) bad[random() % bad.size()] = static_cast<char>(random());
    (void)scan_code(bad);  // The address sanitizer is the judge.
  }
}

LaneAccess lane(std::uint64_t address, std::uint32_t group, std::uint32_t lanes, std::uint32_t block = 0, std::uint16_t warp = 0) {
  LaneAccess access;
  access.address = address;
  access.group = group;
  access.lanes = lanes;
  access.block = block;
  access.warp = warp;
  access.bytes = 4;
  access.filled = 1;
  return access;
}

// Both ways to records, the device's (trace.hpp) and this one, agree on random accesses of a warp.
TEST(PackGroup, AgreesWithTheTracingKernels) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 200; ++round) {
    const unsigned bytes = 1U << (random() % 5);
    const std::uint64_t spread = 1ULL << (4 + random() % 12);
    std::vector<std::uint64_t> addresses(32);
    std::vector<bool> active(32);
    for (unsigned i = 0; i < 32; ++i) {
      addresses[i] = 0x10000 + (round % 3 == 0 ? i * bytes : random() % spread / bytes * bytes);
      active[i] = round % 3 == 0 || random() % 4 != 0;
    }
    std::vector<Record> of_kernel(64);
    std::vector<std::uint32_t> counts(1, kUnfinished);
    const TraceSlabs slabs{of_kernel.data(), counts.data(), 64, 1, 1};
    shim::run_grid({{1, 1, 1}, {32, 1, 1}, 0}, [&] {
      WarpTrace trace(slabs);
      const auto* const at = reinterpret_cast<const void*>(addresses[thread_index()]);  // NOLINT(performance-no-int-to-ptr): never read.
      trace.load(at, bytes, active[thread_index()]);
      trace.finish();
    });
    std::vector<LaneAccess> lanes;
    for (unsigned i = 0; i < 32; ++i) {
      if (!active[i]) continue;
      lanes.push_back(lane(addresses[i], 0, 0));
      lanes.back().bytes = static_cast<std::uint8_t>(bytes);
    }
    std::vector<Record> packed;
    pack_group(lanes.data(), lanes.size(), packed);
    ASSERT_EQ(packed.size(), counts[0]);
    for (std::size_t i = 0; i < packed.size(); ++i) {
      EXPECT_EQ(packed[i].address, of_kernel[i].address);
      EXPECT_EQ(packed[i].bytes, of_kernel[i].bytes);
      EXPECT_EQ(packed[i].lanes, of_kernel[i].lanes);
      EXPECT_EQ(packed[i].shape, of_kernel[i].shape);
    }
  }
}

struct InjectSession : ::testing::Test {
  InjectSession() {
    session_.module_loaded(1, scan_code(cubin({0x981})));
    session_.module_loaded(2, scan_code(cubin({0x5B4})));
    launch_.name = "k";
    launch_.grid[0] = 4;
    launch_.block[0] = 32;
    trace_.capacity = 100;
    trace_.exited = 4 * 32;
    trace_.next = 2;
    lanes_ = {lane(0x1000, 0, 2), lane(0x1004, 0, 2)};
  }
  std::uint32_t mask(std::uint64_t module = 1, bool unpatched = false) {
    session_.add_launch(launch_, module, trace_, lanes_, unpatched);
    return session_.capture().kernels.back().entry.incomplete;
  }
  Session session_{"test", 0};
  LaunchInfo launch_;
  DeviceTrace trace_;
  std::vector<LaneAccess> lanes_;
};

TEST_F(InjectSession, CompleteOnlyWhenNothingIsMissing) {
  EXPECT_EQ(mask(), 0U);
  EXPECT_EQ(mask(2), incomplete::kUnseenTensor);
  EXPECT_EQ(mask(3), incomplete::kUnknownCode);
  EXPECT_EQ(mask(1, true), incomplete::kUnseenOther);
  trace_.exited = 4 * 32 - 1;  // A thread was still running.
  EXPECT_EQ(mask(), incomplete::kUnseenOther);
  trace_.exited = 4 * 32;
  trace_.next = 130;  // 30 more than there was room for.
  EXPECT_EQ(mask(), incomplete::kOverflow);
  EXPECT_EQ(session_.capture().kernels.back().slabs.at(0).dropped, 30U);
  trace_.next = 2;
  trace_.block_sample = 2;
  EXPECT_EQ(mask(), incomplete::kSampled);
  EXPECT_EQ(session_.capture().kernels.back().slabs.size(), 2U);  // Blocks 0 and 2 of 4.
  EXPECT_THAT(session_.summary(), HasSubstr("tensor copies"));
}

TEST_F(InjectSession, GroupsThatWereCutAreCountedNotGuessed) {
  lanes_ = {lane(0x1000, 0, 2), lane(0x1004, 0, 2), lane(0x2000, 2, 2)};  // The second group's other lane is past the end.
  EXPECT_EQ(mask(), incomplete::kOverflow);
  const Slab& slab = session_.capture().kernels.back().slabs.at(0);
  EXPECT_EQ(slab.records.size(), 1U);
  EXPECT_EQ(slab.dropped, 1U);
}

TEST_F(InjectSession, RecordsStandWarpByWarpInOrder) {
  // Two warps of block 1 in turn, one lane each.
  lanes_ = {lane(0x1000, 0, 1, 1, 1), lane(0x2000, 1, 1, 1, 0), lane(0x1004, 2, 1, 1, 1), lane(0x2004, 3, 1, 1, 0)};
  EXPECT_EQ(mask(), 0U);
  const std::vector<Record>& records = session_.capture().kernels.back().slabs.at(1).records;
  ASSERT_EQ(records.size(), 4U);
  EXPECT_EQ(records[0].address, 0x2000U);
  EXPECT_EQ(records[1].address, 0x2004U);
  EXPECT_EQ(records[1].sequence, 1U);
  EXPECT_EQ(records[2].warp, 1);
  EXPECT_EQ(records[2].sequence, 0U);
}

TEST_F(InjectSession, AllocationsLiveFromKernelToKernel) {
  session_.allocated(0x1000, 4096);
  (void)mask();
  session_.freed(0x1000);
  session_.allocated(0x1000, 256);  // The same place again.
  (void)mask();
  const Capture capture = parse_capture(to_bytes(session_.finish("note: x\n")));
  ASSERT_EQ(capture.allocations.size(), 2U);
  EXPECT_EQ(capture.allocations[0].bytes, 4096U);
  EXPECT_EQ(capture.allocations[0].end_kernel, 1U);
  EXPECT_EQ(capture.allocations[1].first_kernel, 1U);
  EXPECT_EQ(capture.allocations[1].end_kernel, kNoKernel);
  EXPECT_EQ(capture.source, Source::gpu_injected);
}

}  // namespace
}  // namespace rooftrace::capture
