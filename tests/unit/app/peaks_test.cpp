// From machine to roofline peaks.
#include "sim/app/peaks.hpp"

#include <gtest/gtest.h>

#include "tests/golden/sample_run.hpp"

namespace rooftrace {
namespace {

TEST(PeaksOf, TakesTheDatasheetFigures) {
  const Peaks peaks = peaks_of(golden::round_machine());
  EXPECT_DOUBLE_EQ(peaks.pi(Pipe::tensor, DataType::bf16), 1000e12);
  EXPECT_DOUBLE_EQ(peaks.pi(Pipe::tensor, DataType::fp8), 2000e12);
  EXPECT_DOUBLE_EQ(peaks.pi(Pipe::cuda, DataType::bf16), 50e12);
  EXPECT_DOUBLE_EQ(peaks.pi(Pipe::sfu, DataType::bf16), 3.2e12);  // 100 SMs * 16 per clock * 2 GHz
  EXPECT_DOUBLE_EQ(peaks.beta_of(LevelId::l2), 5e12);             // the peak, not the sustained 4e12
  EXPECT_DOUBLE_EQ(peaks.beta_of(LevelId::hbm), 2.5e12);
  EXPECT_DOUBLE_EQ(peaks.beta_of(LevelId::nvlink), 500e9);  // one way
  EXPECT_DOUBLE_EQ(peaks.beta_of(LevelId::pcie), 50e9);
}

TEST(PeaksOf, ATypeWithoutTensorRateFallsBackOrIsLeftOut) {
  const Peaks peaks = peaks_of(golden::round_machine());
  EXPECT_DOUBLE_EQ(peaks.pi(Pipe::tensor, DataType::fp4), 2000e12);  // widened to fp8
  EXPECT_DOUBLE_EQ(peaks.pi(Pipe::tensor, DataType::fp32), 50e12);   // CUDA cores
  EXPECT_EQ(peaks.pi(Pipe::tensor, DataType::fp64), 0);              // unknown: using it would be an error, asking is not
}

TEST(PeaksOf, PiIsNeverBelowWhatTheSimulatorSustains) {
  MachineSpec machine = golden::round_machine();
  machine.sm.tensor_clock = 1.5e9;  // the board slows down under tensor load
  const Peaks peaks = peaks_of(machine);
  for (DataType type : {DataType::fp32, DataType::tf32, DataType::fp16, DataType::bf16, DataType::fp8, DataType::int8, DataType::fp4}) {
    for (Pipe pipe : {Pipe::tensor, Pipe::cuda, Pipe::sfu}) EXPECT_GE(peaks.pi(pipe, type), machine.sustained(pipe, type)) << name(type);
  }
  EXPECT_DOUBLE_EQ(peaks.pi(Pipe::tensor, DataType::bf16), 1000e12);  // quoted, not sustained (750e12)
}

}  // namespace
}  // namespace rooftrace
