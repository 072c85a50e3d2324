// The columns of a trace as datasets of an HDF5 file: the only file that writes or reads HDF5 here, chunk by chunk, filters done elsewhere.
//
// Written in HDF5's 1.10 format, whose metadata carries checksums: a flipped bit is an error, not a wild pointer inside the library.
// Promises of the reader: before anything is read, every dataset is found behind plain links (no external files, no virtual datasets) with
// the type, the one dimension, the chunks and the filters of the layout, equal rows within a table, as many chunks as its rows need, and no
// more rows than the file's bytes can inflate to. What is wrong is a UserError "FILE: /kernel/grid: ...".
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "traces/file/column_source.hpp"

namespace rooftrace::trace_file {

class ColumnFileWriter {
 public:
  /// Creates or replaces `path`; messages say `shown`. UserError.
  ColumnFileWriter(const std::string& path, const std::string& shown);
  ~ColumnFileWriter();
  ColumnFileWriter(const ColumnFileWriter&) = delete;
  ColumnFileWriter& operator=(const ColumnFileWriter&) = delete;

  /// Chunks of a column ascend from 0. `stored` is what encode_chunk made.
  void write(Column column, std::uint64_t chunk, std::span<const std::byte> stored);
  void set_rows(Table table, std::uint64_t rows);
  /// Nothing may follow.
  void close();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

[[nodiscard]] std::shared_ptr<const ColumnSource> open_column_file(const std::string& path);

}  // namespace rooftrace::trace_file
