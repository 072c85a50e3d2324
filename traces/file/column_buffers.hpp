// The chunks being filled, one per column, in front of the pipeline.
//
// put() is the inner loop of writing: a store and a compare. A chunk is handed on when it is full; finish() pads the last ones with zeros,
// as HDF5 does. The columns of a table must have received equally many values by then.
#pragma once

#include <array>
#include <bit>
#include <cstring>
#include <stdexcept>
#include <vector>

#include "traces/file/chunk_pipeline.hpp"

namespace rooftrace::trace_file {

static_assert(std::endian::native == std::endian::little, "chunks are little-endian in memory as in the file");

class ColumnBuffers {
 public:
  explicit ColumnBuffers(ChunkPipeline& pipeline) : pipeline_(pipeline) {
    for (std::size_t c = 0; c < kColumns; ++c) {
      const ColumnShape& shape = column_shapes()[c];
      buffers_[c].capacity = shape_of(shape.table).chunk_rows * bytes_of(shape.element);
    }
  }

  /// T must be the column's element.
  template <typename T>
  void put(Column column, T value) {
    Buffer& buffer = buffers_[static_cast<std::size_t>(column)];
    if (buffer.used == buffer.bytes.size()) buffer.bytes.resize(buffer.capacity);
    std::memcpy(buffer.bytes.data() + buffer.used, &value, sizeof(T));
    buffer.used += sizeof(T);
    if (buffer.used == buffer.capacity) hand_on(column, buffer);
  }

  [[nodiscard]] std::uint64_t rows(Column column) const {
    const Buffer& buffer = buffers_[static_cast<std::size_t>(column)];
    return (buffer.chunks * buffer.capacity + buffer.used) / bytes_of(shape_of(column).element);
  }

  /// Hands on what is left; `set_rows(table, rows)` is called for every table.
  template <typename SetRows>
  void finish(SetRows set_rows) {
    std::array<std::uint64_t, kTables> rows_of_table{};
    std::array<bool, kTables> seen{};
    for (std::size_t c = 0; c < kColumns; ++c) {
      const auto column = static_cast<Column>(c);
      const auto t = static_cast<std::size_t>(shape_of(column).table);
      if (seen[t] && rows_of_table[t] != rows(column)) throw std::logic_error("trace file: " + path_of(column) + " has another length");
      rows_of_table[t] = rows(column);
      seen[t] = true;
    }
    for (std::size_t c = 0; c < kColumns; ++c) {
      Buffer& buffer = buffers_[c];
      if (buffer.used == 0) continue;
      buffer.bytes.resize(buffer.capacity);
      std::memset(buffer.bytes.data() + buffer.used, 0, buffer.capacity - buffer.used);
      hand_on(static_cast<Column>(c), buffer);
    }
    pipeline_.drain();
    for (std::size_t t = 0; t < kTables; ++t) set_rows(static_cast<Table>(t), rows_of_table[t]);
  }

 private:
  struct Buffer {
    std::vector<std::byte> bytes;  ///< Empty, or as long as `capacity`.
    std::size_t used = 0, capacity = 0;
    std::uint64_t chunks = 0;
  };

  void hand_on(Column column, Buffer& buffer) {
    pipeline_.submit(column, buffer.chunks++, buffer.bytes);
    buffer.bytes.clear();
    buffer.used = 0;
  }

  ChunkPipeline& pipeline_;
  std::array<Buffer, kColumns> buffers_;
};

}  // namespace rooftrace::trace_file
