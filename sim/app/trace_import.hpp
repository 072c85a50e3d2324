// rooftrace trace import: somebody else's trace -> a trace file, and a report of what was read and what was left out.
#pragma once

#include <string>
#include <vector>

#include "sim/app/options.hpp"

namespace rooftrace {

/// Words of --format.
[[nodiscard]] std::vector<std::string> import_formats();

/// Reads arguments[1] (the file) and --format, --output, --sms, --l1, --depth; returns an exit code. UserError for everything the user or
/// the file did wrong; nothing is written then.
int import_trace(const Options& options);

}  // namespace rooftrace
