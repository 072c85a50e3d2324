// The laws that every simulation obeys, on small random machines and traces. The seed of a failing case is printed.
#include <gtest/gtest.h>

#include <algorithm>

#include "sim/app/run.hpp"
#include "sim/engine/engine.hpp"
#include "sim/machine/gpu_memory.hpp"
#include "tests/support/random_world.hpp"

namespace rooftrace {
namespace {

constexpr std::uint64_t kRange = 64 * 1024;
constexpr int kCases = 150;

struct Outcome {
  std::vector<KernelRecord> records;
  Time end = 0;
  [[nodiscard]] ByteCounts q() const {
    ByteCounts sum;
    for (const KernelRecord& r : records) sum += r.q;
    return sum;
  }
};

Outcome timed(const MachineSpec& m, const std::vector<Kernel>& kernels, const L2Options& l2 = {}) {
  const std::vector<TensorRole> roles;
  GpuMemory memory(m, peer_path(m, 2), 1 << 20, &roles, l2);
  const EngineSpec spec = engine_spec(m);
  Outcome out;
  out.records.resize(kernels.size());
  out.end = run_timed(spec, memory, kernels, out.records, 0);
  return out;
}

Outcome functional(const MachineSpec& m, const std::vector<Kernel>& kernels) {
  const std::vector<TensorRole> roles;
  GpuMemory memory(m, peer_path(m, 2), 1 << 20, &roles, TagStore::automatic);
  Outcome out;
  out.records.resize(kernels.size());
  run_functional(engine_spec(m), memory, kernels, out.records);
  return out;
}

struct Totals {
  std::uint64_t local_load_sectors = 0;  ///< What the accesses ask of L2, counted here from the trace, in bytes of whole sectors.
  std::uint64_t local_store_sectors = 0;
  std::uint64_t peer = 0, host_read = 0;
  Work work{};
};

std::uint64_t sector_bytes(const Access& a) {
  std::uint64_t bytes = 0;
  for (std::uint32_t r = 0; r < a.rows; ++r) {
    const std::uint64_t first = a.address + r * a.pitch;
    bytes += ((first + a.row_bytes + 31) / 32 - first / 32) * 32;
  }
  return bytes;
}

Totals walk(const std::vector<Kernel>& kernels) {
  Totals t;
  for (const Kernel& k : kernels) {
    for (std::uint32_t b = 0; b < k.grid; ++b) {
      for (std::uint32_t s = 0; s < k.program->steps(b); ++s) {
        Step step;
        k.program->fill(b, s, step);
        for (const Access& a : step.loads) {
          (a.home == Home::local  ? t.local_load_sectors
           : a.home == Home::peer ? t.peer
                                  : t.host_read) += a.home == Home::local ? sector_bytes(a) : a.bytes();
        }
        for (const Access& a : step.stores) {
          t.local_store_sectors += sector_bytes(a);
          if (a.op == AccessOp::reduce) t.local_load_sectors += sector_bytes(a);
        }
        if (k.unit == Unit::sm) {
          for (std::size_t p = 0; p < kPipes; ++p) t.work[p] += step.work[p];
        }
      }
    }
  }
  return t;
}

class Laws : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    std::mt19937 random(static_cast<std::uint32_t>(GetParam()));
    machine_ = toy::random_machine(random);
    kernels_ = toy::random_kernels(random, kRange);
  }
  MachineSpec machine_;
  std::vector<Kernel> kernels_;
};

// Conservation: L2 is asked for exactly what the trace asks; what L2 read from HBM is exactly what it missed; links carry exactly what is
// remote.
TEST_P(Laws, BytesAreConserved) {
  for (const Contention contention : {Contention::pooled, Contention::slices}) {
    SCOPED_TRACE(name(contention));
    const Outcome out = timed(machine_, kernels_, {TagStore::automatic, contention});
    const Totals asked = walk(kernels_);
    const ByteCounts q = out.q();
    EXPECT_EQ(q.total(LevelId::l2, Direction::read), asked.local_load_sectors);
    EXPECT_EQ(q.total(LevelId::l2, Direction::write), asked.local_store_sectors);
    EXPECT_EQ(q.total(LevelId::nvlink, Direction::read), asked.peer);
    EXPECT_EQ(q.total(LevelId::nvlink, Direction::write), asked.peer);
    EXPECT_EQ(q.total(LevelId::pcie, Direction::read), asked.host_read);
    CacheCounts cache;
    for (const KernelRecord& r : out.records) cache += r.cache;
    EXPECT_EQ(q.total(LevelId::hbm, Direction::read), (cache.sectors_read - cache.sectors_hit) * 32);
  }
}

// What is fetched is at least each distinct sector that is loaded before it is stored, and at most what was asked; write-backs are at most
// what was stored.
TEST_P(Laws, CompulsoryIsBelowSimulatedIsBelowRequested) {
  for (const Outcome& out : {timed(machine_, kernels_), functional(machine_, kernels_)}) {
    const ByteCounts q = out.q();
    EXPECT_LE(q.by_cause(LevelId::hbm, Cause::compulsory), q.total(LevelId::hbm, Direction::read));
    EXPECT_LE(q.total(LevelId::hbm, Direction::read), q.total(LevelId::l2, Direction::read));
    EXPECT_LE(q.total(LevelId::hbm, Direction::write), q.total(LevelId::l2, Direction::write));
  }
}

// A machine with a huge fully associative cache fetches only compulsory bytes, and no cache fetches fewer bytes in the order of the
// functional run.
TEST_P(Laws, AHugeCacheFetchesTheCompulsoryBytesOnly) {
  MachineSpec huge = machine_;
  huge.l2.ways = 4096;
  huge.l2.effective = huge.l2.capacity = 4096 * 128;
  huge.l2.partitions = 1;
  huge.l2.policy = Replacement::lru;
  const ByteCounts q = functional(huge, kernels_).q();
  EXPECT_EQ(q.by_cause(LevelId::hbm, Cause::refetch), 0U);
  EXPECT_LE(q.total(LevelId::hbm, Direction::read), functional(machine_, kernels_).q().total(LevelId::hbm, Direction::read));
}

// Time is at least what any pipe or level needs for what went through it.
TEST_P(Laws, TimeIsAboveEveryBound) {
  for (const Contention contention : {Contention::pooled, Contention::slices}) {
    SCOPED_TRACE(name(contention));
    const Outcome out = timed(machine_, kernels_, {TagStore::automatic, contention});
    const ByteCounts q = out.q();
    const double seconds = to_seconds(out.end);
    const double slack = 1 + 1e-6;
    EXPECT_GE(seconds * slack, static_cast<double>(q.total(LevelId::hbm)) / machine_.hbm.bandwidth);
    EXPECT_GE(seconds * slack, static_cast<double>(q.total(LevelId::l2)) / machine_.l2.peak_bandwidth);
    EXPECT_GE(seconds * slack, static_cast<double>(q.total(LevelId::nvlink, Direction::read)) / machine_.nvlink.bandwidth);
    EXPECT_GE(seconds * slack, static_cast<double>(q.total(LevelId::pcie, Direction::read)) / machine_.pcie.bandwidth);
    const Work work = walk(kernels_).work;
    EXPECT_GE(seconds * slack, work[0] / machine_.peak(Pipe::tensor, DataType::bf16));
    EXPECT_GE(seconds * slack, work[1] / machine_.peak(Pipe::cuda, DataType::fp32));
    for (const KernelRecord& r : out.records) {
      EXPECT_GE(to_seconds(r.end - r.start) * slack, static_cast<double>(r.q.total(LevelId::hbm)) / machine_.hbm.bandwidth);
    }
  }
}

// And at most everything in series: all work on one SM, all bytes one after the other, every step paying the longest latency twice (load
// and store).
TEST_P(Laws, TimeIsBelowEverythingInSeries) {
  const Outcome out = timed(machine_, kernels_);
  const ByteCounts q = out.q();
  const Work work = walk(kernels_).work;
  double series = 0;
  for (const auto& [level, rate] : {std::pair{LevelId::l2, machine_.l2.bandwidth},
                                    {LevelId::hbm, machine_.hbm.bandwidth * 0.8 / machine_.hbm.channels},
                                    {LevelId::nvlink, machine_.nvlink.bandwidth * 0.8},
                                    {LevelId::pcie, machine_.pcie.bandwidth * 0.8}}) {
    series += 2 * static_cast<double>(q.total(level)) / rate;
  }
  series += static_cast<double>(q.total(LevelId::l2)) / machine_.sm.l2_port;
  series += (work[0] / 1e12 + work[1] / 2e11);
  double overheads = 0;
  for (const Kernel& k : kernels_) {
    overheads += 3e-6 + k.grid * 1e-7;
    for (std::uint32_t b = 0; b < k.grid; ++b) overheads += k.program->steps(b) * 2 * 4e-6;
  }
  EXPECT_LE(to_seconds(out.end), series + overheads);
}

// The same run gives the same bits, and so does the textbook tag store in place of the fast one.
TEST_P(Laws, SameBitsEveryTimeAndWithTheFastStoreOff) {
  for (const Contention contention : {Contention::pooled, Contention::slices}) {
    SCOPED_TRACE(name(contention));
    const Outcome first = timed(machine_, kernels_, {TagStore::automatic, contention});
    for (const TagStore store : {TagStore::automatic, TagStore::reference, TagStore::packed_portable}) {
      const Outcome other = timed(machine_, kernels_, {store, contention});
      EXPECT_EQ(first.end, other.end);
      ASSERT_EQ(first.records.size(), other.records.size());
      for (std::size_t i = 0; i < first.records.size(); ++i) {
        EXPECT_EQ(first.records[i].q, other.records[i].q);
        EXPECT_EQ(first.records[i].start, other.records[i].start);
        EXPECT_EQ(first.records[i].end, other.records[i].end);
      }
    }
  }
}

// All rates x 2, all latencies / 2: the machine runs the same film at twice the speed, so every time is half and every byte the same.
// (Times are whole picoseconds, so a chain of n events may round n times: the tolerance is one picosecond per event, not a share of the
// result.)
TEST_P(Laws, DoublingTheMachineHalvesTheTime) {
  MachineSpec fast = machine_;
  for (double* rate : {&fast.sm.cuda_peak, &fast.sm.tensor_peak[DataType::bf16], &fast.sm.l2_port, &fast.l2.bandwidth, &fast.hbm.bandwidth,
                       &fast.nvlink.bandwidth, &fast.pcie.bandwidth})
    *rate *= 2;
  for (double* latency :
       {&fast.l2.latency_near, &fast.l2.latency_far, &fast.hbm.latency, &fast.hbm.dram.activate, &fast.hbm.dram.activate_same_group,
        &fast.hbm.dram.row_cycle, &fast.hbm.dram.turnaround, &fast.hbm.dram.refresh, &fast.hbm.dram.refresh_interval, &fast.nvlink.latency,
        &fast.pcie.latency, &fast.launch.kernel_gap, &fast.launch.block_start, &fast.launch.copy_start})
    *latency /= 2;
  // One block at a time, so that rounding cannot change an order.
  std::vector<Kernel> kernels = kernels_;
  for (Kernel& k : kernels) {
    k.grid = 1;
    k.stream = 0;
  }
  const Outcome slow_run = timed(machine_, kernels);
  const Outcome fast_run = timed(fast, kernels);
  EXPECT_EQ(slow_run.q(), fast_run.q());
  EXPECT_NEAR(static_cast<double>(slow_run.end), 2.0 * static_cast<double>(fast_run.end), 400.0);
}

// Cutting every access in two changes no byte at any level.
TEST_P(Laws, SplittingAccessesChangesNoByte) {
  std::vector<Kernel> split = kernels_;
  for (std::size_t i = 0; i < split.size(); ++i) {
    const auto original = kernels_[i].program;
    const std::uint32_t steps = original->steps(0);
    split[i].program = std::make_shared<toy::Program>(steps, [original](std::uint32_t b, std::uint32_t s) {
      Step step;
      original->fill(b, s, step);
      Step cut;
      cut.work = step.work;
      const auto halve = [](const std::vector<Access>& from, std::vector<Access>& to) {
        for (const Access& a : from) {
          for (std::uint32_t r = 0; r < a.rows; ++r) {
            Access left = a;
            left.rows = 1;
            left.address = a.address + r * a.pitch;
            left.row_bytes = a.row_bytes / 64 * 32;
            Access right = left;
            right.address += left.row_bytes;
            right.row_bytes = a.row_bytes - left.row_bytes;
            if (left.row_bytes != 0) to.push_back(left);
            to.push_back(right);
          }
        }
      };
      halve(step.loads, cut.loads);
      halve(step.stores, cut.stores);
      return cut;
    });
  }
  EXPECT_EQ(functional(machine_, kernels_).q(), functional(machine_, split).q());
}

// LRU, fully associative: more cache is never more bytes read from HBM (stack property; one block order, so functional).
TEST_P(Laws, MoreCacheIsNeverMoreBytes) {
  std::uint64_t before = ~std::uint64_t{0};
  for (const std::uint32_t ways : {4U, 16U, 65U, 130U, 400U}) {
    MachineSpec m = machine_;
    m.l2.policy = Replacement::lru;
    m.l2.ways = ways;
    m.l2.effective = m.l2.capacity = std::uint64_t{ways} * 128;
    const std::uint64_t q = functional(m, kernels_).q().total(LevelId::hbm, Direction::read);
    EXPECT_LE(q, before) << ways;
    before = q;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, Laws, ::testing::Range(1, kCases + 1));

}  // namespace
}  // namespace rooftrace
