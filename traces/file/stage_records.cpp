// From rows to steps: the inner loop of reading a trace.
#include "traces/file/stage_records.hpp"

#include <fmt/format.h>

#include <utility>

#include "sim/core/error.hpp"
#include "traces/file/access_laws.hpp"

namespace rooftrace::trace_file {
namespace {

constexpr std::size_t kRowBudget = std::size_t{32} << 20;

class FileProgram final : public BlockProgram {
 public:
  FileProgram(std::shared_ptr<StageRecords> records, KernelBlocks kernel) : records_(std::move(records)), kernel_(std::move(kernel)) {}
  [[nodiscard]] std::uint32_t steps(std::uint32_t block) const override { return records_->steps(kernel_, block); }
  void fill(std::uint32_t block, std::uint32_t step, Step& out) const override { records_->fill(kernel_, block, step, out); }

 private:
  std::shared_ptr<StageRecords> records_;
  KernelBlocks kernel_;
};

}  // namespace

std::shared_ptr<const BlockProgram> make_file_program(std::shared_ptr<StageRecords> records, KernelBlocks kernel) {
  return std::make_shared<FileProgram>(std::move(records), std::move(kernel));
}

StageRecords::StageRecords(std::shared_ptr<const ColumnSource> source, std::shared_ptr<const WordTable> words, std::size_t budget)
    : words_(std::move(words)),
      columns_(source, budget),
      kinds_(source->rows(Table::step_kind), source->chunk_rows(Table::step_kind), kRowBudget),
      shapes_(source->rows(Table::access_shape), source->chunk_rows(Table::access_shape), kRowBudget) {}

void StageRecords::fail(const KernelBlocks& kernel, std::uint32_t block, std::uint32_t step, const std::string& why) const {
  throw UserError(fmt::format("{}: kernel {} ({}) block {} step {}: {}", columns_.source().name(), kernel.index, quoted_word(kernel.label),
                              block, step, why));
}

void StageRecords::bad_row(Column column, std::uint64_t row, const std::string& why) const {
  throw UserError(fmt::format("{}: {}: row {}: {}", columns_.source().name(), path_of(column), row, why));
}

std::uint64_t StageRecords::next_of(Column column, std::uint64_t row, Table counted) {
  const bool last = row + 1 >= columns_.source().rows(shape_of(column).table);
  return last ? columns_.source().rows(counted) : columns_.at<std::uint64_t>(column, row + 1);
}

std::uint32_t StageRecords::steps_locked(const KernelBlocks& kernel, std::uint32_t block) {
  if (block >= kernel.grid) fail(kernel, block, 0, fmt::format("the grid has {} blocks", kernel.grid));
  const auto steps = columns_.at<std::uint32_t>(Column::block_steps, kernel.first_block + block);
  if (steps == 0) fail(kernel, block, 0, "the block has no steps");
  // Blocks that shared steps could make a small file walk for ever.
  const std::uint64_t row = kernel.first_block + block;
  const std::uint64_t first = columns_.at<std::uint64_t>(Column::block_first_step, row);
  if (first > columns_.source().rows(Table::step) || first + steps != next_of(Column::block_first_step, row, Table::step))
    fail(kernel, block, 0, "its steps do not end where others begin");
  return steps;
}

std::uint32_t StageRecords::steps(const KernelBlocks& kernel, std::uint32_t block) {
  const std::scoped_lock lock(mutex_);
  return steps_locked(kernel, block);
}

std::uint32_t StageRecords::sm(const KernelBlocks& kernel, std::uint32_t block) {
  const std::scoped_lock lock(mutex_);
  static_cast<void>(steps_locked(kernel, block));
  return columns_.at<std::uint32_t>(Column::block_sm, kernel.first_block + block);
}

void StageRecords::fill(const KernelBlocks& kernel, std::uint32_t block, std::uint32_t step, Step& out) {
  const std::scoped_lock lock(mutex_);
  const std::uint32_t steps = steps_locked(kernel, block);
  if (step >= steps) fail(kernel, block, step, fmt::format("the block has {} steps", steps));
  const std::uint64_t block_row = kernel.first_block + block;
  const std::uint64_t step_row = columns_.at<std::uint64_t>(Column::block_first_step, block_row) + step;
  const Kind kind = kind_at(columns_.at<std::uint32_t>(Column::step_kind, step_row));
  const std::uint64_t count = std::uint64_t{kind.loads} + kind.stores;
  const auto first_access = columns_.at<std::uint64_t>(Column::block_first_access, block_row);
  const std::uint64_t first = first_access + columns_.at<std::uint32_t>(Column::step_first_access, step_row);
  const bool last = step + 1 == steps;
  const std::uint64_t behind = last ? next_of(Column::block_first_access, block_row, Table::access)
                                    : first_access + columns_.at<std::uint32_t>(Column::step_first_access, step_row + 1);
  const std::uint64_t all = columns_.source().rows(Table::access);
  if (first_access > all || first > all || first + count != behind)
    fail(kernel, block, step, fmt::format("its {} accesses from row {} on do not end where others begin", count, first));

  if (kind.timing.after > kernel.longest_wait)
    fail(kernel, block, step, fmt::format("it waits {} steps back, its kernel at most {}", kind.timing.after, kernel.longest_wait));
  out.work = kind.work;
  out.tensor_padding = kind.timing.tensor_padding;
  out.after = kind.timing.after;
  out.pause = kind.timing.pause;
  out.least = kind.timing.least;
  out.drain = kind.timing.drain;
  out.loads.reserve(kind.loads);
  out.stores.reserve(kind.stores);
  std::uint64_t row = first;
  for (std::uint64_t done = 0; done < count;) {
    const auto addresses = columns_.run<std::uint64_t>(Column::access_address, row, count - done);
    const auto shapes = columns_.run<std::uint32_t>(Column::access_shape, row, addresses.size());
    for (std::size_t i = 0; i < shapes.size(); ++i, ++done) {
      const Shape& shape = shape_at(shapes[i]);
      std::uint64_t address = addresses[i];
      if (address - kernel.shift_begin < kernel.shift_end - kernel.shift_begin) address += static_cast<std::uint64_t>(kernel.shift);
      if (address > kernel.address_end || shape.extent > kernel.address_end - address)
        fail(kernel, block, step,
             fmt::format("access {} at {:#x} ends beyond the stage's address_end {:#x}", done, address, kernel.address_end));
      const bool is_load = done < kind.loads;
      if (is_load != (shape.access.op == AccessOp::load))
        fail(kernel, block, step, is_load ? "a store among the loads" : "a load among the stores");
      Access& access = (is_load ? out.loads : out.stores).emplace_back(shape.access);
      access.address = address;
    }
    row += shapes.size();
  }
}

const StageRecords::Kind& StageRecords::kind_at(std::uint64_t row) {
  if (row >= kinds_.rows()) bad_row(Column::step_kind, row, fmt::format("there are only {} kinds", kinds_.rows()));
  return kinds_.at(row, [this](std::uint64_t first, std::uint64_t count, std::vector<Kind>& to) {
    for (std::uint64_t i = 0; i < count; ++i) to.push_back(load_kind(first + i));
  });
}

const StageRecords::Shape& StageRecords::shape_at(std::uint64_t row) {
  if (row >= shapes_.rows()) bad_row(Column::access_shape, row, fmt::format("there are only {} shapes", shapes_.rows()));
  return shapes_.at(row, [this](std::uint64_t first, std::uint64_t count, std::vector<Shape>& to) {
    for (std::uint64_t i = 0; i < count; ++i) to.push_back(load_shape(first + i));
  });
}

StageRecords::Kind StageRecords::load_kind(std::uint64_t row) {
  Kind kind;
  kind.loads = columns_.at<std::uint32_t>(Column::step_kind_loads, row);
  kind.stores = columns_.at<std::uint32_t>(Column::step_kind_stores, row);
  if (std::uint64_t{kind.loads} + kind.stores > kMostStepAccesses)
    bad_row(Column::step_kind_loads, row, "more than 2^20 accesses in a step");
  constexpr std::array kColumnOfPipe = {Column::step_kind_tensor_work, Column::step_kind_cuda_work, Column::step_kind_sfu_work};
  for (std::size_t pipe = 0; pipe < kPipes; ++pipe) {
    kind.work[pipe] = columns_.at<double>(kColumnOfPipe[pipe], row);
    if (!(kind.work[pipe] >= 0 && kind.work[pipe] <= kMostStepWork))
      bad_row(kColumnOfPipe[pipe], row, fmt::format("{} is not an amount of work from 0 to 2^40", kind.work[pipe]));
  }
  kind.timing.tensor_padding = columns_.at<double>(Column::step_kind_tensor_padding, row);
  kind.timing.after = columns_.at<std::uint32_t>(Column::step_kind_after, row);
  kind.timing.pause = columns_.at<std::int64_t>(Column::step_kind_pause, row);
  kind.timing.least = columns_.at<std::int64_t>(Column::step_kind_least, row);
  kind.timing.drain = columns_.at<std::int64_t>(Column::step_kind_drain, row);
  if (const std::string why = broken_timing(kind.timing); !why.empty()) bad_row(Column::step_kind_pause, row, why);
  return kind;
}

template <typename Enum>
Enum StageRecords::word(Words list, Column column, std::uint64_t row) {
  const auto number = columns_.at<std::uint8_t>(column, row);
  const std::optional<std::uint8_t> value = words_->value(list, number);
  if (!value) bad_row(column, row, words_->describe(list, number));
  return static_cast<Enum>(*value);
}

StageRecords::Shape StageRecords::load_shape(std::uint64_t row) {
  Shape shape;
  Access& access = shape.access;
  access.pitch = columns_.at<std::uint64_t>(Column::access_shape_pitch, row);
  access.rows = columns_.at<std::uint32_t>(Column::access_shape_rows, row);
  access.row_bytes = columns_.at<std::uint32_t>(Column::access_shape_row_bytes, row);
  access.op = word<AccessOp>(Words::op, Column::access_shape_op, row);
  access.hint = word<CacheHint>(Words::hint, Column::access_shape_hint, row);
  access.role = word<TensorRole>(Words::role, Column::access_shape_role, row);
  access.home = word<Home>(Words::home, Column::access_shape_home, row);
  access.multicast = columns_.at<std::uint8_t>(Column::access_shape_multicast, row);
  if (const std::string why = broken_shape(access, shape.extent); !why.empty()) bad_row(Column::access_shape_rows, row, why);
  return shape;
}

std::string StageRecords::check_order(const KernelBlocks& kernel, Position& position) {
  const std::scoped_lock lock(mutex_);
  if (kernel.first_block != position.block) return fmt::format("its blocks begin at row {}, not {}", kernel.first_block, position.block);
  for (std::uint32_t block = 0; block < kernel.grid; ++block, ++position.block) {
    const std::uint32_t steps = steps_locked(kernel, block);
    const auto first_step = columns_.at<std::uint64_t>(Column::block_first_step, position.block);
    const auto first_access = columns_.at<std::uint64_t>(Column::block_first_access, position.block);
    if (first_step != position.step) return fmt::format("block {}: its steps begin at row {}, not {}", block, first_step, position.step);
    if (first_access != position.access)
      return fmt::format("block {}: its accesses begin at row {}, not {}", block, first_access, position.access);
    for (std::uint32_t step = 0; step < steps; ++step, ++position.step) {
      const auto at = columns_.at<std::uint32_t>(Column::step_first_access, position.step);
      if (first_access + at != position.access)
        return fmt::format("block {} step {}: its accesses begin at row {}, not {}", block, step, first_access + at, position.access);
      const Kind& kind = kind_at(columns_.at<std::uint32_t>(Column::step_kind, position.step));
      position.access += std::uint64_t{kind.loads} + kind.stores;
    }
  }
  return {};
}

}  // namespace rooftrace::trace_file
