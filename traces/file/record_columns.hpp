// Blocks, steps and accesses of one kernel after the other, as columns.
//
// An access becomes an address and the number of its shape (everything else it says); a step the number of its kind (how many loads and
// stores, how much work) and where its accesses begin. Kernels that walk tiles have few shapes and kinds, so this is what makes records
// small. Calls out of order and broken laws are std::invalid_argument without a place: the caller knows it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "traces/file/column_buffers.hpp"
#include "traces/file/interner.hpp"
#include "traces/file/trace_sink.hpp"

namespace rooftrace::trace_file {

class RecordColumns {
 public:
  explicit RecordColumns(ColumnBuffers& columns) : columns_(columns) {}

  void begin_stage();
  void begin_kernel(std::uint32_t grid);
  void place_block(std::uint32_t block, std::uint32_t sm);
  void add_step(std::uint32_t block, std::uint32_t step, std::span<const Access> loads, const Work& work, std::span<const Access> stores);
  [[nodiscard]] bool any_step() const { return open_ || next_block_ > 0; }
  /// Completes the grid with empty blocks; the row of the kernel's first block.
  std::uint64_t end_kernel();
  /// The pages of [begin, end) are touched `shift` bytes further up as well.
  void repeat(std::uint64_t begin, std::uint64_t end, std::int64_t shift);

  [[nodiscard]] std::uint64_t address_end() const { return address_end_; }            ///< One past the highest byte of the stage.
  [[nodiscard]] const std::vector<TensorRole>& page_roles() const { return pages_; }  ///< Of the last access of each page.

 private:
  struct ShapeHash {
    std::size_t operator()(const Access& a) const;
  };
  struct SameShape {
    bool operator()(const Access& a, const Access& b) const;
  };
  struct Kind {
    std::uint32_t loads, stores;
    Work work;
    bool operator==(const Kind&) const = default;
  };
  struct KindHash {
    std::size_t operator()(const Kind& kind) const;
  };
  /// What stood at this place of the step before: nearly always what stands there again.
  struct Recent {
    Access shape;
    std::uint32_t number = 0;
    std::uint64_t extent = 0;  ///< 0: nothing yet.
  };

  /// Blocks before `block` that got nothing become blocks of one empty step.
  void open_block(std::uint32_t block, std::uint32_t sm);
  void close_block();
  void put_access(const Access& access, std::size_t position, bool is_load);
  void recall(const Access& access, Recent& recent);
  [[nodiscard]] std::uint32_t kind_of(const Kind& kind);
  void touch(std::uint64_t begin, std::uint64_t end, TensorRole role);

  ColumnBuffers& columns_;
  Interner<Access, ShapeHash, SameShape> shapes_;
  Interner<Kind, KindHash> kinds_;
  Kind recent_kind_{};
  std::uint32_t recent_kind_number_ = 0;
  bool kind_known_ = false;
  std::vector<Recent> recent_;

  std::uint32_t grid_ = 0, next_block_ = 0, block_ = 0, steps_ = 0, sm_ = kNoSm;
  bool open_ = false;
  std::uint64_t first_block_ = 0;                    ///< Row of the kernel's block 0.
  std::uint64_t first_step_ = 0, first_access_ = 0;  ///< Rows where the open block begins.
  std::uint64_t all_steps_ = 0, all_accesses_ = 0, all_blocks_ = 0;
  std::uint64_t address_end_ = 0;
  std::vector<TensorRole> pages_;
  std::uint64_t last_first_page_ = UINT64_MAX, last_last_page_ = 0;
  TensorRole last_role_ = TensorRole::activations;
};

}  // namespace rooftrace::trace_file
