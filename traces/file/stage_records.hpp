// The records of one stage of a trace file: blocks, steps and accesses on demand, and the block programs over them.
//
// Promises: thread-safe (one lock per stage; different stages do not wait for each other but while a chunk is read from the disk); memory
// of the chunks that the blocks in flight need, up to a budget, beyond which chunks are decoded again: slower, never wrong. Every record
// obeys access_laws.hpp, lies below address_end and belongs to one step of one block (a small file cannot walk for ever), or there is a
// UserError "FILE: kernel 3 ("gemm") block 17 step 4: ...".
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "sim/core/kernel.hpp"
#include "traces/file/column_cache.hpp"
#include "traces/file/row_cache.hpp"
#include "traces/file/trace_sink.hpp"
#include "traces/file/trace_words.hpp"

namespace rooftrace::trace_file {

/// Which blocks of the file a kernel has, and how its addresses differ from theirs.
struct KernelBlocks {
  std::uint32_t index = 0;  ///< In its stage.
  std::string label;
  std::uint32_t grid = 0;
  std::uint64_t first_block = 0;
  /// Added to addresses in [shift_begin, shift_end).
  std::int64_t shift = 0;
  std::uint64_t shift_begin = 0, shift_end = 0;
  std::uint64_t address_end = 0;
  std::uint32_t longest_wait = 0;  ///< Of the kernel.
};

class StageRecords {
 public:
  StageRecords(std::shared_ptr<const ColumnSource> source, std::shared_ptr<const WordTable> words, std::size_t budget);

  [[nodiscard]] std::uint32_t steps(const KernelBlocks& kernel, std::uint32_t block);
  void fill(const KernelBlocks& kernel, std::uint32_t block, std::uint32_t step, Step& out);
  [[nodiscard]] std::uint32_t sm(const KernelBlocks& kernel, std::uint32_t block);  ///< kNoSm: not known.

  /// Rows of the three big tables, in order, as the kernels of a file use them up.
  struct Position {
    std::uint64_t block = 0, step = 0, access = 0;
    bool operator==(const Position&) const = default;
  };
  /// Whether the blocks of a kernel (with records of its own) begin where `position` says and follow each other without gap or overlap;
  /// moves `position` behind them. "" or the first place where not.
  [[nodiscard]] std::string check_order(const KernelBlocks& kernel, Position& position);

 private:
  struct Kind {
    std::uint32_t loads = 0, stores = 0;
    Work work{};
    StepTiming timing;
  };
  struct Shape {
    Access access;
    std::uint64_t extent = 0;
  };

  [[noreturn]] void fail(const KernelBlocks& kernel, std::uint32_t block, std::uint32_t step, const std::string& why) const;
  [[noreturn]] void bad_row(Column column, std::uint64_t row, const std::string& why) const;
  /// Where what follows `row` begins, in rows of `counted`.
  [[nodiscard]] std::uint64_t next_of(Column column, std::uint64_t row, Table counted);
  [[nodiscard]] std::uint32_t steps_locked(const KernelBlocks& kernel, std::uint32_t block);
  [[nodiscard]] const Kind& kind_at(std::uint64_t row);
  [[nodiscard]] const Shape& shape_at(std::uint64_t row);
  [[nodiscard]] Kind load_kind(std::uint64_t row);
  [[nodiscard]] Shape load_shape(std::uint64_t row);
  template <typename Enum>
  [[nodiscard]] Enum word(Words list, Column column, std::uint64_t row);

  std::mutex mutex_;
  std::shared_ptr<const WordTable> words_;
  ColumnCache columns_;
  RowCache<Kind> kinds_;
  RowCache<Shape> shapes_;
};

/// The block program of a kernel of a file.
[[nodiscard]] std::shared_ptr<const BlockProgram> make_file_program(std::shared_ptr<StageRecords> records, KernelBlocks kernel);

}  // namespace rooftrace::trace_file
