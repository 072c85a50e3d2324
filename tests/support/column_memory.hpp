// The columns of a trace file in memory, open to every kind of vandalism: what tests and fuzzers hand to open_trace().
#pragma once

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "traces/file/chunk_codec.hpp"
#include "traces/file/column_source.hpp"

namespace rooftrace::trace_file {

class ColumnMemory final : public ColumnSource {
 public:
  ColumnMemory() { chunk_.fill(kChunk); }

  /// A copy of all rows of another source.
  explicit ColumnMemory(const ColumnSource& from) : name_("memory") {
    std::vector<std::byte> scratch;
    for (std::size_t t = 0; t < kTables; ++t) {
      rows_[t] = from.rows(static_cast<Table>(t));
      chunk_[t] = kChunk;
    }
    for (std::size_t c = 0; c < kColumns; ++c) {
      const ColumnShape& shape = column_shapes()[c];
      const std::uint64_t rows = from.rows(shape.table), chunk = from.chunk_rows(shape.table);
      StoredChunk stored;
      std::vector<std::byte> raw(chunk * bytes_of(shape.element));
      for (std::uint64_t i = 0; i * chunk < rows; ++i) {
        from.read(static_cast<Column>(c), i, stored);
        decode_chunk(stored.bytes, stored.filter_mask, bytes_of(shape.element), raw, scratch);
        bytes_[c].insert(bytes_[c].end(), raw.begin(), raw.end());
      }
      bytes_[c].resize(rows * bytes_of(shape.element));
    }
  }

  [[nodiscard]] std::uint64_t rows(Table table) const override { return rows_[static_cast<std::size_t>(table)]; }
  [[nodiscard]] std::uint32_t chunk_rows(Table table) const override { return chunk_[static_cast<std::size_t>(table)]; }
  void read(Column column, std::uint64_t chunk, StoredChunk& out) const override {
    const auto c = static_cast<std::size_t>(column);
    const std::size_t element = bytes_of(shape_of(column).element);
    std::vector<std::byte> raw(chunk_rows(shape_of(column).table) * element);
    const std::size_t from = std::min(bytes_[c].size(), chunk * raw.size());
    std::copy_n(bytes_[c].begin() + static_cast<std::ptrdiff_t>(from), std::min(raw.size(), bytes_[c].size() - from), raw.begin());
    // Shuffled and with a checksum, but not deflated: that costs more than all the rest of a small trace.
    const std::size_t count = raw.size() / element;
    out.bytes.resize(raw.size());
    for (std::size_t i = 0; i < raw.size(); ++i) out.bytes[i % element * count + i / element] = raw[i];
    const std::uint32_t check = fletcher32(out.bytes);
    for (int i = 0; i < 4; ++i) out.bytes.push_back(static_cast<std::byte>(check >> (8 * i) & 0xff));
    out.filter_mask = kDeflateSkipped;
  }
  [[nodiscard]] const std::string& name() const override { return name_; }
  [[nodiscard]] std::uint64_t file_bytes() const override { return 1; }

  /// Rows that a column lacks are zeros.
  void set_rows(Table table, std::uint64_t rows) {
    rows_[static_cast<std::size_t>(table)] = rows;
    for (std::size_t c = 0; c < kColumns; ++c) {
      if (column_shapes()[c].table == table) bytes_[c].resize(rows * bytes_of(column_shapes()[c].element));
    }
  }
  [[nodiscard]] std::vector<std::byte>& bytes(Column column) { return bytes_[static_cast<std::size_t>(column)]; }
  template <typename T>
  void set(Column column, std::uint64_t row, T value) {
    std::memcpy(bytes(column).data() + row * sizeof(T), &value, sizeof(T));
  }

 private:
  static constexpr std::uint32_t kChunk = 64;
  std::string name_ = "memory";
  std::array<std::uint64_t, kTables> rows_{};
  std::array<std::uint32_t, kTables> chunk_{};
  std::array<std::vector<std::byte>, kColumns> bytes_;
};

}  // namespace rooftrace::trace_file
