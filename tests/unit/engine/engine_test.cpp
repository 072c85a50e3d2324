// Does a block live as sim/README.md says, to the picosecond? One engine between hand-made kernels above and a fixed-latency memory below.
#include "sim/engine/engine.hpp"

#include <gtest/gtest.h>

#include <deque>

#include "sim/engine/kernel_graph.hpp"
#include "tests/support/toy.hpp"

namespace rooftrace {
namespace {

using toy::FixedMemory;

Step load_and_work(std::uint64_t address, double flop) {
  Step step;
  step.loads.push_back(toy::load(address, 128));
  step.work[static_cast<std::size_t>(Pipe::cuda)] = flop;
  return step;
}

EngineSpec spec(std::uint32_t sms) {
  EngineSpec s;
  s.sms = sms;
  s.cuda_rate = 1e12;  // 1 FLOP per ps and SM
  s.kernel_gap = 1000;
  s.block_start = 100;
  return s;
}

std::vector<KernelRecord> run(const EngineSpec& s, Memory& memory, const std::vector<Kernel>& kernels) {
  std::vector<KernelRecord> records(kernels.size());
  run_timed(s, memory, kernels, records, 0);
  return records;
}

// Without a pipeline (depth 1) each step is load latency then work: gap 1000 + start 100 + 3 x (500 + 70).
TEST(Engine, StepsInSeriesWithoutPipeline) {
  FixedMemory memory(500);
  const auto records = run(spec(1), memory, {toy::kernel(1, 3, [](auto, auto s) { return load_and_work(s * 128, 70); })});
  EXPECT_EQ(records[0].start, 0);
  EXPECT_EQ(records[0].end, 1000 + 100 + 3 * (500 + 70));
}

// Depth 2: loads of steps 0 and 1 at 1100, both there at 1600; work 0 until 1670, when load 2 is issued (there at 2170); work 1 until 1740;
// work 2 from 2170 to 2240.
TEST(Engine, LoadsOfTheNextStepsAreInFlightDuringWork) {
  FixedMemory memory(500);
  Kernel k = toy::kernel(1, 3, [](auto, auto s) { return load_and_work(s * 128, 70); });
  k.depth = 2;
  const auto records = run(spec(1), memory, {k});
  ASSERT_EQ(memory.calls.size(), 3U);
  EXPECT_EQ(memory.calls[0].now, 1100);
  EXPECT_EQ(memory.calls[1].now, 1100);
  EXPECT_EQ(memory.calls[2].now, 1670);
  EXPECT_EQ(records[0].end, 2240);
}

// The same with depth 1 and early loads: load 0 at 1100; work 0 from 1600, when load 1 goes out (there at 2100); work 1 from 2100, load 2
// there at 2600; work 2 until 2670.
TEST(Engine, EarlyLoadsGoOutWhenWorkBegins) {
  FixedMemory memory(500);
  Kernel k = toy::kernel(1, 3, [](auto, auto s) { return load_and_work(s * 128, 70); });
  k.early_loads = true;
  const auto records = run(spec(1), memory, {k});
  ASSERT_EQ(memory.calls.size(), 3U);
  EXPECT_EQ(memory.calls[1].now, 1600);
  EXPECT_EQ(memory.calls[2].now, 2100);
  EXPECT_EQ(records[0].end, 2670);
}

// Depth 3, but the first step names the rest: loads 1 and 2 go out when load 0 has landed.
TEST(Engine, AFirstStepThatLeadsHoldsTheOthersBack) {
  FixedMemory memory(500);
  Kernel k = toy::kernel(1, 3, [](auto, auto s) { return load_and_work(s * 128, 70); });
  k.depth = 3;
  k.first_step_leads = true;
  const auto records = run(spec(1), memory, {k});
  ASSERT_EQ(memory.calls.size(), 3U);
  EXPECT_EQ(memory.calls[1].now, 1600);
  EXPECT_EQ(memory.calls[2].now, 1600);
  EXPECT_EQ(records[0].end, 2100 + 2 * 70);
}

// Tensor 2 FLOP/ps: 100 FLOP and 20 of padding at a share of 0.75 are 80 ps; 40 ps of CUDA-core work run beside, and a quarter of them is
// exposed: 1100 + 500 + 80 + 10.
TEST(Engine, PaddingSharesAndExposedWorkTakeTensorTime) {
  FixedMemory memory(500);
  EngineSpec s = spec(1);
  s.tensor_rate.fill(2e12);
  Kernel k = toy::kernel(1, 1, [](auto, auto) {
    Step step = load_and_work(0, 40);
    step.work[static_cast<std::size_t>(Pipe::tensor)] = 100;
    step.tensor_padding = 20;
    return step;
  });
  k.tensor_share = 0.75;
  k.exposed = 0.25;
  EXPECT_EQ(run(s, memory, {k})[0].end, 1690);
}

// Without tensor work the share is one of the CUDA cores: 60 ps of work take 80 of the pipe. 1100 + 500 + 80.
TEST(Engine, AKernelWithoutTensorWorkSharesTheCudaCores) {
  FixedMemory memory(500);
  Kernel k = toy::kernel(1, 1, [](auto, auto) { return load_and_work(0, 60); });
  k.tensor_share = 0.75;
  EXPECT_EQ(run(spec(1), memory, {k})[0].end, 1680);
}

// A chain of n dependent reads takes n x latency.
TEST(Engine, DependentReadsTakeLatencyEach) {
  FixedMemory memory(375);
  const auto records = run(spec(1), memory, {toy::kernel(1, 1000, [](auto, auto s) { return load_and_work(s * 128, 0); })});
  EXPECT_EQ(records[0].end, 1100 + 1000 * 375);
}

// Four blocks, two SMs, one block per SM: two waves. Blocks go to SMs 0, 1, then to the SM that is free first.
TEST(Engine, WavesOfBlocks) {
  FixedMemory memory(500);
  const auto records = run(spec(2), memory, {toy::kernel(4, 1, [](auto b, auto) { return load_and_work(b * 128, 50); })});
  EXPECT_EQ(records[0].end, 1000 + 2 * (100 + 500 + 50));
  ASSERT_EQ(memory.calls.size(), 4U);
  EXPECT_EQ(memory.calls[0].sm, 0U);
  EXPECT_EQ(memory.calls[1].sm, 1U);
  EXPECT_EQ(memory.calls[2].address, 2 * 128U);
}

// Two resident blocks share the pipe of their SM: loads are there at 1600, work 50 each, one after the other.
TEST(Engine, ResidentBlocksShareThePipe) {
  FixedMemory memory(500);
  Kernel k = toy::kernel(2, 1, [](auto b, auto) { return load_and_work(b * 128, 50); });
  k.blocks_per_sm = 2;
  EXPECT_EQ(run(spec(1), memory, {k})[0].end, 1600 + 2 * 50);
}

// The kernel ends with its last store, 500 after it was issued at 1100 + 500 + 50.
TEST(Engine, StoresEndTheKernel) {
  FixedMemory memory(500);
  const auto records = run(spec(1), memory, {toy::kernel(1, 1, [](auto, auto) {
                             Step step = load_and_work(0, 50);
                             step.stores.push_back(toy::store(0, 128));
                             return step;
                           })});
  EXPECT_EQ(records[0].end, 1650 + 500);
}

// The second kernel of a stream starts where the first ended.
TEST(Engine, AStreamIsInOrder) {
  FixedMemory memory(500);
  const Kernel k = toy::kernel(1, 1, [](auto, auto) { return load_and_work(0, 50); });
  const auto records = run(spec(1), memory, {k, k});
  EXPECT_EQ(records[1].start, records[0].end);
  EXPECT_EQ(records[1].end, 2 * (1000 + 100 + 500 + 50));
}

// Two kernels on two streams that share no channel (different SMs have room) finish as if alone.
TEST(Engine, StreamsRunSideBySide) {
  FixedMemory memory(500);
  Kernel a = toy::kernel(1, 1, [](auto, auto) { return load_and_work(0, 50); });
  Kernel b = toy::kernel(1, 2, [](auto, auto s) { return load_and_work(s * 128, 50); });
  b.stream = 1;
  const auto records = run(spec(2), memory, {a, b});
  EXPECT_EQ(records[0].end, 1650);
  EXPECT_EQ(records[1].end, 2200);
}

// A kernel that waits for both starts at the later end.
TEST(Engine, WaitsAcrossStreams) {
  FixedMemory memory(500);
  Kernel a = toy::kernel(1, 1, [](auto, auto) { return load_and_work(0, 50); });
  Kernel b = toy::kernel(1, 2, [](auto, auto s) { return load_and_work(s * 128, 50); });
  b.stream = 1;
  Kernel c = a;
  c.waits_for = {1};
  const auto records = run(spec(2), memory, {a, b, c});
  EXPECT_EQ(records[2].start, 2200);
}

// The copy engine takes no SM and no pipe, and copy_start instead of kernel_gap.
TEST(Engine, TheCopyEngineLeavesTheSmsAlone) {
  FixedMemory memory(500);
  EngineSpec s = spec(1);
  s.copy_start = 2000;
  Kernel copy = toy::kernel(3, 1, [](auto b, auto) { return load_and_work(b * 128, 1e6); });
  copy.unit = Unit::copy_engine;
  copy.stream = 1;
  const Kernel work = toy::kernel(1, 1, [](auto, auto) { return load_and_work(0, 50); });
  const auto records = run(s, memory, {copy, work});
  EXPECT_EQ(records[0].end, 2000 + 3 * (100 + 500));  // one block at a time
  EXPECT_EQ(records[1].end, 1650);
}

// Each ring step costs one hop on top of the bytes.
TEST(Engine, SerialHopsCostLatency) {
  FixedMemory memory(500, 700);
  Kernel k = toy::kernel(1, 1, [](auto, auto) { return load_and_work(0, 50); });
  k.serial_hops = 6;
  EXPECT_EQ(run(spec(1), memory, {k})[0].end, 1650 + 6 * 700);
}

// Memory takes 500, work 50; the first loads go out at 1,100. Step 0 stores at 1,650, there at 2,150; step 1 waits for that, pauses 300,
// loads at 2,450 and stores at 3,000; step 2 waits for step 0, which is long there, loads at 3,000, stores at 3,550 and ends at 4,050.
TEST(Engine, StepsWaitForArrivalsAndPause) {
  const auto make = [](std::uint64_t, std::uint64_t s) {
    Step step = load_and_work(s * 128, 50);
    step.stores.push_back(toy::store(1 << 20 | s * 128, 128));
    step.after = s == 1 ? 1 : s == 2 ? 2 : 0;
    step.pause = s == 1 ? 300 : 0;
    return step;
  };
  Kernel k = toy::kernel(1, 3, make);
  k.longest_wait = 2;
  for (const std::uint32_t depth : {1U, 3U}) {  // A step that must wait is never issued ahead.
    k.depth = depth;
    FixedMemory memory(500);
    const auto records = run(spec(1), memory, {k});
    ASSERT_EQ(memory.calls.size(), 6U);
    EXPECT_EQ(memory.calls[0].now, 1100);
    EXPECT_EQ(memory.calls[2].now, 2450) << depth;
    EXPECT_EQ(memory.calls[4].now, 3000) << depth;
    EXPECT_EQ(records[0].end, 4050) << depth;
  }
}

/// Answers what FixedMemory would, but later: when it is asked for nothing more before.
class LaterMemory final : public Memory {
 public:
  explicit LaterMemory(Time latency) : memory_(latency) {}
  Time access(std::span<const Access> accesses, const Requester& who, Time now) override {
    asked_.push_back({now, {who.ticket, memory_.access(accesses, who, now)}});
    return kLater;
  }
  [[nodiscard]] Time link_latency(Home home) const override { return memory_.link_latency(home); }
  [[nodiscard]] Time next() const override { return asked_.empty() ? kNever : asked_.front().now; }
  void advance(std::vector<Answer>& answers) override {
    answers.push_back(asked_.front().answer);
    asked_.pop_front();
  }

 private:
  struct Asked {
    Time now;
    Answer answer;
  };
  FixedMemory memory_;
  std::deque<Asked> asked_;
};

// Whether a memory answers at once or later makes no difference to the picosecond: pipelines, stores behind the last step, arrivals,
// pauses, several blocks per SM and kernels one after the other.
TEST(Engine, AnswersMayComeLater) {
  const auto make = [](std::uint64_t b, std::uint64_t s) {
    Step step = load_and_work((b * 8 + s) * 128, 50 + 7 * static_cast<double>((b + s) % 5));
    if (s % 2 == 0) step.stores.push_back(toy::store(1 << 20 | (b * 8 + s) * 128, 128));
    step.after = s == 3 ? 1 : 0;
    step.pause = s == 5 ? 300 : 0;
    return step;
  };
  for (const std::uint32_t depth : {1U, 2U, 4U}) {
    std::vector<Kernel> kernels;
    for (std::uint32_t stream = 0; stream < 4; ++stream) {
      Kernel k = toy::kernel(9, 8, make);
      k.depth = depth;
      k.blocks_per_sm = 2;
      k.longest_wait = 1;
      k.stream = stream % 2;
      k.early_loads = stream == 3;
      kernels.push_back(k);
    }
    FixedMemory at_once(500);
    LaterMemory later(500);
    const auto expected = run(spec(2), at_once, kernels), records = run(spec(2), later, kernels);
    for (std::size_t i = 0; i < kernels.size(); ++i) {
      EXPECT_EQ(records[i].start, expected[i].start) << depth;
      EXPECT_EQ(records[i].end, expected[i].end) << depth;
    }
  }
}

// A step takes `least` from its loads to its stores; work and memory that are slower hide it.
TEST(Engine, AStepTakesItsLeastTime) {
  for (const Time least : {0, 549, 551, 5000}) {
    FixedMemory memory(500);
    Kernel k = toy::kernel(1, 1, [least](auto, auto) {
      Step step = load_and_work(0, 50);
      step.least = least;
      return step;
    });
    EXPECT_EQ(run(spec(1), memory, {k})[0].end, 1100 + std::max<Time>(550, least));
  }
}

// Memory takes 500, the link's latency is 700. Loads go out at 1,100, work is done and stores go out at 1,650; without a drain the next
// loads go at once and the last byte is there at 2,150. A drain of 100 holds the next step until 1,750, and the last byte that leaves then
// is there at 2,450; 5,000: 6,650 and 7,350. A step that waits for those stores waits for the later of the two.
TEST(Engine, StoresTakeTheirTimeToLeave) {
  for (const bool waits : {false, true}) {
    for (const Time drain : {0, 100, 5000}) {
      const auto make = [=](std::uint64_t, std::uint64_t s) {
        Step step;
        if (s == 1) {
          step.loads.push_back(toy::load(1 << 10, 128));
          step.after = waits ? 1 : 0;
          return step;
        }
        step = load_and_work(0, 50);
        step.stores.push_back(toy::store(1 << 20, 128));
        step.drain = drain;
        return step;
      };
      Kernel k = toy::kernel(1, 2, make);
      k.longest_wait = 1;
      FixedMemory memory(500, 700);
      const Time end = run(spec(1), memory, {k})[0].end;
      ASSERT_EQ(memory.calls.size(), 3U);
      EXPECT_EQ(memory.calls[1].now, 1650);
      const Time there = drain == 0 ? 2150 : std::max<Time>(2150, 1650 + drain + 700);
      const Time next = waits ? there : 1650 + drain;
      EXPECT_EQ(memory.calls[2].now, next) << drain;
      EXPECT_EQ(end, std::max(there, next + 500)) << drain;
    }
  }
}

// The functional run asks for the same accesses as the timed one.
TEST(Engine, TheFunctionalRunAsksForTheSame) {
  const auto make = [](auto b, auto s) {
    Step step = load_and_work((b * 10 + s) * 128, 10);
    step.stores.push_back(toy::store(1 << 20 | (b * 10 + s) * 128, 128));
    return step;
  };
  Kernel k = toy::kernel(7, 5, make);
  k.blocks_per_sm = 2;
  k.depth = 3;
  FixedMemory timed(500);
  FixedMemory functional(500);
  std::vector<KernelRecord> records(1);
  run_timed(spec(2), timed, std::vector{k}, records, 0);
  run_functional(spec(2), functional, std::vector{k}, records);
  std::vector<std::uint64_t> a, b;
  for (const auto& call : timed.calls) a.push_back(call.address);
  for (const auto& call : functional.calls) b.push_back(call.address);
  std::sort(a.begin(), a.end());
  std::sort(b.begin(), b.end());
  EXPECT_EQ(a, b);
  EXPECT_EQ(a.size(), 7U * 5U * 2U);
}

TEST(KernelGraph, LongestPathAndForwardWaits) {
  const Kernel k = toy::kernel(1, 1, [](auto, auto) { return Step{}; });
  Kernel other = k;
  other.stream = 1;
  Kernel join = k;
  join.waits_for = {1};
  const std::vector<Kernel> kernels = {k, other, join};
  const KernelGraph graph(kernels);
  // Paths: 0 -> 2 (1 + 4) and 1 -> 2 (3 + 4).
  EXPECT_DOUBLE_EQ(graph.critical_path(std::vector<double>{1, 3, 4}), 7);
  Kernel self = k;
  self.waits_for = {0};
  EXPECT_THROW(KernelGraph(std::vector{self}), std::invalid_argument);
}

}  // namespace
}  // namespace rooftrace
