// Laws of all-reduces on real machines: simulated bytes on the link are the closed form, no time beats the bound, and a message more in
// line costs a hop more.
#include <gtest/gtest.h>

#include "analysis/summary.hpp"
#include "sim/app/config_paths.hpp"
#include "sim/app/hardware_choice.hpp"
#include "sim/app/peaks.hpp"
#include "sim/app/run.hpp"
#include "sim/app/suite_kernels.hpp"
#include "traces/collective.hpp"

namespace rooftrace {
namespace {

MachineSpec machine(const std::string& name) {
  return choose_hardware(name, {}, ConfigPaths(std::string(ROOFTRACE_SOURCE_DIR) + "/configs", "", "")).machine;
}

StageResult simulate(const MachineSpec& m, std::uint32_t ranks, std::uint64_t bytes, const AllReduceChoice& choice) {
  Operands operands;
  AllReduceProblem p;
  p.ranks = ranks;
  p.elements = bytes / 2;
  p.input = operands.take(bytes);
  p.output = operands.take(bytes);
  const AllReduceRoom room = all_reduce_room(ranks, p.elements, p.type, choice);
  p.receive = operands.take(room.receive);
  p.peer = operands.take(room.peer);
  RunOptions options;
  options.group = ranks;
  return run_stage(m, trace_of({make_all_reduce(device_shape(m, ranks), p, choice)}, operands), Stage::other, 1, options);
}

TEST(CollectiveLaws, TheLinkCarriesTheClosedFormAndNoTimeBeatsTheBound) {
  for (const char* name : {"a100-sxm-80gb", "h100-sxm", "l40s"}) {
    const MachineSpec m = machine(name);
    const LevelId level = m.nvlink.bandwidth > 0 ? LevelId::nvlink : LevelId::pcie;
    for (const std::uint32_t ranks : {2U, 4U}) {
      for (const std::uint64_t bytes : {std::uint64_t{1000}, std::uint64_t{300'000}, std::uint64_t{8} << 20}) {
        for (const AllReduce algorithm : {AllReduce::ring, AllReduce::tree, AllReduce::nvls, AllReduce::one_shot, AllReduce::two_shot}) {
          for (const NcclProtocol protocol : {NcclProtocol::ll, NcclProtocol::ll128, NcclProtocol::simple}) {
            SCOPED_TRACE(testing::Message() << name << " " << ranks << " ranks, " << bytes << " B, " << rooftrace::name(algorithm) << " "
                                            << rooftrace::name(protocol));
            const StageResult result = simulate(m, ranks, bytes, {algorithm, protocol});
            const KernelRecord& record = result.kernels.front();
            for (const Direction direction : {Direction::read, Direction::write}) {
              EXPECT_GT(record.q.total(level, direction), 0U);
              EXPECT_EQ(record.q.total(level, direction), record.compulsory.total(level, direction));
            }
            const StageSummary summary = summarize(result.kernels, peaks_of(m), 1, result.latency);
            EXPECT_GE(to_seconds(result.latency), summary.ceiling);
            EXPECT_GE(to_seconds(result.latency), summary.bound);
          }
        }
      }
    }
  }
}

// 8 KiB by LL: 2 (n - 1) hops one after the other. Four GPUs more cost eight hops more, each of one link latency and one load: of what
// arrived from L2, where the neighbour stored it, and while adding of the own part, from HBM.
TEST(CollectiveLaws, ARingTakesAHopPerMessageInLine) {
  const MachineSpec m = machine("a100-sxm-80gb");
  const AllReduceChoice ll{AllReduce::ring, NcclProtocol::ll};
  const double four = to_seconds(simulate(m, 4, 8192, ll).latency), eight = to_seconds(simulate(m, 8, 8192, ll).latency);
  EXPECT_GT(eight - four, 8 * (m.nvlink.latency + m.l2.latency_near));
  EXPECT_LT(eight - four, 8 * (m.nvlink.latency + 2 * m.hbm.latency));
}

// The switch adds: 8 H100 exceed with NVLS what a ring could do at the rate of its links, and two-shot kernels take as many bytes as a
// ring.
TEST(CollectiveLaws, NvlsBeatsTheRingOnEightGpus) {
  const MachineSpec m = machine("h100-sxm");
  const std::uint64_t bytes = 256ULL << 20;
  const double nvls = to_seconds(simulate(m, 8, bytes, {AllReduce::nvls, NcclProtocol::simple}).latency);
  const double least = 2 * 7.0 / 8 * static_cast<double>(bytes) / (m.nvlink.bandwidth * m.nvlink.efficiency);
  EXPECT_LT(nvls, least);
  EXPECT_GT(to_seconds(simulate(m, 8, bytes, {AllReduce::ring, NcclProtocol::simple}).latency), least);
}

}  // namespace
}  // namespace rooftrace
