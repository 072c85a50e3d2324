// Do the micro-benchmarks inside the simulator reach what every machine file promises?
#include "sim/app/selfcheck.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "sim/app/config_paths.hpp"
#include "sim/app/hardware_choice.hpp"

namespace rooftrace {
namespace {

const std::string kConfigs = std::string(ROOFTRACE_SOURCE_DIR) + "/configs";

std::vector<std::string> machines() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(kConfigs + "/hardware")) names.push_back(entry.path().stem().string());
  std::sort(names.begin(), names.end());
  return names;
}

class SelfcheckMachine : public ::testing::TestWithParam<std::string> {};

TEST_P(SelfcheckMachine, DeliversWhatItsFileImplies) {
  const MachineSpec machine = choose_hardware(GetParam(), {}, ConfigPaths::of_process(kConfigs)).machine;
  const std::vector<SelfcheckRow> rows = selfcheck_rows(machine);
  EXPECT_GE(rows.size(), 5U);
  for (const SelfcheckRow& row : rows)
    EXPECT_TRUE(row.ok()) << row.what << ": achieved " << row.achieved << ", file implies " << row.expected;
}

INSTANTIATE_TEST_SUITE_P(Configs, SelfcheckMachine, ::testing::ValuesIn(machines()), [](const auto& p) {
  std::string word = p.param;
  for (char& c : word) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return word;
});

// The check must be able to fail: SMs that take too little from L2 cannot fill HBM.
TEST(Selfcheck, SeesAMachineThatCannotFillItsMemory) {
  MachineSpec machine = choose_hardware("h100-sxm", {}, ConfigPaths::of_process(kConfigs)).machine;
  machine.sm.l2_port /= 10;  // 132 x 12.7 GB/s = 1.7 TB/s
  bool hbm_ok = true;
  for (const SelfcheckRow& row : selfcheck_rows(machine)) {
    if (row.what == "HBM read") hbm_ok = row.ok();
  }
  EXPECT_FALSE(hbm_ok);
  EXPECT_THAT(selfcheck_hardware(machine), ::testing::HasSubstr("LOOK"));
}

}  // namespace
}  // namespace rooftrace
