// The report for programs: a RunResult as one JSON document.
//
// The same numbers as report_text at full precision, in base units with the unit at the end of the key (_s, _bytes, _flop, _flop_per_s,
// _bytes_per_s; shares and counts have none). Schema, version 1 (also in analysis/README.md):
//   format "rooftrace-report", format_version 1, rooftrace_version, rooftrace_commit, command, seed, config (resolved, YAML text),
//   hardware, hardware_title, model, weights, kv, tp, batch, context, prompt, fidelity, layers, start_state, contention
//   peaks   tensor_flop_per_s {type: rate}, cuda_flop_per_s, sfu_op_per_s, l2_ and hbm_bytes_per_s (reads and writes together),
//           nvlink_ and pcie_bytes_per_s (each way)
//   stages  [{stage, tokens, latency_s, bound_s, bound_from ("longest_path" or a resource), longest_path_s, ceiling_s, ceiling_binding,
//   tokens_per_s, ceiling_tokens_per_s,
//             bound_reached, ceiling_reached, total SUM, classes [SUM], compulsory BYTES, byte_counts [{level, role, direction, cause,
//             bytes}], kernels [...] on request}]
//   step    bound_s, ceiling_s, latency_s, binding: all stages one after the other
//   SUM     kernel_class, kernels, WORK, BYTES, l2_sectors_read, l2_sectors_hit, l2_hit_rate, l2_fabric_bytes, pi_flop_per_s,
//           levels {level: {serial_bytes, intensity_flop_per_byte, ceiling_flop_per_s, time_s, memory_bound}}, pipes {pipe: {time_s}},
//           binding, bound_s, simulated_s, bound_reached
//   WORK    flop, tensor_flop, cuda_flop, sfu_op          BYTES   LEVEL_read_bytes, LEVEL_write_bytes for l2, hbm, nvlink, pcie
// null: not simulated (times below fidelity des), or infinite (the intensity of a level that nothing crossed). byte_counts lists only what
// is not zero. With TP > 1 everything but tokens is one GPU's. Promises: the same text for the same RunResult, keys in this order; host
// time is not in it, so that runs can be compared byte for byte.
#pragma once

#include <string>

#include "sim/app/result.hpp"

namespace rooftrace {

enum class JsonKernels { omit, include };
[[nodiscard]] std::string report_json(const RunResult& result, JsonKernels kernels = JsonKernels::omit);

}  // namespace rooftrace
