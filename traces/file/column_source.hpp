// Where the columns of a trace come from: a file in truth, memory in tests.
//
// Chunks come as stored, filters still on: what they inflate to is checked by the one who decodes them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "traces/file/trace_layout.hpp"

namespace rooftrace::trace_file {

struct StoredChunk {
  std::vector<std::byte> bytes;
  std::uint32_t filter_mask = 0;
  std::uint64_t offset = 0;  ///< In the file, for messages.
};

class ColumnSource {
 public:
  virtual ~ColumnSource() = default;
  /// All columns of a table have the same two. chunk_rows is 1 to kMostChunkRows.
  [[nodiscard]] virtual std::uint64_t rows(Table table) const = 0;
  [[nodiscard]] virtual std::uint32_t chunk_rows(Table table) const = 0;
  /// Chunk number `chunk` < ceil(rows / chunk_rows). Thread-safe. UserError when it cannot be read.
  virtual void read(Column column, std::uint64_t chunk, StoredChunk& out) const = 0;
  /// The file's name for messages, and its size.
  [[nodiscard]] virtual const std::string& name() const = 0;
  [[nodiscard]] virtual std::uint64_t file_bytes() const = 0;
};

}  // namespace rooftrace::trace_file
