// Finding, decoding and forgetting chunks.
#include "traces/file/column_cache.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "sim/core/error.hpp"
#include "traces/file/chunk_codec.hpp"

namespace rooftrace::trace_file {

ColumnCache::ColumnCache(std::shared_ptr<const ColumnSource> source, std::size_t budget) : source_(std::move(source)), budget_(budget) {}

void ColumnCache::move(Column column, std::uint64_t row) {
  const Table table = shape_of(column).table;
  const std::uint64_t rows = source_->rows(table), chunk_rows = source_->chunk_rows(table);
  if (row >= rows) throw UserError(fmt::format("{}: {}: row {} is beyond its {} rows", source_->name(), path_of(column), row, rows));
  const std::uint64_t index = row / chunk_rows;
  const auto c = static_cast<std::size_t>(column);
  std::vector<std::unique_ptr<Chunk>>& chunks = chunks_[c];
  if (chunks.empty()) chunks.resize(static_cast<std::size_t>((rows + chunk_rows - 1) / chunk_rows));
  std::unique_ptr<Chunk>& chunk = chunks[static_cast<std::size_t>(index)];
  if (chunk == nullptr) {
    make_room(static_cast<std::size_t>(chunk_rows) * bytes_of(shape_of(column).element));
    chunk = decode(column, index);
    used_ += chunk->bytes;
    loaded_.push_back({c, index});
  }
  chunk->last_used = ++now_;
  const std::uint64_t first = index * chunk_rows;
  windows_[c] = {first, std::min(chunk_rows, rows - first), reinterpret_cast<const std::byte*>(chunk->words.data())};
}

std::unique_ptr<ColumnCache::Chunk> ColumnCache::decode(Column column, std::uint64_t index) {
  const ColumnShape& shape = shape_of(column);
  const std::size_t element = bytes_of(shape.element);
  const std::uint64_t chunk_rows = source_->chunk_rows(shape.table);
  source_->read(column, index, stored_);
  auto chunk = std::make_unique<Chunk>();
  chunk->bytes = static_cast<std::size_t>(chunk_rows) * element;
  chunk->words.resize((chunk->bytes + 7) / 8);
  try {
    decode_chunk(stored_.bytes, stored_.filter_mask, element, std::as_writable_bytes(std::span(chunk->words)).first(chunk->bytes),
                 scratch_);
  } catch (const BadChunk& bad) {
    throw UserError(fmt::format("{}: {}: chunk {} (row {}, byte {}): {}", source_->name(), path_of(column), index, index * chunk_rows,
                                stored_.offset, bad.what()));
  }
  return chunk;
}

void ColumnCache::make_room(std::size_t bytes) {
  while (used_ + bytes > budget_) {
    auto oldest = loaded_.end();
    std::uint64_t age = UINT64_MAX;
    for (auto place = loaded_.begin(); place != loaded_.end(); ++place) {
      const Chunk& chunk = *chunks_[place->column][static_cast<std::size_t>(place->chunk)];
      const bool current = windows_[place->column].data == reinterpret_cast<const std::byte*>(chunk.words.data());
      if (current || chunk.last_used >= age) continue;
      oldest = place;
      age = chunk.last_used;
    }
    if (oldest == loaded_.end()) return;
    std::unique_ptr<Chunk>& chunk = chunks_[oldest->column][static_cast<std::size_t>(oldest->chunk)];
    used_ -= chunk->bytes;
    chunk.reset();
    *oldest = loaded_.back();
    loaded_.pop_back();
  }
}

}  // namespace rooftrace::trace_file
