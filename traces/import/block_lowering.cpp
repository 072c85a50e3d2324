#include "traces/import/block_lowering.hpp"

#include <algorithm>

namespace rooftrace {

void BlockLowering::clear() {
  events_.clear();
  pieces_.clear();
  warps_.clear();
  step_.clear();
  step_load_bytes_ = 0;
  any_ = emitted_ = overflowed_ = false;
}

void BlockLowering::finish_warp() {
  if (!warps_.empty()) warps_.back().end = events_.size();
}

void BlockLowering::begin_warp() {
  finish_warp();
  warps_.push_back({events_.size(), events_.size(), false});
}

void BlockLowering::push(Event event) {
  if (events_.size() >= kMostBlockEvents) {
    overflowed_ = true;
    return;
  }
  if (warps_.empty()) begin_warp();
  events_.push_back(event);
}

bool BlockLowering::access(AccessOp op, bool through_l1, const std::vector<SectorRun>& runs) {
  if (events_.size() >= kMostBlockEvents) return false;
  Event event;
  event.kind = op == AccessOp::load ? Kind::load : op == AccessOp::store ? Kind::store : Kind::reduce;
  event.through_l1 = through_l1;
  event.first = static_cast<std::uint32_t>(pieces_.size());
  for (const SectorRun& run : runs) {
    rebase_.rebase(run, pieces_);
    if (pieces_.size() > kMostBlockPieces) return false;  // At once: one run may lie in a million allocations.
  }
  event.count = static_cast<std::uint32_t>(pieces_.size()) - event.first;
  push(event);
  return true;
}

void BlockLowering::barrier() {
  Event event;
  event.kind = Kind::barrier;
  push(event);
}

void BlockLowering::invalidate_l1() {
  Event event;
  event.kind = Kind::invalidate;
  push(event);
}

void BlockLowering::work(Pipe pipe, double amount) {
  if (amount <= 0) return;
  // Work that follows work of the same pipe in the same warp is one event.
  if (!warps_.empty() && events_.size() > warps_.back().at) {
    Event& last = events_.back();
    if (last.kind == Kind::work && last.pipe == pipe && last.amount < kMostStepFlop) {
      last.amount += amount;
      return;
    }
  }
  Event event;
  event.pipe = pipe;
  event.amount = amount;
  push(event);
}

void BlockLowering::close(const Emit& emit) {
  if (!any_) return;
  ++summary_.steps;
  summary_.accesses += step_.loads.size() + step_.stores.size();
  for (const Access& access : step_.loads) summary_.load_bytes += access.bytes();
  for (const Access& access : step_.stores) {
    (access.op == AccessOp::reduce ? summary_.reduce_bytes : summary_.store_bytes) += access.bytes();
  }
  emit(step_);
  emitted_ = true;
  any_ = false;
  step_.clear();
  step_load_bytes_ = 0;
  for (Warp& warp : warps_) warp.stored = false;
}

void BlockLowering::take(const Event& event, Warp& warp, L1Filter& l1, const Emit& emit) {
  const std::span<const AddressRebase::Place> places(pieces_.data() + event.first, event.count);
  const bool load = event.kind == Kind::load;
  const bool full = step_.loads.size() + step_.stores.size() + 32 > kStepAccesses;
  if (full || (load && (warp.stored || step_load_bytes_ >= kStepBytes))) close(emit);
  warp.stored = warp.stored || !load;
  any_ = any_ || !places.empty();
  std::size_t at = 0;
  while (at < places.size()) {
    // Pieces of one role together, so that an even pattern stays one access.
    const TensorRole role = places[at].role;
    scratch_.clear();
    for (; at < places.size() && places[at].role == role && scratch_.size() < kStepAccesses; ++at) {
      const SectorRun& run = places[at].run;
      if (event.kind == Kind::reduce) l1.drop(run);
      if (!load || !event.through_l1) {
        scratch_.push_back(run);
        continue;
      }
      summary_.l1_load_bytes += run.sectors * kSectorBytes;
      summary_.l1_hit_bytes += l1.load(run, scratch_) * kSectorBytes;
    }
    if (load) {
      for (const SectorRun& run : scratch_) step_load_bytes_ += run.sectors * kSectorBytes;
      append_accesses(scratch_, AccessOp::load, role, step_.loads);
    } else {
      append_accesses(scratch_, event.kind == Kind::reduce ? AccessOp::reduce : AccessOp::store, role, step_.stores);
    }
    if (step_.loads.size() + step_.stores.size() >= kStepAccesses && at < places.size()) {
      close(emit);
      any_ = true;
    }
  }
}

/// One memory instruction of the warp and the work before it; false at a barrier and at the end.
bool BlockLowering::turn(Warp& warp, L1Filter& l1, const Emit& emit) {
  for (; warp.at < warp.end; ++warp.at) {
    const Event& event = events_[warp.at];
    switch (event.kind) {
      case Kind::barrier:
        return false;
      case Kind::invalidate:
        l1.clear();
        break;
      case Kind::work: {
        double& sum = step_.work[static_cast<std::size_t>(event.pipe)];
        if (sum + event.amount > 2 * kMostStepFlop) close(emit);
        step_.work[static_cast<std::size_t>(event.pipe)] += event.amount;
        any_ = true;
        break;
      }
      default:
        take(event, warp, l1, emit);
        ++warp.at;
        return true;
    }
  }
  return false;
}

void BlockLowering::lower(L1Filter& l1, const Emit& emit) {
  finish_warp();
  std::vector<std::size_t> waiting(warps_.size());
  for (std::size_t w = 0; w < warps_.size(); ++w) waiting[w] = w;
  while (!waiting.empty()) {
    std::vector<std::size_t> running = waiting;
    while (!running.empty()) {
      std::erase_if(running, [&](std::size_t w) { return !turn(warps_[w], l1, emit); });
    }
    // Everybody stands at a barrier or is through.
    if (!step_.loads.empty() || !step_.stores.empty()) close(emit);
    std::erase_if(waiting, [&](std::size_t w) { return ++warps_[w].at >= warps_[w].end; });
  }
  close(emit);
  if (!emitted_) {
    any_ = true;
    close(emit);
  }
}

}  // namespace rooftrace
