// rooftrace calibrate: a constant that is known is found again, files keep every byte that is not fitted, and the wrong words are refused.
#include <gmock/gmock.h>

#include <cmath>

#include "sim/app/calibrate_file.hpp"
#include "sim/app/calibrate_fit.hpp"
#include "sim/app/config_paths.hpp"
#include "sim/app/hardware_choice.hpp"
#include "sim/app/validate_run.hpp"
#include "sim/core/error.hpp"
#include "sim/machine/machine_load.hpp"
#include "tests/unit/app/program.hpp"

namespace rooftrace {
namespace {

using testing::HasSubstr;

const std::string kConfigs = std::string(ROOFTRACE_SOURCE_DIR) + "/configs";

MachineSpec h100() {
  return choose_hardware("h100-sxm", {}, ConfigPaths::of_process(kConfigs)).machine;
}

/// A row whose simulated value is a formula of the machine, in place of a simulation.
ScoredRow row(double measured, double simulated) {
  ScoredRow r;
  r.kind = "transfer";
  r.measured = measured;
  r.prediction.simulated = simulated;
  r.error = simulated / measured - 1;
  return r;
}

template <typename Function>
std::string refusal(const Function& function) {
  try {
    function();
  } catch (const UserError& error) {
    return error.what();
  }
  return "accepted";
}

// Two constants that act on different rows and one that acts on none; one row in five is an outlier by a factor of three.
TEST(CalibrateFit, FindsConstantsDespiteOutliersAndLeavesTheOthersAlone) {
  MachineSpec machine = h100();
  machine.pcie.efficiency = 0.8;
  const auto rows_on = [](const MachineSpec& m) {
    std::vector<ScoredRow> rows;
    for (int i = 1; i <= 10; ++i) {
      const double odd = i % 5 == 0 ? 3 : 1;
      rows.push_back(row(odd * i * 0.55, i * m.pcie.efficiency));
      rows.push_back(row(odd * i * 7e-6, i * m.launch.copy_start));
    }
    return rows;
  };
  const Calibration result = calibrate(machine, keys_to_fit("pcie.efficiency,launch.copy_start,hbm.latency", machine), rows_on, {});
  EXPECT_NEAR(result.keys[0].after, 0.55, 0.0055);
  EXPECT_NEAR(result.keys[1].after, 7e-6, 7e-8);
  EXPECT_FALSE(result.keys[2].matters);
  EXPECT_EQ(result.keys[2].after, machine.hbm.latency);
  EXPECT_LE(result.evaluations, 3 * kEvaluationsPerKey + 1);
  EXPECT_LT(misfit(result.after), misfit(result.before));
}

TEST(CalibrateFit, StaysWithinTheRangeAndWhatTheMachineAllows) {
  const MachineSpec machine = h100();
  const auto wish_for_more = [](const MachineSpec& m) { return std::vector<ScoredRow>{row(1, m.sm.tensor_clock / 1e12)}; };
  const Calibration result = calibrate(machine, keys_to_fit("sm.tensor_clock", machine), wish_for_more, {});
  EXPECT_NEAR(result.keys[0].after, machine.sm.peak_clock, 1e-3 * machine.sm.peak_clock);
  EXPECT_LE(result.keys[0].after, machine.sm.peak_clock);
}

TEST(CalibrateFit, AConstantThatIsBestAsItIsKeepsItsBits) {
  const MachineSpec machine = h100();
  const double best = machine.hbm.dram.scheduled;
  const auto rows_on = [&](const MachineSpec& m) { return std::vector<ScoredRow>{row(best, m.hbm.dram.scheduled)}; };
  const Calibration result = calibrate(machine, keys_to_fit("hbm.scheduled", machine), rows_on, {});
  EXPECT_EQ(result.keys[0].after, best);
  EXPECT_TRUE(result.keys[0].matters);
  EXPECT_FALSE(result.keys[0].moved());
}

TEST(CalibrateFit, ValuesOfL2AreWholeSets) {
  const MachineSpec machine = h100();
  for (const double wish : {20e6, 33.3e6, 52428799.0, 1e12}) {
    for (const CalibrateKey& key : calibrate_keys()) {
      if (key.name != std::string("l2.effective")) continue;
      const auto value = static_cast<std::uint64_t>(writable_value(key, machine, wish));
      EXPECT_EQ(value % (machine.l2.line * machine.l2.ways * machine.l2.partitions), 0U);
      EXPECT_LE(value, machine.l2.capacity);
      EXPECT_EQ(value_of(key, value_text(key, static_cast<double>(value))), static_cast<double>(value));
    }
  }
}

TEST(CalibrateKeys, OnlyConstantsThatNoDatasheetSays) {
  MachineSpec machine = h100();
  const auto list = [&](const std::string& text) { return refusal([&] { static_cast<void>(keys_to_fit(text, machine)); }); };
  EXPECT_THAT(list("hbm.bandwidth"), HasSubstr("--fit: \"hbm.bandwidth\" is not a constant to fit"));
  EXPECT_THAT(list("hbm.sheduled"), HasSubstr("did you mean \"hbm.scheduled\"?"));
  EXPECT_THAT(list("x"), HasSubstr("(constants: sm.tensor_clock, "));
  EXPECT_THAT(list("pcie.latency,pcie.latency"), HasSubstr("given twice"));
  EXPECT_NE(list(""), "accepted");
  EXPECT_NE(list("pcie.latency,"), "accepted");
  machine.nvlink.bandwidth = 0;
  EXPECT_THAT(list("nvlink.latency"), HasSubstr("the machine has no NVLink"));
}

TEST(CalibrateKeys, EveryOneIsReadAndWrittenInTheSamePlace) {
  const MachineSpec machine = h100();
  for (const CalibrateKey& key : calibrate_keys()) {
    MachineSpec changed = machine;
    const double value = writable_value(key, machine, key.get(machine) * 0.9);
    key.set(changed, value);
    EXPECT_EQ(key.get(changed), value) << key.name;
    EXPECT_GE(value, key.low) << key.name;
    EXPECT_LE(value, key.high) << key.name;
    ConfigDocument document = ConfigDocument::load(kConfigs + "/hardware/h100-sxm.yaml");
    document.set(std::string(key.name) + "=" + value_text(key, value));
    EXPECT_EQ(key.get(load_machine(document.root(), "h100-sxm")), value) << key.name;
  }
}

TEST(CalibrateFile, ReplacesTheValueAndItsCommentAndNothingElse) {
  const std::string text =
      "# top\ntitle: x  # kept\n\nhbm:\n  # inside\n  kind: HBM3                # a\n  scheduled: 0.95           # old source\n"
      "  latency: 351 ns\n\npcie:\n  efficiency: 0.8\n";
  EXPECT_EQ(with_values(text, "m.yaml", {{"hbm.scheduled", "0.9", "new"}, {"hbm.latency", "400 ns", "too"}}),
            "# top\ntitle: x  # kept\n\nhbm:\n  # inside\n  kind: HBM3                # a\n  scheduled: 0.9            # new\n"
            "  latency: 400 ns                   # too\n\npcie:\n  efficiency: 0.8\n");
}

TEST(CalibrateFile, AddsAKeyThatTheMemoryKindStoodFor) {
  EXPECT_EQ(with_values("hbm:\n  kind: HBM3\npcie:\n  efficiency: 0.8\n", "m.yaml", {{"hbm.turnaround", "20 ns", "new"}}),
            "hbm:\n  kind: HBM3\n  turnaround: 20 ns                 # new\npcie:\n  efficiency: 0.8\n");
}

TEST(CalibrateFile, KeepsCarriageReturnsAndAMissingLastNewline) {
  EXPECT_EQ(with_values("a: 1\r\nhbm:\r\n  latency: 1 ns # x\r\n  kind: y", "m.yaml", {{"hbm.latency", "250.5 ns", "c"}}),
            "a: 1\r\nhbm:\r\n  latency: 250.5 ns  # c\r\n  kind: y");
}

class CalibrateFiles : public test::ProgramTest {};

TEST_F(CalibrateFiles, InheritedValuesBecomeOverrides) {
  write("base.yaml", "hbm:\n  latency: 300 ns\n  kind: y\npcie:\n  latency: 1 us\nlaunch:\n  copy_start: 3 us\n");
  const std::string text = "extends: base  # b\nhbm:\n    kind: z   # own\n\n# about pcie\npcie: {latency: 2 us}\n";
  const std::string path = (folder() / "m.yaml").string();
  write("m.yaml", text);
  EXPECT_EQ(
      with_values(text, path, {{"hbm.latency", "310 ns", "c"}, {"launch.copy_start", "4 us", "d"}}),
      "extends: base  # b\nhbm:\n    kind: z   # own\n    latency: 310 ns                 # c\n\n# about pcie\npcie: {latency: 2 us}\n"
      "\nlaunch:\n  copy_start: 4 us                  # d\n");
  EXPECT_THAT(refusal([&] {
                static_cast<void>(with_values(text, path, {{"pcie.latency", "4 us", "d"}}));
              }),
              HasSubstr("m.yaml:6:17: pcie.latency cannot be rewritten here"));
}

/// Copies over PCIe as a machine of efficiency 0.7 does them, simulated by the program itself.
class CalibrateProgram : public test::ProgramTest {
 protected:
  void SetUp() override {
    test::ProgramTest::SetUp();
    write("hardware/known.yaml", "extends: " + kConfigs + "/hardware/h100-sxm.yaml\npcie:\n  efficiency: 0.7\n");
    write("hardware/mine.yaml", kMine + "  efficiency: 0.8  # guessed\n");
    std::string suite = "hardware,path,direction,host_memory,bytes,quantity,value\n";
    for (const int mib : {1, 4, 16, 64}) suite += "known,pcie,h2d,pinned," + std::to_string(mib << 20) + ",bandwidth_GBps,1\n";
    write("known/transfer.csv", suite);
    const test::Said said = run({"validate", "--suite", "known/transfer.csv", "--configs", ".", "--rows", "rows.csv", "--quiet"});
    ASSERT_EQ(said.code, 0) << said.err;
    std::istringstream rows(test::slurp(folder() / "rows.csv"));
    std::string line, header;
    std::getline(rows, header);
    ASSERT_THAT(header,
                testing::StartsWith("id,kind,hardware,quantity,measured,low,high,simulated,bound,roofline_baseline,rel_error,status,"
                                    "reason,"));
    suite.clear();
    for (const int mib : {1, 4, 16, 64}) {
      ASSERT_TRUE(std::getline(rows, line));
      std::istringstream cells(line);
      std::string cell;
      for (int i = 0; i < 8; ++i) std::getline(cells, cell, ',');  // The eighth is the simulated value.
      suite += "mine,pcie,h2d,pinned," + std::to_string(mib << 20) + ",bandwidth_GBps," + cell + "\n";
    }
    write("transfer.csv", "hardware,path,direction,host_memory,bytes,quantity,value\n" + suite);
  }

  const std::string kMine = "extends: " + kConfigs + "/hardware/h100-sxm.yaml\ntitle: mine   # by hand\npcie:\n";
};

TEST_F(CalibrateProgram, AKnownEfficiencyIsFoundAgainAndWritten) {
  const std::vector<std::string> command = {"calibrate", "mine", "--suite", "transfer.csv", "--fit", "pcie.efficiency", "--configs", "."};
  const test::Said dry = run(command);
  EXPECT_EQ(dry.code, 0) << dry.err;
  EXPECT_THAT(dry.out, HasSubstr("pcie.efficiency     0.8"));
  EXPECT_THAT(dry.err, HasSubstr("nothing written"));
  EXPECT_EQ(test::slurp(folder() / "hardware/mine.yaml"), kMine + "  efficiency: 0.8  # guessed\n");

  std::vector<std::string> writing = command;
  writing.insert(writing.end(), {"-o", "hardware/mine.yaml", "--threads", "2"});
  const test::Said said = run(writing);
  EXPECT_EQ(said.code, 0) << said.err;
  EXPECT_EQ(said.out, dry.out);
  const std::string text = test::slurp(folder() / "hardware/mine.yaml");
  EXPECT_THAT(text, testing::StartsWith(kMine + "  efficiency: "));
  EXPECT_THAT(text, HasSubstr("# calibrated: rooftrace calibrate, suites transfer; 4 rows; median error "));
  EXPECT_THAT(text, HasSubstr("; was 0.8\n"));
  const MachineSpec fitted = choose_hardware((folder() / "hardware/mine.yaml").string(), {}, ConfigPaths::of_process(kConfigs)).machine;
  EXPECT_NEAR(fitted.pcie.efficiency, 0.7, 0.007);
}

TEST_F(CalibrateProgram, MistakesAreOneLineAndWriteNothing) {
  const auto said = [&](const std::vector<std::string>& words) {
    std::vector<std::string> all = {"calibrate"};
    all.insert(all.end(), words.begin(), words.end());
    all.insert(all.end(), {"--configs", "."});
    const test::Said result = run(all);
    EXPECT_EQ(result.code, 2);
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
    return result.err;
  };
  EXPECT_THAT(said({}), HasSubstr("name a machine"));
  EXPECT_THAT(said({"mine", "--fit", "pcie.latency"}), HasSubstr("--suite FILE.csv"));
  EXPECT_THAT(said({"mine", "--suite", "transfer.csv"}), HasSubstr("--fit KEY"));
  EXPECT_THAT(said({"mine", "--suite", "transfer.csv", "--fit", "pcie.bandwidth", "-o", "x.yaml"}), HasSubstr("not a constant to fit"));
  EXPECT_THAT(said({"known", "--suite", "transfer.csv", "--fit", "pcie.latency", "-o", "x.yaml"}),
              HasSubstr("the suites have no row for \"known\""));
  EXPECT_THAT(said({"min", "--suite", "transfer.csv", "--fit", "pcie.latency"}), HasSubstr("did you mean \"mine\"?"));
  EXPECT_THAT(said({"mine", "--suite", "transfer.csv", "--fit", "pcie.efficiency", "-o", "nowhere/x.yaml"}), HasSubstr("nowhere"));
  write("hardware/flow.yaml", "extends: mine\nlaunch: {copy_start: 3 us}\n");
  write("flow/transfer.csv", "hardware,path,direction,host_memory,bytes,quantity,value\nflow,pcie,h2d,pinned,1048576,bandwidth_GBps,30\n");
  EXPECT_THAT(said({"flow", "--suite", "flow/transfer.csv", "--fit", "launch.copy_start", "-o", "x.yaml"}), HasSubstr("flow.yaml:2:22: "));
  EXPECT_THAT(said({"flow", "--suite", "flow/transfer.csv", "--fit", "pcie.latency", "-o", "x.yaml"}),
              HasSubstr("extends: \"mine\" is not there"));
  EXPECT_FALSE(std::filesystem::exists(folder() / "x.yaml"));
}

}  // namespace
}  // namespace rooftrace
