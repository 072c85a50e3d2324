// Rows of columns, decoded chunk by chunk when somebody asks, and forgotten when memory is short.
//
// Promises: at most `budget` bytes of decoded chunks (and always room for the current chunk of each column); a span stays valid until the
// next call for the same column. What a chunk holds is checked by whoever asks for it; that it decodes is checked here: UserError
// "FILE: /step/kind: chunk 3 (row 196608, byte 5021): ...". Not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "traces/file/column_source.hpp"

namespace rooftrace::trace_file {

class ColumnCache {
 public:
  ColumnCache(std::shared_ptr<const ColumnSource> source, std::size_t budget);

  [[nodiscard]] const ColumnSource& source() const { return *source_; }

  /// T must be the column's element.
  template <typename T>
  [[nodiscard]] T at(Column column, std::uint64_t row) {
    const Window& window = windows_[static_cast<std::size_t>(column)];
    if (row - window.first >= window.rows) move(column, row);
    return reinterpret_cast<const T*>(window.data)[row - window.first];
  }

  /// Rows from `row` on, as many of `most` (at least 1) as lie in one chunk.
  template <typename T>
  [[nodiscard]] std::span<const T> run(Column column, std::uint64_t row, std::uint64_t most) {
    const Window& window = windows_[static_cast<std::size_t>(column)];
    if (row - window.first >= window.rows) move(column, row);
    const std::uint64_t left = window.rows - (row - window.first);
    return {reinterpret_cast<const T*>(window.data) + (row - window.first), static_cast<std::size_t>(left < most ? left : most)};
  }

 private:
  /// The chunk of a column that was asked for last.
  struct Window {
    std::uint64_t first = 0, rows = 0;
    const std::byte* data = nullptr;
  };
  struct Chunk {
    std::vector<std::uint64_t> words;  ///< Aligned for every element.
    std::uint64_t last_used = 0;
    std::size_t bytes = 0;
  };
  struct Place {
    std::size_t column;
    std::uint64_t chunk;
  };

  void move(Column column, std::uint64_t row);
  std::unique_ptr<Chunk> decode(Column column, std::uint64_t chunk);
  void make_room(std::size_t bytes);

  std::shared_ptr<const ColumnSource> source_;
  std::size_t budget_, used_ = 0;
  std::uint64_t now_ = 0;
  std::array<Window, kColumns> windows_{};
  std::array<std::vector<std::unique_ptr<Chunk>>, kColumns> chunks_;
  std::vector<Place> loaded_;
  StoredChunk stored_;
  std::vector<std::byte> scratch_;
};

}  // namespace rooftrace::trace_file
