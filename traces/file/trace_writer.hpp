// A TraceSink that writes a trace file (traces/README.md has the format, field by field).
//
// Promises: memory of a few chunks, whatever the trace's length; the same calls give the same bytes at any number of threads; the file is
// complete when finish() returns and useless before. It writes straight to `path`: who wants "whole or not at all" gives it a temporary
// name. Compression is done by TBB tasks of the calling thread's arena.
#pragma once

#include <memory>
#include <string>

#include "traces/file/trace_sink.hpp"

namespace rooftrace {

/// `path` as in messages may differ from where the bytes go: `shown` (default: path) is what a user reads. UserError when the file cannot
/// be made.
[[nodiscard]] std::unique_ptr<TraceSink> make_trace_writer(const std::string& path, const std::string& shown = "");

}  // namespace rooftrace
