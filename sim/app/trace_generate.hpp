// A scenario's stages into a trace file.
#pragma once

#include <string>

#include "sim/app/options.hpp"
#include "sim/app/scenario.hpp"
#include "traces/file/trace_sink.hpp"

namespace rooftrace {

/// What a report needs to know about a stage, as it goes into the file.
[[nodiscard]] TraceStageInfo stage_info(const Scenario& scenario, const WorkloadOptions& stage);

/// Writes `output`, whole or not at all. `kernels` as in kernel_filter.hpp, "" for all. UserError.
void generate_trace_file(const Scenario& scenario, const std::string& command, const std::string& kernels, bool every_layer,
                         const std::string& output);

}  // namespace rooftrace
