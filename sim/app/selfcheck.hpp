// A machine measured inside the simulator: do the micro-benchmarks that people run on real GPUs reach what the file promises?
//
// Streams, pointer chases and copies go through the same engine as any scenario. Printed per level and link: the datasheet rate, the
// sustained rate that the file implies, the achieved one. A stream below 90 % of its sustained rate says that the machine cannot keep
// enough bytes in flight.
#pragma once

#include <string>
#include <vector>

#include "sim/machine/machine_spec.hpp"

namespace rooftrace {

struct SelfcheckRow {
  std::string what;  ///< "HBM read"
  bool is_latency = false;
  double theory = 0;    ///< Datasheet B/s; for a latency 0.
  double expected = 0;  ///< What the file's efficiencies or latencies imply: B/s or s.
  double achieved = 0;  ///< B/s or s.
  /// Bandwidth: at least 90 % of expected and never above theory; latency: within 1 % of expected.
  [[nodiscard]] bool ok() const;
};

[[nodiscard]] std::vector<SelfcheckRow> selfcheck_rows(const MachineSpec& machine);
[[nodiscard]] std::string selfcheck_hardware(const MachineSpec& machine);

}  // namespace rooftrace
