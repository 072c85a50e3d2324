// Roofline numbers derived by hand on a machine of round rates.
#include "analysis/roofline.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

namespace rooftrace {
namespace {

// pi: bf16 1000 TFLOP/s, fp8 2000, CUDA 50, SFU 5 Top/s. beta: L2 5 TB/s, HBM 2.5 TB/s, NVLink 500 GB/s and PCIe 50 GB/s each way.
// Ridges of bf16: L2 200, HBM 400, NVLink 2000, PCIe 20000 FLOP/B.
Peaks round_peaks() {
  Peaks peaks;
  peaks.tensor[static_cast<std::size_t>(DataType::bf16)] = 1000e12;
  peaks.tensor[static_cast<std::size_t>(DataType::fp8)] = 2000e12;
  peaks.cuda = 50e12;
  peaks.sfu = 5e12;
  peaks.beta = {5e12, 2.5e12, 500e9, 50e9};
  return peaks;
}

struct Q {
  LevelId level;
  Direction direction;
  std::uint64_t bytes;
};

KernelRecord kernel(double tensor, double cuda, double sfu, std::initializer_list<Q> bytes, DataType type = DataType::bf16) {
  KernelRecord record;
  record.tensor_type = type;
  record.work = {tensor, cuda, sfu};
  for (const Q& q : bytes) record.q.at(q.level, TensorRole::weights, q.direction, Cause::compulsory) += q.bytes;
  return record;
}

Roofline roof(const KernelRecord& record) {
  const Peaks peaks = round_peaks();
  return roofline(demand_of(record, peaks), peaks);
}

constexpr auto kRead = Direction::read;
constexpr auto kWrite = Direction::write;

TEST(Roofline, ComputeBoundKernel) {
  // W = 2e12 on the tensor pipe: 2e12 / 1e15 = 2 ms. L2 5e9 B: 1 ms, I = 2e12/5e9 = 400 > 200. HBM 2e9 + 0.5e9 B: 2.5e9 / 2.5e12 = 1 ms,
  // I = 800 > 400. Both ceilings are pi.
  const Roofline r = roof(
      kernel(2e12, 0, 0, {{LevelId::l2, kRead, 5'000'000'000}, {LevelId::hbm, kRead, 2'000'000'000}, {LevelId::hbm, kWrite, 500'000'000}}));
  EXPECT_DOUBLE_EQ(r.bound, 2e-3);
  EXPECT_EQ(r.binding, Resource::tensor);
  EXPECT_DOUBLE_EQ(r.pi, 1e15);
  EXPECT_DOUBLE_EQ(r.level(LevelId::l2).intensity, 400);
  EXPECT_DOUBLE_EQ(r.level(LevelId::hbm).intensity, 800);
  EXPECT_DOUBLE_EQ(r.level(LevelId::l2).ceiling, 1e15);
  EXPECT_DOUBLE_EQ(r.level(LevelId::hbm).ceiling, 1e15);
  EXPECT_FALSE(r.level(LevelId::l2).memory_bound);
  EXPECT_FALSE(r.level(LevelId::hbm).memory_bound);
  EXPECT_DOUBLE_EQ(r.seconds_of(Resource::l2), 1e-3);
  EXPECT_DOUBLE_EQ(r.seconds_of(Resource::hbm), 1e-3);
}

TEST(Roofline, HbmBoundKernel) {
  // A weight stream: W = 1e10 (0.01 ms), HBM 1e10 B: 4 ms, I = 1, ceiling 1 * 2.5e12. L2 1.25e10 B: 2.5 ms, I = 0.8, ceiling 0.8 * 5e12.
  // I is below the ridge at L2 too, but HBM takes longer, so HBM binds.
  const Roofline r = roof(kernel(1e10, 0, 0, {{LevelId::hbm, kRead, 10'000'000'000}, {LevelId::l2, kRead, 12'500'000'000}}));
  EXPECT_DOUBLE_EQ(r.bound, 4e-3);
  EXPECT_EQ(r.binding, Resource::hbm);
  EXPECT_DOUBLE_EQ(r.level(LevelId::hbm).intensity, 1);
  EXPECT_DOUBLE_EQ(r.level(LevelId::hbm).ceiling, 2.5e12);
  EXPECT_DOUBLE_EQ(r.level(LevelId::l2).intensity, 0.8);
  EXPECT_DOUBLE_EQ(r.level(LevelId::l2).ceiling, 4e12);
  EXPECT_TRUE(r.level(LevelId::hbm).memory_bound);
  EXPECT_TRUE(r.level(LevelId::l2).memory_bound);
}

TEST(Roofline, PcieBoundKernel) {
  // Weights from the host: 1e9 B over PCIe at 50 GB/s: 20 ms; W = 4e9 on the CUDA cores: 0.08 ms; I = 4, ceiling 4 * 50e9 = 2e11.
  const Roofline r = roof(kernel(0, 4e9, 0, {{LevelId::pcie, kRead, 1'000'000'000}, {LevelId::l2, kRead, 1'000'000'000}}));
  EXPECT_DOUBLE_EQ(r.bound, 20e-3);
  EXPECT_EQ(r.binding, Resource::pcie);
  EXPECT_DOUBLE_EQ(r.pi, 50e12);
  EXPECT_DOUBLE_EQ(r.level(LevelId::pcie).intensity, 4);
  EXPECT_DOUBLE_EQ(r.level(LevelId::pcie).ceiling, 2e11);
  EXPECT_TRUE(r.level(LevelId::pcie).memory_bound);
}

TEST(Roofline, RidgeCountsAsMemoryBoundAndOneByteDecides) {
  // pi/beta of HBM is 400 FLOP/B; W = 4e12 puts the ridge at exactly 1e10 B. One byte less makes I > pi/beta, so the pipe binds.
  const auto at = [](std::uint64_t bytes) { return roof(kernel(4e12, 0, 0, {{LevelId::hbm, kRead, bytes}})); };
  EXPECT_TRUE(at(10'000'000'000).level(LevelId::hbm).memory_bound);
  EXPECT_EQ(at(10'000'000'000).binding, Resource::hbm);
  EXPECT_DOUBLE_EQ(at(10'000'000'000).level(LevelId::hbm).ceiling, 1e15);
  EXPECT_FALSE(at(9'999'999'999).level(LevelId::hbm).memory_bound);
  EXPECT_EQ(at(9'999'999'999).binding, Resource::tensor);
  EXPECT_TRUE(at(10'000'000'001).level(LevelId::hbm).memory_bound);
}

TEST(Roofline, LevelThatNothingCrossedDoesNotLimit) {
  const Roofline r = roof(kernel(1e12, 0, 0, {{LevelId::l2, kRead, 1000}}));
  for (LevelId level : {LevelId::hbm, LevelId::nvlink, LevelId::pcie}) {
    EXPECT_TRUE(std::isinf(r.level(level).intensity));
    EXPECT_DOUBLE_EQ(r.level(level).ceiling, r.pi);
    EXPECT_FALSE(r.level(level).memory_bound);
    EXPECT_EQ(r.seconds_of(resource_of(level)), 0);
  }
}

TEST(Roofline, CopyWithoutWork) {
  // 1e9 B read and 1e9 B written at HBM share 2.5 TB/s: 0.8 ms. No FLOP: I = 0, ceiling 0 FLOP/s, and 0 <= pi/beta.
  const Roofline r = roof(kernel(0, 0, 0, {{LevelId::hbm, kRead, 1'000'000'000}, {LevelId::hbm, kWrite, 1'000'000'000}}));
  EXPECT_DOUBLE_EQ(r.bound, 0.8e-3);
  EXPECT_EQ(r.binding, Resource::hbm);
  EXPECT_EQ(r.level(LevelId::hbm).intensity, 0);
  EXPECT_EQ(r.level(LevelId::hbm).ceiling, 0);
  EXPECT_TRUE(r.level(LevelId::hbm).memory_bound);
}

TEST(Roofline, NothingToDoBindsNowhere) {
  const Roofline r = roof(kernel(0, 0, 0, {}));
  EXPECT_EQ(r.binding, std::nullopt);
  EXPECT_EQ(r.bound, 0);
}

TEST(Roofline, LinksCountTheBusierDirectionAndMemoriesTheSum) {
  // NVLink, 500 GB/s each way: 3e9 in and 2e9 out take 6 ms, not 10. At L2 (5 TB/s shared) the same bytes are 5e9: 1 ms.
  const KernelRecord k = kernel(0, 6e9, 0,
                                {{LevelId::nvlink, kRead, 3'000'000'000},
                                 {LevelId::nvlink, kWrite, 2'000'000'000},
                                 {LevelId::l2, kRead, 3'000'000'000},
                                 {LevelId::l2, kWrite, 2'000'000'000}});
  const Roofline r = roof(k);
  EXPECT_DOUBLE_EQ(r.seconds_of(Resource::nvlink), 6e-3);
  EXPECT_DOUBLE_EQ(r.seconds_of(Resource::l2), 1e-3);
  EXPECT_EQ(r.binding, Resource::nvlink);
  EXPECT_DOUBLE_EQ(r.level(LevelId::nvlink).intensity, 2);   // 6e9 / 3e9
  EXPECT_DOUBLE_EQ(r.level(LevelId::l2).intensity, 1.2);     // 6e9 / 5e9
  EXPECT_DOUBLE_EQ(r.level(LevelId::nvlink).ceiling, 1e12);  // 2 * 500e9 = W / bound
  EXPECT_DOUBLE_EQ(r.flop / r.bound, r.level(LevelId::nvlink).ceiling);
  // The other direction alone.
  const Roofline out = roof(kernel(0, 0, 0, {{LevelId::pcie, kRead, 1}, {LevelId::pcie, kWrite, 500'000'000}}));
  EXPECT_DOUBLE_EQ(out.bound, 10e-3);
}

TEST(Roofline, SpecialFunctionUnitsAreASecondCeilingButNotWork) {
  // Attention: 1e12 FLOP take 1 ms on the tensor pipe, 1e10 exp take 2 ms on the SFU: pi of this mix is 1e12 / 2 ms = 500 TFLOP/s, and I
  // counts FLOP only: 1e12 / 1e9 = 1000.
  const Roofline r = roof(kernel(1e12, 0, 1e10, {{LevelId::hbm, kRead, 1'000'000'000}}));
  EXPECT_EQ(r.binding, Resource::sfu);
  EXPECT_DOUBLE_EQ(r.bound, 2e-3);
  EXPECT_DOUBLE_EQ(r.pi, 500e12);
  EXPECT_DOUBLE_EQ(r.level(LevelId::hbm).intensity, 1000);
}

TEST(Roofline, PipesWorkSideBySide) {
  // 1e12 tensor (1 ms) and 1e11 CUDA FLOP (2 ms): W = 1.1e12, bound 2 ms, pi = 1.1e12 / 2 ms = 550 TFLOP/s.
  const Roofline r = roof(kernel(1e12, 1e11, 0, {}));
  EXPECT_EQ(r.binding, Resource::cuda);
  EXPECT_DOUBLE_EQ(r.bound, 2e-3);
  EXPECT_DOUBLE_EQ(r.pi, 550e12);
}

TEST(Roofline, DemandsOfDifferentTypesAddUpInTime) {
  // 1e12 FLOP in bf16 (1 ms) and 1e12 in fp8 (0.5 ms): 2e12 FLOP in 1.5 ms.
  const Peaks peaks = round_peaks();
  Demand sum = demand_of(kernel(1e12, 0, 0, {{LevelId::l2, kRead, 10}}), peaks);
  sum += demand_of(kernel(1e12, 0, 0, {{LevelId::l2, kRead, 20}, {LevelId::l2, kWrite, 5}}, DataType::fp8), peaks);
  const Roofline r = roofline(sum, peaks);
  EXPECT_DOUBLE_EQ(r.bound, 1.5e-3);
  EXPECT_DOUBLE_EQ(r.pi, 2e12 / 1.5e-3);
  EXPECT_EQ(r.level(LevelId::l2).bytes, 35u);
}

TEST(Roofline, CompulsoryDemandUsesTheOtherCounters) {
  KernelRecord k = kernel(1e12, 0, 0, {{LevelId::hbm, kRead, 500}});
  k.compulsory.at(LevelId::hbm, TensorRole::kv, kRead, Cause::compulsory) = 200;
  EXPECT_EQ(demand_of(k, round_peaks()).serial_bytes(LevelId::hbm), 500u);
  EXPECT_EQ(compulsory_demand_of(k, round_peaks()).serial_bytes(LevelId::hbm), 200u);
}

TEST(Roofline, UseWithoutARateIsAContradictionNotAnInfinity) {
  Peaks peaks = round_peaks();
  peaks.beta[static_cast<std::size_t>(LevelId::nvlink)] = 0;
  const KernelRecord over_nvlink = kernel(0, 0, 0, {{LevelId::nvlink, kWrite, 1}});
  EXPECT_THROW((void)roofline(demand_of(over_nvlink, peaks), peaks), std::logic_error);
  EXPECT_THROW((void)demand_of(kernel(1, 0, 0, {}, DataType::fp4), peaks), std::logic_error);
  EXPECT_EQ(roofline(demand_of(kernel(0, 1, 0, {}, DataType::fp4), peaks), peaks).binding, Resource::cuda);  // fp4 is not used here
}

TEST(Roofline, BoundsRoundDownToPicoseconds) {
  EXPECT_EQ(whole_picoseconds(2.9e-12), 2);
  EXPECT_EQ(whole_picoseconds(0.9e-12), 0);
  EXPECT_EQ(whole_picoseconds(0), 0);
  EXPECT_EQ(whole_picoseconds(1.0), 1'000'000'000'000);
}

TEST(Roofline, ResourcesCarryTheWordsOfPipesAndLevels) {
  EXPECT_EQ(name(Resource::tensor), name(Pipe::tensor));
  EXPECT_EQ(name(Resource::sfu), name(Pipe::sfu));
  EXPECT_EQ(name(Resource::l2), name(LevelId::l2));
  EXPECT_EQ(name(Resource::pcie), name(LevelId::pcie));
  EXPECT_EQ(resource_of(LevelId::nvlink), Resource::nvlink);
}

}  // namespace
}  // namespace rooftrace
