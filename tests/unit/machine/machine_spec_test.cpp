// Rates that follow from a machine's numbers, and the shape that generators see.
#include "sim/machine/machine_spec.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

namespace rooftrace {
namespace {

// 10 SMs at 1 GHz; tensor peaks quoted at 800 MHz and sustained at 600 MHz: 3/4 of the peak.
MachineSpec small_machine() {
  MachineSpec m;
  m.name = "small";
  m.sm.count = 10;
  m.sm.clock = 1e9;
  m.sm.peak_clock = 800e6;
  m.sm.tensor_clock = 600e6;
  m.sm.cuda_peak = 2e12;
  m.sm.sfu_per_clock = 16;
  m.sm.tensor_peak = {{DataType::tf32, 4e12}, {DataType::fp16, 8e12}, {DataType::int8, 16e12}};
  m.sm.shared_memory = 100 * 1024;
  m.sm.shared_memory_per_block = 99 * 1024;
  m.sm.max_blocks = 24;
  m.sm.max_cluster = 4;
  m.sm.async_copy = false;
  m.l2.capacity = 4ULL << 20;
  m.l2.effective = 3ULL << 20;
  m.l2.line = 64;
  m.l2.sector = 16;
  return m;
}

TEST(MachineSpec, PeakOfEachPipe) {
  const MachineSpec m = small_machine();
  EXPECT_DOUBLE_EQ(m.peak(Pipe::tensor, DataType::fp16), 8e12);
  EXPECT_DOUBLE_EQ(m.peak(Pipe::cuda, DataType::fp32), 2e12);
  EXPECT_DOUBLE_EQ(m.peak(Pipe::cuda, DataType::bf16), 2e12);
  EXPECT_DOUBLE_EQ(m.peak(Pipe::sfu, DataType::fp32), 160e9);  // 16 per clock x 10 SMs x 1 GHz
}

TEST(MachineSpec, SustainedIsAtTheTensorClock) {
  const MachineSpec m = small_machine();
  EXPECT_DOUBLE_EQ(m.sustained(Pipe::tensor, DataType::fp16), 6e12);  // 8e12 x 600 / 800
  EXPECT_DOUBLE_EQ(m.sustained(Pipe::cuda, DataType::fp32), 2e12);
  EXPECT_DOUBLE_EQ(m.sustained(Pipe::sfu, DataType::fp32), 160e9);
}

TEST(MachineSpec, NarrowTypesSustainAShareOfTheTensorClock) {
  MachineSpec m = small_machine();
  m.sm.tensor_share_8bit = 0.5;
  EXPECT_DOUBLE_EQ(m.sustained(Pipe::tensor, DataType::int8), 6e12);  // 16e12 x 600 / 800 x 0.5
  EXPECT_DOUBLE_EQ(m.sustained(Pipe::tensor, DataType::int4), 6e12);  // computed in int8
  EXPECT_DOUBLE_EQ(m.sustained(Pipe::tensor, DataType::fp16), 6e12);  // 8e12 x 600 / 800, the whole clock
  EXPECT_DOUBLE_EQ(m.sustained(Pipe::tensor, DataType::fp8), 6e12);   // computed in fp16: the whole clock
}

TEST(MachineSpec, AMissingTypeIsComputedInTheNextWiderOne) {
  MachineSpec m = small_machine();
  EXPECT_DOUBLE_EQ(m.peak(Pipe::tensor, DataType::fp8), 8e12);    // in fp16
  EXPECT_DOUBLE_EQ(m.peak(Pipe::tensor, DataType::fp4), 8e12);    // in fp16: no fp8 either
  EXPECT_DOUBLE_EQ(m.peak(Pipe::tensor, DataType::bf16), 8e12);   // the other 16-bit type
  EXPECT_DOUBLE_EQ(m.peak(Pipe::tensor, DataType::int4), 16e12);  // in int8
  m.sm.tensor_peak[DataType::fp8] = 17e12;
  EXPECT_DOUBLE_EQ(m.peak(Pipe::tensor, DataType::fp4), 17e12);
  m.sm.tensor_peak = {{DataType::tf32, 4e12}};
  EXPECT_DOUBLE_EQ(m.peak(Pipe::tensor, DataType::int8), 4e12);
  EXPECT_DOUBLE_EQ(m.peak(Pipe::tensor, DataType::fp16), 4e12);
}

TEST(MachineSpec, WithoutATensorTypeItRunsOnCudaCores) {
  MachineSpec m = small_machine();
  EXPECT_DOUBLE_EQ(m.peak(Pipe::tensor, DataType::fp32), 2e12);       // nothing multiplies fp32 without loss
  EXPECT_DOUBLE_EQ(m.sustained(Pipe::tensor, DataType::fp32), 2e12);  // at clock, not at tensor_clock
  m.sm.tensor_peak = {{DataType::fp16, 8e12}};                        // as on V100
  EXPECT_DOUBLE_EQ(m.peak(Pipe::tensor, DataType::tf32), 2e12);
  EXPECT_THROW((void)m.peak(Pipe::tensor, DataType::fp64), std::invalid_argument);
  m.sm.tensor_peak[DataType::fp64] = 1e12;
  EXPECT_DOUBLE_EQ(m.peak(Pipe::tensor, DataType::fp64), 1e12);
}

TEST(MachineSpec, SustainedNeverExceedsPeak) {
  const MachineSpec m = small_machine();
  for (const Pipe pipe : {Pipe::tensor, Pipe::cuda, Pipe::sfu}) {
    for (const DataType type :
         {DataType::fp32, DataType::tf32, DataType::fp16, DataType::bf16, DataType::fp8, DataType::int8, DataType::fp4, DataType::int4}) {
      EXPECT_LE(m.sustained(pipe, type), m.peak(pipe, type)) << name(pipe) << ' ' << name(type);
      EXPECT_GT(m.sustained(pipe, type), 0) << name(pipe) << ' ' << name(type);
    }
  }
}

TEST(MachineSpec, ShapeForGenerators) {
  MachineSpec m = small_machine();
  const DeviceShape shape = m.shape();
  EXPECT_EQ(shape.sms, 10U);
  EXPECT_EQ(shape.shared_memory_per_sm, 102400U);
  EXPECT_EQ(shape.shared_memory_per_block, 101376U);
  EXPECT_EQ(shape.max_blocks_per_sm, 24U);
  EXPECT_EQ(shape.l2_bytes, 3ULL << 20);  // effective, not the datasheet's
  EXPECT_EQ(shape.line_bytes, 64U);
  EXPECT_EQ(shape.sector_bytes, 16U);
  EXPECT_EQ(shape.max_cluster, 4U);
  EXPECT_FALSE(shape.async_copy);
  EXPECT_FALSE(shape.fp8_tensor);
  m.sm.tensor_peak[DataType::fp8] = 16e12;
  EXPECT_TRUE(m.shape().fp8_tensor);
}

TEST(MachineSpec, NamesOfItsWords) {
  EXPECT_EQ(name(IndexHash::hashed), "hashed");
  EXPECT_EQ(name(IndexHash::modulo), "modulo");
  EXPECT_EQ(name(Replacement::lru), "lru");
  EXPECT_EQ(name(Replacement::fifo), "fifo");
  EXPECT_EQ(name(Replacement::random), "random");
  EXPECT_EQ(name(Replacement::tree), "tree");
  EXPECT_EQ(name(Fabric::none), "none");
  EXPECT_EQ(name(Fabric::nvswitch), "nvswitch");
  EXPECT_EQ(name(Fabric::pairs), "pairs");
  EXPECT_EQ(name(Fabric::mesh), "mesh");
}

}  // namespace
}  // namespace rooftrace
