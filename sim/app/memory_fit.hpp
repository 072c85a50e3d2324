// Does the job fit the machine, and if not, what would?
//
// Promise: a UserError of one line that holds weights + KV + activations against the GPU's memory with numbers and names the smallest
// change of each kind that fits: TP, precision, context (or prompt), batch. "Fits" is decided by the same memory_need() that counts the
// job, never by a formula of its own. Not modeled: fragmentation, and what the driver and a serving engine keep for themselves.
#pragma once

#include "sim/machine/machine_spec.hpp"
#include "traces/model_spec.hpp"
#include "traces/workload.hpp"

namespace rooftrace {

/// UserError when the workload contradicts the model or the node (check_workload; more GPUs than the node has), or does not fit the GPU's
/// or the host's memory.
void check_fit(const MachineSpec& machine, const ModelSpec& model, const WorkloadOptions& workload);

}  // namespace rooftrace
