// Every hardware file against the arithmetic of its own numbers: a wrong digit in one of them breaks a product.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "sim/app/hardware_choice.hpp"

namespace rooftrace {
namespace {

const std::string kConfigs = std::string(ROOFTRACE_SOURCE_DIR) + "/configs";

std::vector<MachineSpec> machines() {
  std::vector<MachineSpec> all;
  for (const auto& entry : std::filesystem::directory_iterator(kConfigs + "/hardware")) {
    all.push_back(choose_hardware(entry.path().stem().string(), {}, ConfigPaths::of_process(kConfigs)).machine);
  }
  return all;
}

/// How far `value` is from the nearest power of two, as a share.
double from_power_of_two(double value) {
  return std::abs(value / std::exp2(std::round(std::log2(value))) - 1);
}

// Tensor cores do a power of two of FLOP per clock and SM; datasheets round to three digits. The rates of H20 and L20 are cut by the maker.
TEST(HardwareFiles, TensorPeaksAreFlopPerClockTimesSmsTimesClock) {
  const std::set<std::string> cut = {"h20", "l20"};
  for (const MachineSpec& m : machines()) {
    if (cut.contains(m.name)) continue;
    const double fp16 = m.sm.tensor_peak.at(DataType::fp16);
    EXPECT_LT(from_power_of_two(fp16 / m.sm.count / m.sm.peak_clock), 0.02) << m.name;
  }
}

// 64 or 128 lanes of 2 FLOP per clock and SM.
TEST(HardwareFiles, CudaPeaksAreLanesTimesSmsTimesClock) {
  for (const MachineSpec& m : machines()) EXPECT_LT(from_power_of_two(m.sm.cuda_peak / m.sm.count / m.sm.clock), 0.02) << m.name;
}

// Published transfer rates of one pin: HBM2 to HBM3e 1.75 to 9 Gbit/s, GDDR6 to GDDR7 10 to 30.
TEST(HardwareFiles, MemoryPinsRunAtRatesThatExist) {
  for (const MachineSpec& m : machines()) {
    const bool gddr = m.hbm.kind.starts_with("GDDR");
    const double pins = m.hbm.channels * (gddr ? 16.0 : 64.0);
    const double rate = m.hbm.bandwidth * 8 / pins;
    EXPECT_GE(rate, gddr ? 9.9e9 : 1.7e9) << m.name;
    EXPECT_LE(rate, gddr ? 30e9 : 9e9) << m.name;
    EXPECT_EQ(m.hbm.channels, m.hbm.stacks * (gddr ? 2 : m.hbm.channels / m.hbm.stacks)) << m.name;
  }
}

TEST(HardwareFiles, L2SlicesDeliverPowersOfTwoPerClock) {
  for (const MachineSpec& m : machines()) {
    EXPECT_LT(from_power_of_two(m.l2.peak_bandwidth / m.l2.slices / m.sm.clock), 0.01) << m.name;
    EXPECT_LE(m.l2.bandwidth, m.l2.peak_bandwidth) << m.name;
    EXPECT_GT(m.l2.bandwidth, m.hbm.bandwidth) << m.name;
  }
}

TEST(HardwareFiles, CacheLatencyIsBelowThatOfMemory) {
  for (const MachineSpec& m : machines()) {
    EXPECT_LT(m.sm.l1_latency, m.l2.latency_near) << m.name;
    EXPECT_LE(m.l2.latency_near, m.l2.latency_far) << m.name;
    EXPECT_LT(m.l2.latency_far, m.hbm.latency) << m.name;
  }
}

TEST(HardwareFiles, TheGpusOfPublicMeasurementsAreThere) {
  std::set<std::string> names;
  for (const MachineSpec& m : machines()) names.insert(m.name);
  for (const char* name :
       {"v100-sxm",  "v100-pcie",   "t4",         "a100-sxm-40gb", "a100-sxm-80gb", "a100-pcie-40gb", "a100-pcie-80gb", "a30",
        "a40",       "a10",         "l4",         "l40",           "l40s",          "h100-sxm",       "h100-pcie",      "h100-nvl",
        "h100-64gb", "h200-sxm",    "gh200-96gb", "b200-sxm",      "b300-sxm",      "gb200",          "rtx-3090",       "rtx-4090",
        "rtx-5090",  "rtx-pro-6000"}) {
    EXPECT_TRUE(names.contains(name)) << name;
  }
}

}  // namespace
}  // namespace rooftrace
