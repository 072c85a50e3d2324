// From a MachineSpec to Peaks: plain copying.
//
// Not modeled: boost above the datasheet's clock.
#include "sim/app/peaks.hpp"

namespace rooftrace {

Peaks peaks_of(const MachineSpec& machine) {
  Peaks peaks;
  for (int i = 0; i < kDataTypes; ++i) {
    const auto type = static_cast<DataType>(i);
    // No trace of an LLM computes in fp64, and a machine file need not know its rate; all other types fall back to something.
    if (type == DataType::fp64 && !machine.sm.tensor_peak.contains(type)) continue;
    peaks.tensor[static_cast<std::size_t>(i)] = machine.peak(Pipe::tensor, type);
  }
  peaks.cuda = machine.peak(Pipe::cuda, DataType::fp32);
  peaks.sfu = machine.peak(Pipe::sfu, DataType::fp32);
  peaks.beta[static_cast<std::size_t>(LevelId::l2)] = machine.l2.peak_bandwidth;
  peaks.beta[static_cast<std::size_t>(LevelId::hbm)] = machine.hbm.bandwidth;
  peaks.beta[static_cast<std::size_t>(LevelId::nvlink)] = machine.nvlink.bandwidth;
  peaks.beta[static_cast<std::size_t>(LevelId::pcie)] = machine.pcie.bandwidth;
  return peaks;
}

}  // namespace rooftrace
