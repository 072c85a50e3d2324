// One stage on one machine: from a trace to kernel records.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sim/app/result.hpp"
#include "sim/core/kernel.hpp"
#include "sim/core/run_record.hpp"
#include "sim/engine/engine_spec.hpp"
#include "sim/machine/gpu_memory.hpp"
#include "sim/machine/l2.hpp"
#include "sim/machine/machine_spec.hpp"

namespace rooftrace {

/// Which layers are simulated. exact: all. automatic: when the state at the end of a layer is that of the layer before, shifted, the layers
/// after it that are alike are copied: the same bits as exact. sample: the first layer and the first of each kind after
/// it, whatever the state; all others are copies of that one, so bytes and times are estimates (tests/validation/scenarios_test.cpp: how
/// near). Both need one stream of kernels (automatic also L2 sets that keep their place from layer to layer); where that is not so, all
/// layers are simulated.
enum class Layers : std::uint8_t { exact, automatic, sample };
[[nodiscard]] std::string_view name(Layers layers);  ///< "exact", "auto", "sample".
[[nodiscard]] std::vector<std::string> layers_names();
[[nodiscard]] Layers layers_from(std::string_view name);  ///< automatic when it is none of them.

struct RunOptions {
  Fidelity fidelity = Fidelity::des;
  Layers layers = Layers::exact;
  /// Warm: the caches start as a previous run of the same stage leaves them; cold: empty.
  bool warm = false;
  TagStore tag_store = TagStore::automatic;  ///< The switch for the fast cache.
  Contention contention = Contention::pooled;
  std::uint32_t group = 1;  ///< GPUs that work together (tp).
};

/// Runs the stage. Records carry compulsory bytes from the closed form and, per fidelity, simulated bytes and times.
[[nodiscard]] StageResult run_stage(const MachineSpec& machine, const Trace& trace, Stage stage, std::uint64_t tokens,
                                    const RunOptions& options);

/// Closed form: bytes of each kernel that no cache of this capacity avoids (see compulsory.cpp for the argument).
[[nodiscard]] ByteCounts compulsory_bytes(const Kernel& kernel, const MachineSpec& machine, const PeerPath& peers, bool warm);

/// The engine's view of a machine's SMs.
[[nodiscard]] EngineSpec engine_spec(const MachineSpec& machine);
/// How the first `group` GPUs of this machine's node reach each other, at worst.
[[nodiscard]] PeerPath peer_path(const MachineSpec& machine, std::uint32_t group);

/// What a generator may know of the GPU and of a group of so many.
[[nodiscard]] DeviceShape device_shape(const MachineSpec& machine, std::uint32_t group);

}  // namespace rooftrace
