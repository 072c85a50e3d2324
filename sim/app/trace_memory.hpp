// Does the job of a trace file fit the memory of the machine it is to run on?
//
// A trace names no tensors of a generated job, so what the job needs is a note of the file: `memory.N` for stage N, as bytes per GPU,
// "weights=... kv=... activations=... host=..." by `trace generate` (what the scenario's own check counts), "allocations=..." by the import
// of a capture (the most that were alive at once). Without the note only what cannot be otherwise is refused: an allocation, or the bytes
// that one kernel touches, beyond the memory. Not modeled: what memory_fit.hpp does not.
#pragma once

#include <cstddef>
#include <string>

#include "sim/machine/machine_spec.hpp"
#include "traces/file/trace_file.hpp"
#include "traces/workload.hpp"

namespace rooftrace {

[[nodiscard]] std::string memory_note_key(std::size_t stage);
[[nodiscard]] std::string memory_note(const MemoryNeed& need);

/// UserError of one line when stage `stage` of the file does not fit, or its note cannot be read.
void check_trace_memory(const MachineSpec& machine, const TraceFile& file, std::size_t stage);

}  // namespace rooftrace
