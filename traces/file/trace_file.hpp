// A trace file, opened: its stages as Traces whose block programs read the records when they are pulled.
//
// Promises: a saved trace gives, kernel by kernel and step by step, what was saved; memory is the kernel table and a bounded cache of
// records, however long the trace is; programs keep the file open and may be pulled from several threads. Everything that the engine relies
// on is checked, what is small when the file is opened, records when they are read. A file that is no trace, of another version, cut off,
// damaged or absurd is a UserError that names the file, the dataset and the row or byte. Not promised: that closed forms (work, footprint)
// fit the records, or that layers really repeat; check_trace_file says.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sim/core/kernel.hpp"
#include "traces/file/trace_sink.hpp"

namespace rooftrace {

namespace trace_file {
class ColumnSource;
class StageRecords;
struct KernelBlocks;
}  // namespace trace_file

struct TraceFileKernel {
  std::string source_name;
  std::optional<double> measured_ns;
  std::uint32_t like = 0;  ///< The kernel whose records these are; its own index unless it repeats an earlier one.
  std::int64_t shift = 0;
  std::shared_ptr<const trace_file::KernelBlocks> blocks;
};

struct TraceFileStage {
  TraceStageInfo info;
  Trace trace;
  std::vector<TraceFileKernel> kernels;  ///< As long as trace.kernels.
  std::shared_ptr<trace_file::StageRecords> records;
};

struct TraceFile {
  std::string path;
  std::uint64_t bytes = 0;  ///< Of the file.
  std::vector<std::pair<std::string, std::string>> notes;
  std::vector<TraceTensor> tensors;
  std::vector<TraceFileStage> stages;
  std::uint64_t blocks = 0, steps = 0, accesses = 0;  ///< Records in the file.
  std::uint64_t shapes = 0, kinds = 0;                ///< Different shapes of accesses and kinds of steps among them.

  /// Of the first note of that key; "" when there is none.
  [[nodiscard]] std::string note(const std::string& key) const;
};

/// Decoded chunks that a stage keeps at most: 16 million records in flight.
inline constexpr std::size_t kTraceCacheBytes = std::size_t{256} << 20;

[[nodiscard]] TraceFile open_trace_file(const std::string& path, std::size_t cache_bytes = kTraceCacheBytes);
/// The same over columns that come from elsewhere.
[[nodiscard]] TraceFile open_trace(std::shared_ptr<const trace_file::ColumnSource> source, std::size_t cache_bytes = kTraceCacheBytes);

/// The SM that ran a block, where the file knows it.
[[nodiscard]] std::optional<std::uint32_t> block_sm(const TraceFileStage& stage, std::uint32_t kernel, std::uint32_t block);

/// The laws that a file breaks, one line each: those of check_trace (closed forms, addresses, waits) and those of the format (records
/// follow each other without gaps, all are used, layers that are said to repeat do). Records that cannot be read are UserErrors, as
/// everywhere.
[[nodiscard]] std::vector<std::string> check_trace_file(const TraceFile& file);

}  // namespace rooftrace
