// From full chunks to the file: encoded in parallel by TBB tasks, written in the order in which they came.
//
// Promise: at most a fixed number of chunks is in memory, and the file's bytes do not depend on how many threads encode. The caller's
// thread fills chunks while others encode; when too many wait it helps, then writes them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "traces/file/column_file.hpp"

namespace rooftrace::trace_file {

class ChunkPipeline {
 public:
  explicit ChunkPipeline(ColumnFileWriter& file);
  ~ChunkPipeline();
  ChunkPipeline(const ChunkPipeline&) = delete;
  ChunkPipeline& operator=(const ChunkPipeline&) = delete;

  /// A whole chunk. `raw` comes back empty, or with the memory of an earlier one.
  void submit(Column column, std::uint64_t chunk, std::vector<std::byte>& raw);
  /// Everything submitted so far is in the file.
  void drain();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rooftrace::trace_file
