// Small random machines and traces for the property tests: everything follows from a seed.
#pragma once

#include <random>
#include <vector>

#include "sim/machine/machine_spec.hpp"
#include "tests/support/toy.hpp"

namespace rooftrace::toy {

inline MachineSpec random_machine(std::mt19937& random) {
  const auto pick = [&random](std::initializer_list<std::uint32_t> values) { return *(values.begin() + random() % values.size()); };
  MachineSpec m;
  m.name = "random";
  m.sm.count = pick({1, 3, 7});
  m.sm.gpcs = m.sm.count == 7 ? 3 : 1;
  m.sm.clock = m.sm.peak_clock = m.sm.tensor_clock = 1e9;
  m.sm.tensor_peak[DataType::bf16] = 1e12 * m.sm.count;
  m.sm.tensor_peak[DataType::fp16] = 1e12 * m.sm.count;
  m.sm.cuda_peak = 2e11 * m.sm.count;
  m.sm.l2_port = pick({1, 4}) * 1e11;
  m.l2.ways = pick({1, 2, 4, 16});
  m.l2.effective = m.l2.capacity = std::uint64_t{m.l2.ways} * 128 * pick({1, 5, 24, 64});
  m.l2.partitions = pick({1, 2});
  m.l2.copies = m.l2.partitions > 1 && m.l2.sets() % m.l2.partitions == 0 && random() % 2 == 0;
  m.l2.hash = random() % 2 == 0 ? IndexHash::hashed : IndexHash::modulo;
  m.l2.policy = random() % 4 == 0 ? Replacement::fifo : Replacement::lru;
  m.l2.bandwidth = m.l2.peak_bandwidth = pick({2, 8}) * 1e11;
  m.l2.latency_near = 100e-9;
  m.l2.latency_far = 180e-9;
  m.hbm.channels = pick({1, 5, 8});
  m.hbm.bandwidth = pick({1, 2}) * 1e11;
  m.hbm.dram.pseudo_channels = pick({1, 2});
  m.hbm.dram.burst = pick({16, 32, 64});
  m.hbm.dram.activate = pick({0, 1}) * 5e-9;
  m.hbm.dram.activate_same_group = 1.5 * m.hbm.dram.activate;
  m.hbm.dram.row_cycle = pick({0, 1}) * 40e-9;
  m.hbm.dram.refresh = static_cast<double>(m.hbm.channels % 2) * 200e-9;
  m.hbm.dram.refresh_interval = static_cast<double>(m.hbm.channels % 2) * 2e-6;
  m.hbm.dram.refresh_takes_channel = random() % 2 == 0;
  m.hbm.dram.turnaround = pick({0, 1}) * 30e-9;
  m.hbm.dram.scheduled = 0.9;
  m.hbm.latency = 400e-9;
  m.hbm.capacity = 1ULL << 30;
  m.nvlink = {1e11, 0.8, 1e-6};
  m.pcie = {2e10, 0.8, 2e-6};
  m.node.gpus = 2;
  m.node.fabric = Fabric::nvswitch;
  m.launch = {1e-6, 1e-7, 3e-6};
  return m;
}

/// Kernels whose blocks load and store random runs of a small address range, some of it on peers and host.
inline std::vector<Kernel> random_kernels(std::mt19937& random, std::uint64_t range) {
  std::vector<Kernel> kernels;
  const auto count = static_cast<std::uint32_t>(1 + random() % 4);
  for (std::uint32_t k = 0; k < count; ++k) {
    const std::uint32_t seed = static_cast<std::uint32_t>(random());
    const auto steps = static_cast<std::uint32_t>(1 + random() % 6);
    Kernel kernel = toy::kernel(static_cast<std::uint32_t>(1 + random() % 20), steps, [seed, range](std::uint32_t b, std::uint32_t s) {
      std::mt19937 r(seed + b * 1000 + s);
      Step step;
      const std::uint32_t loads = static_cast<std::uint32_t>(r() % 4);
      for (std::uint32_t i = 0; i < loads; ++i) {
        Access a = load((r() % range) / 32 * 32, static_cast<std::uint32_t>(1 + r() % 16) * 32);
        a.rows = static_cast<std::uint32_t>(1 + r() % 4);
        a.pitch = 4096;
        if (r() % 8 == 0) a.home = r() % 2 == 0 ? Home::peer : Home::host;
        step.loads.push_back(a);
      }
      step.work = {static_cast<double>(r() % 100000), static_cast<double>(r() % 5000), 0};
      if (r() % 2 == 0) step.stores.push_back(store((r() % range) / 32 * 32, static_cast<std::uint32_t>(1 + r() % 8) * 32));
      if (!step.stores.empty() && r() % 9 == 0) step.stores.back().op = AccessOp::reduce;
      return step;
    });
    kernel.blocks_per_sm = static_cast<std::uint32_t>(1 + random() % 3);
    kernel.depth = static_cast<std::uint32_t>(1 + random() % 4);
    kernel.stream = static_cast<std::uint32_t>(random() % 2);
    if (k > 0 && random() % 3 == 0) kernel.waits_for.push_back(static_cast<std::uint32_t>(random() % k));
    if (random() % 6 == 0) kernel.unit = Unit::copy_engine;
    kernels.push_back(std::move(kernel));
  }
  return kernels;
}

}  // namespace rooftrace::toy
