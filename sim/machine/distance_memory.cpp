#include "sim/machine/distance_memory.hpp"

#include <algorithm>
#include <bit>
#include <limits>
#include <stdexcept>

namespace rooftrace {

DistanceMemory::DistanceMemory(std::uint32_t line_bytes, std::uint32_t sector_bytes)
    : line_shift_(static_cast<std::uint32_t>(std::countr_zero(line_bytes))),
      sector_shift_(static_cast<std::uint32_t>(std::countr_zero(sector_bytes))),
      sectors_per_line_(line_bytes / sector_bytes),
      full_(static_cast<std::uint32_t>((std::uint64_t{1} << sectors_per_line_) - 1)),
      books_(std::size_t{kKernelClasses} * kTensorRoles * 2) {}

void DistanceMemory::begin_kernel(KernelClass kernel_class) {
  kernel_class_ = kernel_class;
  distances_.mark();
}

Time DistanceMemory::access(std::span<const Access> accesses, const Requester& /*who*/, Time now) {
  for (const Access& access : accesses) {
    if (access.home != Home::local) continue;
    Call call;
    call.fetches = access.op != AccessOp::store;
    call.writes = access.op != AccessOp::load;
    call.book = static_cast<std::uint16_t>(
        (static_cast<std::uint32_t>(kernel_class_) * kTensorRoles + static_cast<std::uint32_t>(access.role)) * 2);
    std::uint64_t row = access.address;
    for (std::uint32_t r = 0; r < access.rows; ++r, row += access.pitch) enqueue(row, access.row_bytes, call);
    flush(call);
  }
  return now;
}

void DistanceMemory::enqueue(std::uint64_t address, std::uint32_t bytes, const Call& call) {
  if (bytes == 0) return;
  const std::uint64_t end = address + bytes;
  const std::uint64_t last = (end - 1) >> line_shift_;
  for (std::uint64_t line = address >> line_shift_; line <= last; ++line) {
    const std::uint64_t start = line << line_shift_;
    std::uint32_t sectors = full_;
    if (address > start) sectors &= full_ << ((address - start) >> sector_shift_);
    if (end - start < std::uint64_t{1} << line_shift_) sectors &= full_ >> (sectors_per_line_ - 1 - ((end - 1 - start) >> sector_shift_));
    distances_.prefetch(line);
    pending_[waiting_++] = {line, sectors};
    if (waiting_ == kBatch) flush(call);
  }
}

void DistanceMemory::flush(const Call& call) {
  for (std::uint32_t i = 0; i < waiting_; ++i) touch(pending_[i].line, pending_[i].sectors, call);
  waiting_ = 0;
}

void DistanceMemory::touch(std::uint64_t line, std::uint32_t sectors, const Call& call) {
  const StackDistances::Touched touched = distances_.touch(line);
  const bool first = touched.distance == StackDistances::kNever;
  DistanceHistogram& fetched = books_[call.book + (touched.since_mark ? 0U : 1U)].fetched;
  // Most lines are only ever read, and as a whole: then the line's own distance says it all.
  if (*touched.note == 0 && sectors == full_ && !call.writes) {
    fetched.add(touched.distance, sectors_per_line_);
    return;
  }
  if (*touched.note == 0) {
    const std::size_t place = sectors_.size() / sectors_per_line_;
    if (place >= std::numeric_limits<std::uint32_t>::max()) throw std::length_error("stack distances: more than 2^32 written lines");
    *touched.note = static_cast<std::uint32_t>(place + 1);
    sectors_.resize(sectors_.size() + sectors_per_line_);
    if (!first) {  // Until now it was used as a whole and clean.
      for (std::uint32_t s = 0; s < sectors_per_line_; ++s) sectors_[place * sectors_per_line_ + s].since_use = 0;
    }
  }
  Sector* const sector = &sectors_[std::size_t{*touched.note - 1} * sectors_per_line_];
  for (std::uint32_t s = 0; s < sectors_per_line_; ++s) {
    Sector& at = sector[s];
    if (at.since_use != StackDistances::kNever) at.since_use = std::max(at.since_use, touched.distance);
    if (at.since_write != StackDistances::kNever) at.since_write = std::max(at.since_write, touched.distance);
    if ((sectors >> s & 1U) == 0) continue;
    if (call.fetches) {
      (at.since_use == StackDistances::kNever ? books_[call.book + 1U].fetched : fetched).add(at.since_use, 1);
    }
    at.since_use = 0;
    if (!call.writes) continue;
    if (at.since_write != StackDistances::kNever) books_[at.writer].written.add(at.since_write, 1);
    at.since_write = 0;
    at.writer = static_cast<std::uint16_t>(call.book + 1U);
  }
}

void DistanceMemory::settle_dirty(std::int64_t sign) {
  distances_.for_each_line([&](std::uint64_t, std::uint32_t depth, std::uint32_t note) {
    if (note == 0) return;
    for (std::uint32_t s = 0; s < sectors_per_line_; ++s) {
      const Sector& at = sectors_[std::size_t{note - 1} * sectors_per_line_ + s];
      if (at.since_write != StackDistances::kNever) books_[at.writer].written.add(std::max(at.since_write, depth), sign);
    }
  });
}

void DistanceMemory::restart() {
  for (Book& book : books_) book = {};
  settle_dirty(-1);  // What had left by now is not to be counted when the sector is written again.
}

std::vector<ReuseCounts> DistanceMemory::finish() {
  settle_dirty(1);
  std::vector<ReuseCounts> out;
  for (std::size_t i = 0; i < books_.size(); ++i) {
    Book& book = books_[i];
    if (book.fetched.counts().empty() && book.fetched.never() == 0 && book.written.counts().empty()) continue;
    out.push_back({static_cast<KernelClass>(i / (kTensorRoles * 2)), static_cast<TensorRole>(i / 2 % kTensorRoles),
                   static_cast<ReuseScope>(i % 2), std::move(book.fetched), std::move(book.written)});
  }
  return out;
}

}  // namespace rooftrace
