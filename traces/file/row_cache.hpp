// Rows of a table put together from its columns, kept by the chunk: for tables of which every record needs one whole row.
//
// Promises: at most `budget` bytes (and always the current chunk); a reference stays valid until the next call. Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace rooftrace::trace_file {

template <typename Row>
class RowCache {
 public:
  RowCache(std::uint64_t rows, std::uint64_t chunk_rows, std::size_t budget) : rows_(rows), chunk_rows_(chunk_rows), budget_(budget) {}

  [[nodiscard]] std::uint64_t rows() const { return rows_; }

  /// `row` < rows(). `load(first, count, out)` appends the rows of a chunk that is not there.
  template <typename Load>
  [[nodiscard]] const Row& at(std::uint64_t row, Load load) {
    if (row - first_ < count_) return current_[row - first_];
    const std::uint64_t chunk = row / chunk_rows_;
    if (chunks_.empty()) chunks_.resize(static_cast<std::size_t>((rows_ + chunk_rows_ - 1) / chunk_rows_));
    std::unique_ptr<std::vector<Row>>& rows = chunks_[static_cast<std::size_t>(chunk)];
    first_ = chunk * chunk_rows_;
    count_ = 0;  // Until the chunk is there.
    if (rows == nullptr) {
      const std::uint64_t count = rows_ - first_ < chunk_rows_ ? rows_ - first_ : chunk_rows_;
      auto fresh = std::make_unique<std::vector<Row>>();
      fresh->reserve(static_cast<std::size_t>(count));
      load(first_, count, *fresh);
      if (used_ + fresh->size() * sizeof(Row) > budget_) {
        for (auto& old : chunks_) old.reset();
        used_ = 0;
      }
      used_ += fresh->size() * sizeof(Row);
      rows = std::move(fresh);
    }
    current_ = rows->data();
    count_ = rows->size();
    return current_[row - first_];
  }

 private:
  std::uint64_t rows_, chunk_rows_;
  std::size_t budget_, used_ = 0;
  std::uint64_t first_ = 0, count_ = 0;
  const Row* current_ = nullptr;
  std::vector<std::unique_ptr<std::vector<Row>>> chunks_;
};

}  // namespace rooftrace::trace_file
