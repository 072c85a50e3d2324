// The inner loop of writing a trace.
#include "traces/file/record_columns.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <stdexcept>

#include "traces/file/access_laws.hpp"

namespace rooftrace::trace_file {
namespace {

[[noreturn]] void fail(const std::string& why) {
  throw std::invalid_argument(why);
}

}  // namespace

std::size_t RecordColumns::ShapeHash::operator()(const Access& a) const {
  const std::uint64_t small = static_cast<std::uint64_t>(a.op) | static_cast<std::uint64_t>(a.hint) << 8 |
                              static_cast<std::uint64_t>(a.role) << 16 | static_cast<std::uint64_t>(a.home) << 24 |
                              std::uint64_t{a.multicast} << 32;
  return mixed(mixed(mixed(1, a.pitch), std::uint64_t{a.rows} << 32 | a.row_bytes), small);
}

bool RecordColumns::SameShape::operator()(const Access& a, const Access& b) const {
  return a.pitch == b.pitch && a.rows == b.rows && a.row_bytes == b.row_bytes && a.op == b.op && a.hint == b.hint && a.role == b.role &&
         a.home == b.home && a.multicast == b.multicast;
}

std::size_t RecordColumns::KindHash::operator()(const Kind& kind) const {
  std::uint64_t hash = mixed(1, std::uint64_t{kind.loads} << 32 | kind.stores);
  for (const double work : kind.work) hash = mixed(hash, std::bit_cast<std::uint64_t>(work));
  hash = mixed(hash, std::bit_cast<std::uint64_t>(kind.timing.tensor_padding));
  hash = mixed(hash, kind.timing.after);
  hash = mixed(hash, static_cast<std::uint64_t>(kind.timing.pause));
  hash = mixed(hash, static_cast<std::uint64_t>(kind.timing.least));
  return mixed(hash, static_cast<std::uint64_t>(kind.timing.drain));
}

void RecordColumns::begin_stage() {
  address_end_ = 0;
  pages_.clear();
  last_first_page_ = UINT64_MAX;
}

void RecordColumns::begin_kernel(std::uint32_t grid) {
  grid_ = grid;
  next_block_ = 0;
  open_ = false;
  first_block_ = all_blocks_;
}

void RecordColumns::open_block(std::uint32_t block, std::uint32_t sm) {
  if (block >= grid_) fail(fmt::format("a grid of {} has no such block", grid_));
  if (open_) close_block();
  if (block < next_block_) fail("blocks must ascend");
  for (;;) {
    block_ = next_block_++;
    steps_ = 0;
    sm_ = block_ == block ? sm : kNoSm;
    first_step_ = all_steps_;
    first_access_ = all_accesses_;
    open_ = true;
    if (block_ == block) return;
    close_block();
  }
}

void RecordColumns::close_block() {
  if (steps_ == 0) add_step(block_, 0, {}, {}, {}, {});
  columns_.put(Column::block_first_step, first_step_);
  columns_.put(Column::block_steps, steps_);
  columns_.put(Column::block_first_access, first_access_);
  columns_.put(Column::block_sm, sm_);
  ++all_blocks_;
  open_ = false;
}

void RecordColumns::place_block(std::uint32_t block, std::uint32_t sm) {
  open_block(block, sm);
}

std::uint64_t RecordColumns::end_kernel() {
  if (next_block_ < grid_) open_block(grid_ - 1, kNoSm);
  if (open_) close_block();
  return first_block_;
}

void RecordColumns::add_step(std::uint32_t block, std::uint32_t step, std::span<const Access> loads, const Work& work,
                             std::span<const Access> stores, const StepTiming& timing) {
  if (!open_ || block != block_) open_block(block, kNoSm);
  if (step != steps_) fail(fmt::format("steps must ascend: step {} is next", steps_));
  if (loads.size() + stores.size() > kMostStepAccesses) fail("more than 2^20 accesses in a step");
  const std::uint64_t in_block = all_accesses_ - first_access_;
  if (steps_ == UINT32_MAX || in_block + loads.size() + stores.size() > UINT32_MAX) fail("more than 2^32 steps or accesses in a block");

  const Kind kind{static_cast<std::uint32_t>(loads.size()), static_cast<std::uint32_t>(stores.size()), work, timing};
  const std::uint32_t number = kind_of(kind);
  if (recent_.size() < loads.size() + stores.size()) recent_.resize(loads.size() + stores.size());
  std::size_t position = 0;
  for (const Access& access : loads) put_access(access, position++, true);
  for (const Access& access : stores) put_access(access, position++, false);
  columns_.put(Column::step_kind, number);
  columns_.put(Column::step_first_access, static_cast<std::uint32_t>(in_block));
  ++steps_;
  ++all_steps_;
}

void RecordColumns::put_access(const Access& access, std::size_t position, bool is_load) {
  Recent& recent = recent_[position];
  if (recent.extent == 0 || !SameShape()(access, recent.shape)) recall(access, recent);
  if (is_load != (access.op == AccessOp::load)) fail(is_load ? "a store among the loads" : "a load among the stores");
  const std::uint64_t end = access.address + recent.extent;
  if (access.address > (1ULL << kAddressBits) || end > (1ULL << kAddressBits)) fail("an address at or above 2^42");
  columns_.put(Column::access_address, access.address);
  columns_.put(Column::access_shape, recent.number);
  ++all_accesses_;
  address_end_ = std::max(address_end_, end);
  touch(access.address, end, access.role);
}

void RecordColumns::recall(const Access& access, Recent& recent) {
  std::uint64_t extent = 0;
  if (const std::string why = broken_shape(access, extent); !why.empty()) fail(why);
  recent.number = shapes_.number(access, [&](const Access& a) {
    if (shapes_.next() == UINT32_MAX) fail("more than 2^32 shapes of accesses");
    columns_.put(Column::access_shape_pitch, a.pitch);
    columns_.put(Column::access_shape_rows, a.rows);
    columns_.put(Column::access_shape_row_bytes, a.row_bytes);
    columns_.put(Column::access_shape_op, static_cast<std::uint8_t>(a.op));
    columns_.put(Column::access_shape_hint, static_cast<std::uint8_t>(a.hint));
    columns_.put(Column::access_shape_role, static_cast<std::uint8_t>(a.role));
    columns_.put(Column::access_shape_home, static_cast<std::uint8_t>(a.home));
    columns_.put(Column::access_shape_multicast, a.multicast);
  });
  recent.shape = access;
  recent.extent = extent;
}

std::uint32_t RecordColumns::kind_of(const Kind& kind) {
  if (kind_known_ && kind == recent_kind_) return recent_kind_number_;
  for (const double work : kind.work) {
    if (!(work >= 0 && work <= kMostStepWork)) fail("work is negative, no number, or more than 2^40");
  }
  if (const std::string why = broken_timing(kind.timing); !why.empty()) fail(why);
  recent_kind_number_ = kinds_.number(kind, [&](const Kind& k) {
    if (kinds_.next() == UINT32_MAX) fail("more than 2^32 kinds of steps");
    columns_.put(Column::step_kind_loads, k.loads);
    columns_.put(Column::step_kind_stores, k.stores);
    columns_.put(Column::step_kind_tensor_work, k.work[0]);
    columns_.put(Column::step_kind_cuda_work, k.work[1]);
    columns_.put(Column::step_kind_sfu_work, k.work[2]);
    columns_.put(Column::step_kind_tensor_padding, k.timing.tensor_padding);
    columns_.put(Column::step_kind_after, k.timing.after);
    columns_.put(Column::step_kind_pause, static_cast<std::int64_t>(k.timing.pause));
    columns_.put(Column::step_kind_least, static_cast<std::int64_t>(k.timing.least));
    columns_.put(Column::step_kind_drain, static_cast<std::int64_t>(k.timing.drain));
  });
  recent_kind_ = kind;
  kind_known_ = true;
  return recent_kind_number_;
}

void RecordColumns::touch(std::uint64_t begin, std::uint64_t end, TensorRole role) {
  const std::uint64_t first = begin / kPageBytes, last = (end - 1) / kPageBytes;
  if (first == last_first_page_ && last == last_last_page_ && role == last_role_) return;
  if (pages_.size() <= last) pages_.resize(last + 1, TensorRole::activations);
  // Pages between the rows of a strided access belong to its tensor too: tensors do not share pages.
  std::fill(pages_.begin() + static_cast<std::ptrdiff_t>(first), pages_.begin() + static_cast<std::ptrdiff_t>(last + 1), role);
  last_first_page_ = first;
  last_last_page_ = last;
  last_role_ = role;
}

void RecordColumns::repeat(std::uint64_t begin, std::uint64_t end, std::int64_t shift) {
  // All layers are alike, so their pages are; a layer further up takes its roles from the one below.
  const auto pages = shift / static_cast<std::int64_t>(kPageBytes);
  last_first_page_ = UINT64_MAX;
  for (std::uint64_t page = begin / kPageBytes; page < end / kPageBytes && page < pages_.size(); ++page) {
    const std::int64_t to = static_cast<std::int64_t>(page) + pages;
    if (to < 0 || static_cast<std::uint64_t>(to) >= end / kPageBytes || static_cast<std::uint64_t>(to) < begin / kPageBytes) continue;
    if (pages_.size() <= static_cast<std::uint64_t>(to)) pages_.resize(static_cast<std::uint64_t>(to) + 1, TensorRole::activations);
    pages_[static_cast<std::size_t>(to)] = pages_[page];
  }
}

}  // namespace rooftrace::trace_file
