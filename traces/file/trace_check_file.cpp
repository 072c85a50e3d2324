// check_trace_file: the laws of any trace, and those of this format.
#include <fmt/format.h>

#include <map>
#include <stdexcept>
#include <utility>

#include "traces/file/column_source.hpp"
#include "traces/file/save_trace.hpp"
#include "traces/file/stage_records.hpp"
#include "traces/file/trace_file.hpp"
#include "traces/trace_check.hpp"

namespace rooftrace {
namespace {

std::string place_of(const TraceFile& file, std::size_t stage) {
  return file.stages.size() > 1 ? fmt::format("stage {} ", stage) : "";
}

void check_order(const TraceFile& file, std::vector<std::string>& out) {
  trace_file::StageRecords::Position position;
  for (std::size_t s = 0; s < file.stages.size(); ++s) {
    const TraceFileStage& stage = file.stages[s];
    for (std::uint32_t k = 0; k < stage.kernels.size(); ++k) {
      if (stage.kernels[k].like != k) continue;
      const std::string why = stage.records->check_order(*stage.kernels[k].blocks, position);
      if (why.empty()) continue;
      out.push_back(fmt::format("{}kernel {} ({}): {}", place_of(file, s), k, stage.trace.kernels[k].label, why));
      return;  // Everything behind would be displaced as well.
    }
  }
  if (position.step != file.steps) out.push_back(fmt::format("/step: {} rows, but only {} are used", file.steps, position.step));
  if (position.access != file.accesses)
    out.push_back(fmt::format("/access: {} rows, but only {} are used", file.accesses, position.access));
}

/// What --layers auto relies on: from its second layer on, a trace with a layer_stride repeats itself.
void check_layers(const TraceFile& file, std::size_t s, std::vector<std::string>& out) {
  const TraceFileStage& stage = file.stages[s];
  const Trace& trace = stage.trace;
  if (trace.layer_stride == 0) return;
  std::map<std::int32_t, std::uint32_t> first_of;
  for (std::uint32_t k = 0; k < trace.kernels.size(); ++k) first_of.emplace(trace.kernels[k].layer, k);
  for (std::uint32_t k = 0; k < trace.kernels.size(); ++k) {
    const Kernel& kernel = trace.kernels[k];
    const auto before = first_of.find(kernel.layer - 1);
    if (kernel.layer < 2 || before == first_of.end()) continue;
    const std::uint32_t other = before->second + (k - first_of.at(kernel.layer));
    const auto stride = static_cast<std::int64_t>(trace.layer_stride);
    bool same = other < k && trace.kernels[other].layer == kernel.layer - 1 && trace.kernels[other].grid == kernel.grid;
    // Two kernels with the same records differ by their shifts; others are compared step by step.
    if (same && stage.kernels[k].like == stage.kernels[other].like) {
      same = stage.kernels[k].shift - stage.kernels[other].shift == stride;
    } else if (same) {
      same = same_up_to_shift(trace.kernels[other], kernel, trace.layers_begin, trace.layers_end, stride);
    }
    if (!same) {
      out.push_back(fmt::format("{}kernel {} ({}): layer {} is not layer {} moved by layer_stride", place_of(file, s), k, kernel.label,
                                kernel.layer, kernel.layer - 1));
      return;
    }
  }
}

}  // namespace

std::vector<std::string> check_trace_file(const TraceFile& file) {
  std::vector<std::string> out;
  check_order(file, out);
  for (std::size_t s = 0; s < file.stages.size(); ++s) {
    try {
      for (const std::string& line : check_trace(file.stages[s].trace)) out.push_back(place_of(file, s) + line);
    } catch (const std::length_error& error) {
      out.push_back(fmt::format("{}{}", place_of(file, s), error.what()));
    }
    check_layers(file, s, out);
  }
  return out;
}

}  // namespace rooftrace
