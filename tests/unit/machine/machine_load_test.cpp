// Every hardware file of the repository against known relations, and every refusal of the loader with its message.
#include "sim/machine/machine_load.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "sim/core/config.hpp"

namespace rooftrace {
namespace {

namespace fs = std::filesystem;

const std::string kFolder = ROOFTRACE_SOURCE_DIR "/configs/hardware/";

std::vector<std::string> all_names() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(kFolder)) {
    if (entry.path().extension() == ".yaml") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

MachineSpec load(const std::string& name) {
  const ConfigDocument document = ConfigDocument::load(kFolder + name + ".yaml");
  MachineSpec machine = load_machine(document.root(), name);
  document.check_all_read();
  return machine;
}

/// The message for a file that extends h100-sxm and says `text` on top; "" when it is accepted.
std::string message(const std::string& text) {
  try {
    const ConfigDocument document = ConfigDocument::parse("extends: h100-sxm\n" + text, kFolder + "what-if.yaml");
    (void)load_machine(document.root(), "what-if");
  } catch (const UserError& error) {
    const std::string what = error.what();
    EXPECT_EQ(what.find('\n'), std::string::npos) << what;
    const std::string file = kFolder + "what-if.yaml:";
    if (what.starts_with(file)) return what.substr(file.size());
    return what;
  }
  return "";
}

std::string message_with(const std::string& machine, const std::string& assignment) {
  try {
    ConfigDocument document = ConfigDocument::load(kFolder + machine + ".yaml");
    document.set(assignment);
    (void)load_machine(document.root(), machine);
  } catch (const UserError& error) {
    return error.what();
  }
  return "";
}

TEST(HardwareFiles, AreTheElevenAndLoadWithNoKeyUnread) {
  const std::vector<std::string> expected = {"a100-sxm-40gb", "a100-sxm-80gb", "a30",      "b200-sxm", "gh200-96gb", "h100-pcie",
                                             "h100-sxm",      "h200-sxm",      "h800-sxm", "l40s",     "v100-sxm"};
  const std::vector<std::string> names = all_names();
  for (const std::string& name : expected) EXPECT_TRUE(std::count(names.begin(), names.end(), name) == 1) << name;
  for (const std::string& name : names) EXPECT_NO_THROW((void)load(name)) << name;
}

// Each value line of a file has a comment that says where the number comes from (mappings, `counts`, `extends`, title have no number).
TEST(HardwareFiles, EveryNumberHasASourceOnItsLine) {
  for (const std::string& name : all_names()) {
    std::ifstream file(kFolder + name + ".yaml");
    std::string line;
    int number = 0;
    while (std::getline(file, line)) {
      ++number;
      const std::size_t colon = line.find(": ");
      if (line.starts_with("#") || colon == std::string::npos) continue;
      const std::string value = line.substr(colon + 2);
      const bool digits = value.find_first_of("0123456789") < value.find('#');
      const std::string key = line.substr(line.find_first_not_of(' '), colon - line.find_first_not_of(' '));
      if (!digits || key == "title" || key == "extends") continue;
      EXPECT_NE(value.find(" # "), std::string::npos) << name << ".yaml:" << number << ": " << line;
    }
  }
}

struct Datasheet {
  std::uint32_t sms;
  double bf16_per_clock;  ///< FLOP per clock and SM of the widest 16-bit tensor type, dense (whitepapers).
  double fp32_per_clock;  ///< 2 x lanes per SM.
  double hbm_terabytes;   ///< TB/s on the datasheet.
  double l2_mebibytes;
  double nvlink_both;  ///< GB/s on the datasheet, both directions; 0: none.
  double tolerance;    ///< Of the tensor relation: datasheets round; L40S quotes its tensor peaks at slightly different clocks.
};

// Datasheet and whitepaper numbers of the machines that have been measured, typed here a second time, independent of the files; the
// arithmetic of all files is checked in tests/unit/app/hardware_files_test.cpp.
const std::map<std::string, Datasheet> kDatasheets = {
    {"h100-sxm", {132, 4096, 256, 3.35, 50, 900, 0.001}},       {"h100-pcie", {114, 4096, 256, 2.0, 50, 600, 0.001}},
    {"h200-sxm", {132, 4096, 256, 4.8, 60, 900, 0.001}},        {"gh200-96gb", {132, 4096, 256, 4.0, 60, 0, 0.001}},
    {"h800-sxm", {132, 4096, 256, 3.35, 50, 400, 0.001}},       {"a100-sxm-80gb", {108, 2048, 128, 2.039, 40, 600, 0.001}},
    {"a100-sxm-40gb", {108, 2048, 128, 1.555, 40, 600, 0.001}}, {"a30", {56, 2048, 128, 0.933, 24, 200, 0.002}},
    {"v100-sxm", {80, 1024, 128, 0.9, 6, 300, 0.004}},          {"l40s", {142, 1024, 256, 0.864, 96, 0, 0.013}},
    {"b200-sxm", {148, 8192, 256, 8.0, 126.5, 1800, 0.001}}};

TEST(HardwareFiles, AgreeWithTheirDatasheets) {
  for (const auto& [name, sheet] : kDatasheets) {
    const MachineSpec m = load(name);
    SCOPED_TRACE(name);
    EXPECT_EQ(m.sm.count, sheet.sms);
    // Peak = FLOP per clock and SM x SMs x the clock it is quoted at.
    const double tensor = sheet.bf16_per_clock * sheet.sms * m.sm.peak_clock;
    EXPECT_NEAR(m.sm.tensor_peak.at(DataType::fp16) / tensor, 1, sheet.tolerance);
    EXPECT_NEAR(m.sm.cuda_peak / (sheet.fp32_per_clock * sheet.sms * m.sm.clock), 1, 0.003);
    if (m.sm.tensor_peak.contains(DataType::bf16)) {
      EXPECT_EQ(m.sm.tensor_peak.at(DataType::bf16), m.sm.tensor_peak.at(DataType::fp16));
    }
    // tf32 runs at half the 16-bit rate, the 8-bit types at twice (L40S and A30 datasheets round to whole TFLOP/s: 1.3 %).
    for (const auto& [type, factor] :
         std::map<DataType, double>{{DataType::tf32, 0.5}, {DataType::fp8, 2}, {DataType::int8, 2}, {DataType::fp4, 4}}) {
      if (!m.sm.tensor_peak.contains(type)) continue;
      EXPECT_NEAR(m.sm.tensor_peak.at(type) / (factor * m.sm.tensor_peak.at(DataType::fp16)), 1, 0.013);
    }
    // 2 TB/s of the H100 PCIe is 2.039 by its clock, 8 TB/s of the B200 7.672 (-4.1 %) by its bus.
    EXPECT_NEAR(m.hbm.bandwidth / 1e12 / sheet.hbm_terabytes, 1, 0.042);
    EXPECT_EQ(static_cast<double>(m.l2.capacity), sheet.l2_mebibytes * 1024 * 1024);
    EXPECT_DOUBLE_EQ(m.nvlink.bandwidth, sheet.nvlink_both * 1e9 / 2);  // One way is half of both directions.
    EXPECT_EQ(m.node.fabric == Fabric::none, sheet.nvlink_both == 0);
    EXPECT_EQ(m.name, name);
  }
}

TEST(HardwareFiles, HaveADerivableL2AndMemory) {
  for (const auto& [name, sheet] : kDatasheets) {
    const MachineSpec m = load(name);
    SCOPED_TRACE(name);
    // peak_bandwidth = slices x bytes per clock x clock, with 64 B per clock (32 B on V100, 128 B on B200).
    const double per_clock = m.l2.peak_bandwidth / m.l2.slices / m.sm.clock;
    EXPECT_NEAR(per_clock, name == "v100-sxm" ? 32 : name == "b200-sxm" ? 128 : 64, 0.05);
    EXPECT_NEAR(m.sm.l2_port / m.sm.clock, 64, 0.1);  // 64 B per clock and SM.
    EXPECT_EQ(m.l2.sets() * m.l2.ways * m.l2.line, m.l2.effective);
    EXPECT_GE(m.sm.l2_port * m.sm.count, m.l2.bandwidth);
    // Sustained reads are 0.87-0.97 of the datasheet rate, copies 0.77-0.90.
    EXPECT_GE(m.hbm.sustained(1) / m.hbm.bandwidth, 0.87);
    EXPECT_LE(m.hbm.sustained(1) / m.hbm.bandwidth, 0.97);
    EXPECT_GE(m.hbm.sustained(0.5) / m.hbm.bandwidth, 0.77);
    EXPECT_LE(m.hbm.sustained(0.5) / m.hbm.bandwidth, 0.9);
  }
}

// One table of memory kinds against measurements: reads, copies (half of the bytes written), triads (a third), lone sectors at random.
// Azure AI-benchmarking-guide, BabelStream: A100-80 dot 1,750, copy 1,610 and triad 1,700 GB/s, H100 SXM 3,180, 2,900 and 2,970;
// tospe/cam_with_gpu, H100 PCIe: reads 1,961.8 GB/s, 32 B at random 0.26 of the peak; gpu-benches, L40: reads 833 GB/s. Repeated runs
// differ by 2-7 %.
TEST(HardwareFiles, ReproduceMeasuredStreams) {
  const HbmSpec a100 = load("a100-sxm-80gb").hbm;
  EXPECT_NEAR(a100.sustained(1) / 1750e9, 1, 0.04);
  EXPECT_NEAR(a100.sustained(1.0 / 2) / 1610e9, 1, 0.04);
  EXPECT_NEAR(a100.sustained(2.0 / 3) / 1700e9, 1, 0.04);
  const HbmSpec h100 = load("h100-sxm").hbm;
  EXPECT_NEAR(h100.sustained(1) / 3180e9, 1, 0.04);
  EXPECT_NEAR(h100.sustained(1.0 / 2) / 2900e9, 1, 0.04);
  EXPECT_NEAR(h100.sustained(2.0 / 3) / 2970e9, 1, 0.04);
  const HbmSpec pcie = load("h100-pcie").hbm;
  EXPECT_NEAR(pcie.sustained(1) / 1961.8e9, 1, 0.01);
  EXPECT_NEAR(pcie.random(32) / pcie.bandwidth, 0.26, 0.03);
  EXPECT_NEAR(load("l40").hbm.sustained(1) / 833e9, 1, 0.01);
}

TEST(LoadMachine, ReadsUnitsAndDirections) {
  const MachineSpec m = load("h100-sxm");
  EXPECT_EQ(m.title, "NVIDIA H100 SXM5 80 GB");
  EXPECT_EQ(m.arch, "sm_90");
  EXPECT_EQ(m.l2.effective, 50ULL << 20);
  EXPECT_EQ(m.l2.sets(), 25600U);  // 50 MiB / (16 x 128 B): not a power of two
  EXPECT_TRUE(m.l2.copies);
  EXPECT_EQ(m.sm.gpcs, 8U);
  EXPECT_EQ(m.l2.hash, IndexHash::hashed);
  EXPECT_EQ(m.l2.policy, Replacement::lru);
  EXPECT_DOUBLE_EQ(m.pcie.bandwidth, 64e9);  // 128 GB/s counts both directions
  EXPECT_DOUBLE_EQ(m.sm.clock, 1.98e9);
  EXPECT_EQ(m.node.fabric, Fabric::nvswitch);
  EXPECT_EQ(message("nvlink: {bandwidth: 450 GB/s, counts: each_way}\n"), "");
}

// The kind says what the file does not; a kind that nobody knows takes its timing from the file alone.
TEST(LoadMachine, TakesTimingFromTheMemoryKind) {
  const std::string timing =
      "  burst: 64 B\n  pseudo_channels: 4\n  banks: 64\n  bank_groups: 16\n  row_cycle: 40 ns\n  activate: 2 ns\n  activate_same_group: 3 "
      "ns\n"
      "  refresh: 0 s\n  refresh_interval: 0 s\n  refresh_takes: banks\n  turnaround: 10 ns\n  write_batch: 8 KiB\n";
  EXPECT_EQ(message("hbm:\n  kind: HBM9\n" + timing + "  scheduled: 0.9\n"), "");
  EXPECT_NE(message("hbm:\n  kind: HBM9\n" + timing), "");
  EXPECT_EQ(load("h100-pcie").hbm.dram.pseudo_channels, 1U);
  EXPECT_EQ(load("h100-sxm").hbm.dram.pseudo_channels, 2U);
  EXPECT_TRUE(load("a100-pcie-80gb").hbm.dram.refresh_takes_channel);
  EXPECT_FALSE(load("a100-pcie-40gb").hbm.dram.refresh_takes_channel);
}

TEST(LoadMachine, InheritsWhatAFileDoesNotSay) {
  const MachineSpec base = load("h100-sxm");
  const MachineSpec pcie = load("h100-pcie");
  EXPECT_EQ(pcie.l2.effective, base.l2.effective);
  EXPECT_EQ(pcie.nvlink.efficiency, base.nvlink.efficiency);
  EXPECT_EQ(pcie.sm.count, 114U);
  EXPECT_EQ(load("gh200-96gb").nvlink.bandwidth, 0);  // `none` replaces the mapping
}

TEST(LoadMachine, RefusesValuesOutsideTheirRange) {
  EXPECT_EQ(message("sm: {count: 0}\n"), "2:13: count: 0 is outside 1 to 4096");
  EXPECT_EQ(message("sm: {count: -3}\n"), "2:13: count: -3 is outside 1 to 4096");
  EXPECT_EQ(message("sm:\n  clock: 1e30 GHz\n"), "3:10: clock: \"1e30 GHz\" is outside 10 MHz to 100 GHz");
  EXPECT_EQ(message("hbm:\n  bandwidth: 0 TB/s\n"), "3:14: bandwidth: \"0 TB/s\" is outside 1 MB/s to 10 PB/s");
  EXPECT_EQ(message("l2:\n  capacity: 0 MiB\n"), "3:13: capacity: \"0 MiB\" is outside 1 B to 1 TiB");
  EXPECT_EQ(message("l2:\n  capacity: 0.3 B\n"), "3:13: capacity: \"0.3 B\" is outside 1 B to 1 TiB");
  EXPECT_EQ(message("l2:\n  line: 64.5 B\n"), "3:9: line: \"64.5 B\" is not a whole number of bytes");
  EXPECT_EQ(message("hbm:\n  scheduled: 1.2\n"), "3:14: scheduled: 1.2 is outside 0.01 to 1");
  EXPECT_EQ(message("hbm:\n  burst: 256 B\n"), "3:10: burst: a burst of 256 B is larger than a line of L2 (128 B)");
  EXPECT_EQ(message("hbm:\n  banks: 12\n"), "3:10: banks: 12 is not a power of two, as addresses are cut");
  EXPECT_EQ(message("hbm:\n  bank_groups: 64\n"), "3:16: bank_groups: 64 bank groups cannot share 16 banks");
  EXPECT_EQ(message("hbm:\n  write_batch: 16 B\n"), "3:16: write_batch: 16 B is less than a burst (32 B)");
  EXPECT_EQ(message("hbm:\n  activate: 7 ns\n"), "3:13: activate: 7 ns is more than the 6 ns of activate_same_group");
  EXPECT_EQ(message("hbm:\n  refresh: 4 us\n"), "3:12: refresh: 4 us is not less than the refresh_interval of 3.9 us");
  EXPECT_EQ(message("hbm:\n  refresh_takes: all\n"), "3:18: refresh_takes: \"all\" is not one of banks, channel");
  EXPECT_EQ(message("hbm:\n  kind: HBM9\n"),
            "3:9: kind: \"HBM9\" is no memory whose timing I know: name one of HBM2, HBM2e, HBM3, HBM3e, GDDR6, GDDR6X, GDDR7, or give all "
            "of its timing; did you mean \"HBM2\"?");
  EXPECT_EQ(message("launch:\n  kernel_gap: 2 s\n"), "3:15: kernel_gap: \"2 s\" is outside 0 s to 1 ms");
  EXPECT_EQ(message("node: {gpus: 0}\n"), "2:14: gpus: 0 is outside 1 to 256");
  EXPECT_NE(message("hbm:\n  bandwidth: 3.35\n"), "");     // no unit
  EXPECT_NE(message("hbm:\n  bandwidth: -3 TB/s\n"), "");  // negative
  EXPECT_EQ(message("launch: {kernel_gap: 0 s}\n"), "");   // an ideal machine is allowed
}

TEST(LoadMachine, SuggestsTheWordThatWasMeant) {
  EXPECT_EQ(message("l2: {hash: hased}\n"), "2:12: hash: \"hased\" is not one of hashed, modulo; did you mean \"hashed\"?");
  EXPECT_EQ(message("l2: {replacement: lruu}\n"),
            "2:19: replacement: \"lruu\" is not one of lru, fifo, random, tree; did you mean \"lru\"?");
  EXPECT_EQ(message("node: {fabric: nvswich}\n"),
            "2:16: fabric: \"nvswich\" is not one of none, nvswitch, pairs, mesh; did you mean \"nvswitch\"?");
  EXPECT_EQ(message("sm: {tensor_peak: {bf61: 1 TFLOP/s}}\n"),
            "2:26: bf61: \"bf61\" is not a data type that I know; did you mean \"bf16\"?");
  EXPECT_EQ(message("nvlink: nonne\n"),
            "2:9: nvlink: \"nonne\" is neither none nor a mapping of bandwidth, counts, efficiency and latency");
  EXPECT_EQ(message("pcie: {counts: both}\n"), "2:16: counts: \"both\" is not one of each_way, both_directions");
}

TEST(LoadMachine, NamesMissingAndUnreadKeys) {
  const ConfigDocument empty = ConfigDocument::parse("title: x\narch: sm_1\n", "tiny.yaml");
  try {
    (void)load_machine(empty.root(), "tiny");
    FAIL() << "accepted";
  } catch (const UserError& error) {
    EXPECT_STREQ(error.what(), "tiny.yaml: the key \"sm\" is missing");
  }
  const ConfigDocument extra = ConfigDocument::parse("extends: h100-sxm\nl2: {way: 8}\n", kFolder + "what-if.yaml");
  (void)load_machine(extra.root(), "what-if");
  EXPECT_THROW(extra.check_all_read(), UserError);
}

TEST(Geometry, NamesTheNeighboursThatWouldDo) {
  // One set of 16 ways x 128 B in each of 2 partitions: 4,096 B. 46.5e6 / 4096 = 11352.5...
  EXPECT_EQ(message("l2:\n  effective: 46.5 MB\n"),
            "3:14: effective: 46500000 B is not a whole number of sets of 16 ways x 128 B x 2 partitions = 4096 B; 46497792 B or 46501888 "
            "B would do");
  EXPECT_EQ(message("l2: {effective: 46497792 B}\n"), "");
  EXPECT_EQ(message("l2: {effective: 46501888 B}\n"), "");
  EXPECT_EQ(message("l2: {capacity: 45 MiB, effective: 47184895 B}\n"),  // the next multiple above is the capacity + 1 set less 1
            "2:35: effective: 47184895 B is not a whole number of sets of 16 ways x 128 B x 2 partitions = 4096 B; 47181824 B or 47185920 "
            "B would do");
  EXPECT_EQ(message("l2: {effective: 2 KiB}\n"),
            "2:17: effective: 2048 B holds not even one set of 16 ways x 128 B x 2 partitions = 4096 B");
  EXPECT_EQ(message("l2: {line: 96 B}\n"), "2:12: line: 96 B is not a power of two, and addresses are cut there; 64 B or 128 B would do");
  EXPECT_EQ(message("l2: {sector: 256 B}\n"), "2:14: sector: a sector of 256 B is larger than the line of 128 B");
  EXPECT_EQ(message("l2: {sector: 4 B}\n"),
            "2:14: sector: a line of 128 B would have 32 sectors; up to 16 are possible, so 8 B or more would do");
  EXPECT_EQ(message("l2: {partitions: 3}\n"), "2:18: partitions: 3 partitions do not divide the 80 slices");
  EXPECT_EQ(message("l2: {effective: 60 MiB}\n"), "2:17: effective: 60 MiB is more than the capacity of 50 MiB");
  EXPECT_EQ(message("hbm: {channels: 81}\n"), "2:17: channels: 81 channels are not shared equally by 5 stacks; 80 or 85 would do");
  EXPECT_EQ(message("hbm: {channels: 3}\n"), "2:17: channels: 3 channels are not shared equally by 5 stacks; 5 would do");
  EXPECT_EQ(message("node: {gpus: 3, fabric: pairs}\n"), "2:14: gpus: 3 GPUs cannot all be in pairs; 2 or 4 would do");
}

TEST(Geometry, RefusesContradictions) {
  EXPECT_EQ(message("sm: {tensor_clock: 1.9 GHz}\n"), "2:20: tensor_clock: the sustained 1.9 GHz is above the peak_clock of 1.83 GHz");
  EXPECT_EQ(message("l2: {bandwidth: 11 TB/s}\n"), "2:17: bandwidth: the sustained 11 TB/s is above the peak_bandwidth of 10.1 TB/s");
  EXPECT_EQ(message("l2: {latency_far: 10 ns}\n"), "2:19: latency_far: is less than latency_near");
  EXPECT_EQ(message("hbm: {latency: 100 ns}\n"), "2:16: latency: is less than l2.latency_far, through which every miss goes");
  EXPECT_EQ(message("hbm: {capacity: 2 MB}\n"), "2:17: capacity: is less than the capacity of L2");
  EXPECT_EQ(message("hbm: {interleave: 64 B}\n"),
            "2:19: interleave: 64 B is less than a line of L2 (128 B), which must lie on one channel");
  EXPECT_EQ(message("sm: {shared_memory: 300 KiB}\n"), "2:21: shared_memory: 300 KiB does not fit the l1 array of 256 KiB");
  EXPECT_EQ(message("sm: {shared_memory_per_block: 240 KiB}\n"),
            "2:31: shared_memory_per_block: 240 KiB is more than the 228 KiB of the whole SM");
  EXPECT_EQ(message("nvlink: none\nnode: {fabric: none}\n"), "");
  EXPECT_EQ(message("nvlink: none\nnode: {fabric: mesh}\n"),
            "3:16: fabric: mesh needs NVLink, but nvlink is none; write none here, or give nvlink a bandwidth");
  EXPECT_EQ(message("node: {fabric: none}\n"),
            "2:16: fabric: none joins no GPUs, but nvlink has a bandwidth; write \"nvlink: none\", or one of nvswitch, pairs, mesh here");
  // One way: 45 MiB / 32 B = 1,474,560 sets are fine, a 1 TiB L2 of them is not.
  EXPECT_EQ(message("l2: {ways: 1, line: 32 B}\n"), "");
  EXPECT_NE(message("l2: {ways: 1, line: 32 B, capacity: 1 GiB, effective: 1 GiB}\n").find("ways make 33554432 sets; up to 4194303"),
            std::string::npos);
}

TEST(Geometry, LocatesAnOverrideOfTheCommandLine) {
  EXPECT_EQ(message_with("a100-sxm-80gb", "l2.partitions=3").find("--set"), 0U) << message_with("a100-sxm-80gb", "l2.partitions=3");
  EXPECT_EQ(message_with("a100-sxm-80gb", "l2.effective=40 MiB"), "");
}

// "Nothing here is a power of two": any multiple of a set per partition is a machine.
TEST(Geometry, AcceptsOddNumbers) {
  for (const std::string text : {"l2: {effective: 49.5 MiB, ways: 12}\n", "l2: {partitions: 5, effective: 50 MiB, ways: 5}\n",
                                 "sm: {count: 131}\n", "hbm: {stacks: 3, channels: 51}\n", "l2: {slices: 94}\n"}) {
    EXPECT_EQ(message(text), "") << text;
  }
}

}  // namespace
}  // namespace rooftrace
