// What is in a trace file, for people and for programs.
//
// Promises: the same text for the same file; sizes and counts are exact. JSON schema, version 1: format "rooftrace-trace-info",
// format_version, file, bytes, notes {key: value, of the first of that key}, records {blocks, steps, accesses, shapes, kinds}, tensors,
// stages [{stage, tokens, gpus, batch, context, prompt, model, weights, kv, seed, layer_stride, address_end, SUM, classes [SUM],
// kernel_list
// [{index, label, kernel_class, layer, stream, grid, blocks_per_sm, depth, repeats (index or null), measured_ns or null, source_name}]}]
//   SUM  kernels, blocks, steps, accesses (as they run: repeated layers counted each time), bytes [{role, home, op, bytes}]
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "traces/file/trace_file.hpp"

namespace rooftrace {

[[nodiscard]] std::string trace_info_text(const TraceFile& file);
[[nodiscard]] std::string trace_info_json(const TraceFile& file);

/// One line per kernel, step and access, on standard output as they are read. `kernel` as in kernel_filter.hpp, "" for all.
void dump_trace(const TraceFile& file, const std::string& stage, const std::string& kernel, const std::optional<std::uint32_t>& block);

}  // namespace rooftrace
