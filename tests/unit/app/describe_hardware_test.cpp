// The page of a machine: its key lines, its shape, and numbers that follow from the datasheet.
#include "sim/app/describe_hardware.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

#include "sim/core/config.hpp"
#include "sim/machine/machine_load.hpp"

namespace rooftrace {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string page(const std::string& name) {
  const ConfigDocument document = ConfigDocument::load(ROOFTRACE_SOURCE_DIR "/configs/hardware/" + name + ".yaml");
  return describe_hardware(load_machine(document.root(), name));
}

std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> all;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) all.push_back(line);
  return all;
}

std::string line_with(const std::string& text, const std::string& start) {
  for (const std::string& line : lines(text)) {
    if (line.find(start) != std::string::npos) return line;
  }
  return "";
}

/// Characters, not bytes: continuation bytes of UTF-8 do not count.
std::size_t width(const std::string& line) {
  std::size_t n = 0;
  for (const char c : line) n += (static_cast<unsigned char>(c) & 0xC0) != 0x80 ? 1 : 0;
  return n;
}

TEST(DescribeHardware, H100Page) {
  const std::string text = page("h100-sxm");
  EXPECT_EQ(lines(text).front(), "NVIDIA H100 SXM5 80 GB (h100-sxm, sm_90)");
  EXPECT_THAT(text, HasSubstr("├─ SM x 132\n"));
  EXPECT_THAT(text, HasSubstr("effective 50 MiB = 25,600 sets x 16 ways x 128 B; sectors of 32 B; hashed, lru"));
  EXPECT_THAT(text, HasSubstr("450 GB/s each way (900 GB/s both directions)"));
  EXPECT_THAT(text, HasSubstr("64 GB/s each way (128 GB/s both directions)"));
  EXPECT_THAT(text, HasSubstr("3.35 TB/s datasheet; sustained 3.23 TB/s read (96 %)"));  // 0.965 x 3.352
  EXPECT_THAT(text, HasSubstr("  gpu0 -> gpu1..gpu7              NVLink, 450 GB/s each way, 750 ns, 2 hops\n"));
  EXPECT_THAT(text, HasSubstr("  gpu0 -> host                    PCIe, 64 GB/s each way, 1 us, 2 hops\n"));
}

// bf16: 989.4 TFLOP/s over 3.352 TB/s = 295 FLOP/B, over 450 GB/s = 2,199, over 64 GB/s = 15,459, over 80 x 64 B x 1.98 GHz = 98.
// Sustained: x 1.6 / 1.83 = 865 TFLOP/s, over 0.965 x 3.352 TB/s = 267.
TEST(DescribeHardware, RidgePointsOfTheH100) {
  const std::string row = line_with(page("h100-sxm"), "tensor bf16");
  EXPECT_THAT(row, HasSubstr("989 TFLOP/s / 865 TFLOP/s"));
  EXPECT_THAT(row, HasSubstr(" 98 / "));
  EXPECT_THAT(row, HasSubstr(" 295 / 267 "));
  EXPECT_THAT(row, HasSubstr(" 2,199 / "));
  EXPECT_THAT(row, HasSubstr(" 15,459 / "));
  const std::string fp8 = line_with(page("h100-sxm"), "tensor fp8");
  EXPECT_THAT(fp8, HasSubstr(" 590 / 472 "));  // twice bf16; sustained x 0.883 (tensor_share_8bit)
}

TEST(DescribeHardware, ColumnsAreAlignedAndThePageIsOne) {
  for (const std::string name : {"h100-sxm", "v100-sxm", "a30", "l40s", "gh200-96gb", "b200-sxm"}) {
    const std::string text = page(name);
    EXPECT_LE(lines(text).size(), 65U) << name;
    std::size_t table = 0;
    for (const std::string& line : lines(text)) {
      EXPECT_LT(width(line), 120U) << line;
      EXPECT_FALSE(line.ends_with(' ')) << '"' << line << '"';
      if (!line.starts_with("  pipe ") && !line.starts_with("  tensor ") && !line.starts_with("  cuda ")) continue;
      if (table == 0) table = width(line);
      EXPECT_EQ(width(line), table) << line;
    }
    EXPECT_GT(table, 0U) << name;
  }
}

TEST(DescribeHardware, SaysWhatAMachineDoesNotHave) {
  const std::string l40s = page("l40s");
  EXPECT_THAT(l40s, HasSubstr("├─ NVLink: none\n"));
  EXPECT_THAT(line_with(l40s, "  pipe "), Not(HasSubstr("NVLink")));
  EXPECT_THAT(l40s, HasSubstr("gpu0 -> gpu1..gpu3              PCIe, 32 GB/s each way, 1 us, 2 hops\n"));
  EXPECT_THAT(l40s, HasSubstr("gpu0 -> gpu4..gpu7              PCIe, 32 GB/s each way, 2 us, 4 hops\n"));
  EXPECT_THAT(page("v100-sxm"), Not(HasSubstr("tensor bf16")));
  EXPECT_THAT(page("v100-sxm"), HasSubstr("  gpu0     -- gpu1, gpu2, gpu3 (2 links), gpu4 (2 links)\n"));
}

// Keys that a file may leave out: the host's own copies, and the call of a blocking copy.
TEST(DescribeHardware, CopiesOfTheHost) {
  const std::string a100 = page("a100-sxm-80gb");
  EXPECT_THAT(a100, HasSubstr("3 us to start a copy, 12 us to wait for it."));
  EXPECT_THAT(a100, HasSubstr("one thread copies 10.5 GB/s"));
  const std::string h100 = page("h100-sxm");
  EXPECT_THAT(h100, HasSubstr("3 us to start a copy.\n"));
  EXPECT_THAT(h100, HasSubstr("one thread copies 10.5 GB/s"));  // the standard
}

}  // namespace
}  // namespace rooftrace
