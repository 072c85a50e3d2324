// From a MachineSpec to Peaks: plain copying, with the larger of quoted and sustained rate.
//
// Not modeled: boost above both clocks.
#include "sim/app/peaks.hpp"

#include <algorithm>

namespace rooftrace {

Peaks peaks_of(const MachineSpec& machine) {
  const auto peak = [&](Pipe pipe, DataType type) { return std::max(machine.peak(pipe, type), machine.sustained(pipe, type)); };
  Peaks peaks;
  for (int i = 0; i < kDataTypes; ++i) {
    peaks.tensor[static_cast<std::size_t>(i)] = peak(Pipe::tensor, static_cast<DataType>(i));
  }
  peaks.cuda = peak(Pipe::cuda, DataType::fp32);
  peaks.sfu = peak(Pipe::sfu, DataType::fp32);
  peaks.beta[static_cast<std::size_t>(LevelId::l2)] = std::max(machine.l2.peak_bandwidth, machine.l2.bandwidth);
  peaks.beta[static_cast<std::size_t>(LevelId::hbm)] = machine.hbm.bandwidth;
  peaks.beta[static_cast<std::size_t>(LevelId::nvlink)] = machine.nvlink.bandwidth;
  peaks.beta[static_cast<std::size_t>(LevelId::pcie)] = machine.pcie.bandwidth;
  return peaks;
}

}  // namespace rooftrace
