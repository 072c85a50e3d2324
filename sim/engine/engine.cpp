#include "sim/engine/engine.hpp"

#include <algorithm>
#include <array>
#include <deque>
#include <vector>

#include "sim/engine/block_scheduler.hpp"
#include "sim/engine/channel.hpp"
#include "sim/engine/event_queue.hpp"
#include "sim/engine/kernel_graph.hpp"
#include "sim/engine/sm_pipes.hpp"
#include "sim/engine/tickets.hpp"

namespace rooftrace {
namespace {

enum EventKind : std::uint32_t { kLaunch, kBegin, kWork, kDone, kIssue, kDrained };
constexpr std::uint32_t kKindBits = 3;

/// A step whose loads have been issued, or that waits to issue them.
struct InFlight {
  Step step;
  Time issued = 0;
  Time ready = 0;
};

/// A resident block.
struct Block {
  std::uint32_t kernel = 0;
  std::uint32_t index = 0;
  std::uint32_t place = 0;
  std::uint32_t steps = 0;
  std::uint32_t current = 0;   ///< Step whose work is next or under way.
  std::uint32_t issued = 0;    ///< Steps whose loads have been issued.
  bool waiting = false;        ///< The next step to issue is filled in and waits for an arrival or a pause.
  bool needs_loads = false;    ///< The current step goes on when the memory has answered.
  bool needs_arrival = false;  ///< The waiting step goes on when the memory has answered a store.
  std::uint32_t life = 0;      ///< Which block this is of those that have had this slot.
  std::vector<InFlight> pipeline;
  std::vector<Time> arrivals;  ///< Of what the last steps stored; step i at i modulo the size. Empty: nobody waits for them.
};

struct KernelState {
  std::uint32_t waits = 0;   ///< Predecessors that have not ended.
  std::uint32_t placed = 0;  ///< Blocks given a place so far.
  std::uint32_t running = 0;
  std::uint32_t share = 0;
  std::uint32_t unanswered = 0;  ///< Accesses that the memory will answer later.
  Time ready = 0;                ///< Latest end of a predecessor.
  Time end = 0;                  ///< Latest byte through so far.
};

class TimedRun {
 public:
  TimedRun(const EngineSpec& spec, Memory& memory, std::span<const Kernel> kernels, std::span<KernelRecord> records)
      : spec_(spec),
        memory_(memory),
        kernels_(kernels),
        records_(records),
        graph_(kernels),
        states_(kernels.size()),
        scheduler_(spec.sms, spec.max_blocks_per_sm),
        pipes_(spec.sms + 1) {}

  Time run(Time start) {
    end_ = start;
    for (std::uint32_t k = 0; k < kernels_.size(); ++k) {
      states_[k].waits = static_cast<std::uint32_t>(graph_.predecessors(k).size());
      states_[k].ready = start;
      states_[k].share = BlockScheduler::share(kernels_[k]);
      if (states_[k].waits == 0) schedule_launch(k);
    }
    while (true) {
      // On equal times events go first: they may ask for more at that time.
      const Time next = memory_.next();
      if (next != kNever && (events_.empty() || next < events_.next_time())) {
        take_answers();
        continue;
      }
      if (events_.empty()) break;
      const EventQueue::Event event = events_.pop();
      const std::uint32_t slot = event.slot >> kKindBits;
      switch (event.slot & ((1U << kKindBits) - 1)) {
        case kLaunch:
          launch(slot, event.time);
          break;
        case kBegin:
          begin(slot, event.time);
          break;
        case kWork:
          work(slot, event.time);
          break;
        case kIssue:
          issue_waiting(slot, event.time);
          break;
        case kDrained:
          go_on(slot, event.time);
          break;
        default:
          done(slot, event.time);
          break;
      }
    }
    return end_;
  }

 private:
  void schedule(Time time, std::uint32_t slot, EventKind kind) { events_.push(time, slot << kKindBits | kind); }

  void schedule_launch(std::uint32_t k) {
    records_[k].start = states_[k].ready;
    schedule(states_[k].ready + (kernels_[k].unit == Unit::copy_engine ? spec_.copy_start : spec_.kernel_gap), k, kLaunch);
  }

  void launch(std::uint32_t k, Time now) {
    open_.insert(std::upper_bound(open_.begin(), open_.end(), k), k);
    if (kernels_[k].unit == Unit::copy_engine) {
      fill_place(scheduler_.copy_engine(), now);
      return;
    }
    std::uint32_t place = 0;
    KernelState& state = states_[k];
    while (state.placed < kernels_[k].grid) {
      place = scheduler_.find(place, state.share);
      if (place == scheduler_.sms()) break;
      put(k, place, now);
      place = place + 1 < scheduler_.sms() ? place + 1 : 0;
    }
    close_full();
  }

  /// Gives the room that became free at `place` to waiting blocks, oldest kernel first.
  void fill_place(std::uint32_t place, Time now) {
    const bool copies = place == scheduler_.copy_engine();
    for (const std::uint32_t k : open_) {
      if ((kernels_[k].unit == Unit::copy_engine) != copies) continue;
      while (states_[k].placed < kernels_[k].grid && scheduler_.has_room(place, states_[k].share)) put(k, place, now);
    }
    close_full();
  }

  void close_full() {
    std::erase_if(open_, [this](std::uint32_t k) { return states_[k].placed == kernels_[k].grid; });
  }

  void put(std::uint32_t k, std::uint32_t place, Time now) {
    std::uint32_t slot = 0;
    if (free_.empty()) {
      slot = static_cast<std::uint32_t>(blocks_.size());
      blocks_.emplace_back();
    } else {
      slot = free_.back();
      free_.pop_back();
    }
    Block& block = blocks_[slot];
    block.kernel = k;
    block.index = states_[k].placed++;
    block.place = place;
    block.steps = kernels_[k].program->steps(block.index);
    block.current = 0;
    block.issued = 0;
    if (block.pipeline.size() < buffers(kernels_[k])) block.pipeline.resize(buffers(kernels_[k]));
    block.waiting = block.needs_loads = block.needs_arrival = false;
    ++block.life;
    const std::uint32_t wait = kernels_[k].longest_wait;
    block.arrivals.assign(wait == 0 ? 0 : std::size_t{wait} + 1, 0);
    ++states_[k].running;
    scheduler_.take(place, states_[k].share);
    schedule(now + spec_.block_start, slot, kBegin);
  }

  /// Asks the memory for a step's loads or stores.
  Time ask(std::uint32_t slot, std::uint32_t step, bool stores, Time now) {
    const Block& block = blocks_[slot];
    const Step& content = in_flight(blocks_[slot], step).step;
    KernelRecord& record = records_[block.kernel];
    const Requester who{block.place, &record.q, &record.cache, tickets_.next()};
    const Time ready = memory_.access(stores ? content.stores : content.loads, who, now);
    if (ready != kLater) return ready;
    tickets_.hand_out({slot, block.life, block.kernel, step, stores, stores && content.drain > 0 ? drained(content, now) : now});
    ++states_[block.kernel].unanswered;
    return kLater;
  }

  void take_answers() {
    answers_.clear();
    memory_.advance(answers_);
    for (const Answer& answer : answers_) {
      const Ticket ticket = tickets_.take_back(answer.ticket);
      const Time ready = std::max(answer.ready, ticket.least);
      KernelState& state = states_[ticket.kernel];
      --state.unanswered;
      state.end = std::max(state.end, ready);
      Block& block = blocks_[ticket.slot];
      if (!ticket.stores) {
        in_flight(block, ticket.step).ready = ready;
        if (block.needs_loads && ticket.step == block.current) work_when_loaded(ticket.slot, ready);
      } else if (block.life == ticket.life && !block.arrivals.empty()) {
        block.arrivals[ticket.step % block.arrivals.size()] = ready;
        if (block.needs_arrival) wait(ticket.slot, ready);
      }
      if (ended(ticket.kernel)) end_kernel(ticket.kernel);
    }
  }

  /// When the last byte of stores that take their time to leave is at the peer.
  [[nodiscard]] Time drained(const Step& step, Time now) const { return now + step.drain + memory_.link_latency(Home::peer); }

  [[nodiscard]] bool ended(std::uint32_t k) const {
    return states_[k].running == 0 && states_[k].unanswered == 0 && states_[k].placed == kernels_[k].grid;
  }

  [[nodiscard]] InFlight& in_flight(Block& block, std::uint32_t step) const {
    return block.pipeline[step % buffers(kernels_[block.kernel])];
  }
  /// Steps that are in flight or under work at a time.
  [[nodiscard]] static std::uint32_t buffers(const Kernel& kernel) { return depth(kernel) + (kernel.early_loads ? 1 : 0); }
  [[nodiscard]] static std::uint32_t depth(const Kernel& kernel) { return std::max(1U, kernel.depth); }

  void issue_loads(std::uint32_t slot, Time now) {
    Block& block = blocks_[slot];
    InFlight& next = in_flight(block, block.issued);
    next.issued = now;
    next.ready = next.step.loads.empty() ? now : ask(slot, block.issued, false, now);
    KernelState& state = states_[block.kernel];
    if (next.ready != kLater) state.end = std::max(state.end, next.ready);
    ++block.issued;
  }

  /// The current step's work begins when its loads are there.
  void work_when_loaded(std::uint32_t slot, Time now) {
    Block& block = blocks_[slot];
    const Time ready = in_flight(block, block.current).ready;
    block.needs_loads = ready == kLater;
    if (!block.needs_loads) schedule(std::max(now, ready), slot, kWork);
  }

  /// Issues the loads of `count` steps from the current one on, as far as they have not been; stops at a step that must wait, and comes
  /// back when it may go on. Such a step waits first for the steps before it.
  void issue_ahead(std::uint32_t slot, Time now, std::uint32_t count) {
    Block& block = blocks_[slot];
    const std::uint32_t end = std::min(block.steps, block.current + count);
    while (block.issued < end && !block.waiting) {
      Step& step = in_flight(block, block.issued).step;
      step.clear();
      kernels_[block.kernel].program->fill(block.index, block.issued, step);
      if (step.after != 0 || step.pause != 0) {
        block.waiting = true;
        if (block.issued == block.current) wait(slot, now);
        return;
      }
      issue_loads(slot, now);
    }
  }

  /// The current step waits for its arrival, then for its pause.
  void wait(std::uint32_t slot, Time now) {
    Block& block = blocks_[slot];
    const Step& step = in_flight(block, block.current).step;
    Time start = now;
    if (step.after != 0 && step.after <= block.current) {
      const Time arrival = block.arrivals[(block.current - step.after) % block.arrivals.size()];
      block.needs_arrival = arrival == kLater;
      if (block.needs_arrival) return;
      start = std::max(start, arrival);
    }
    schedule(start + step.pause, slot, kIssue);
  }

  void issue_waiting(std::uint32_t slot, Time now) {
    Block& block = blocks_[slot];
    block.waiting = false;
    issue_loads(slot, now);
    issue_ahead(slot, now, before_work(block));
    work_when_loaded(slot, now);
  }

  /// Steps whose loads may be out before the work of the current one begins.
  [[nodiscard]] std::uint32_t before_work(const Block& block) const {
    const Kernel& kernel = kernels_[block.kernel];
    return kernel.first_step_leads && block.current == 0 ? 1 : depth(kernel);
  }

  void begin(std::uint32_t slot, Time now) {
    Block& block = blocks_[slot];
    issue_ahead(slot, now, before_work(block));
    if (block.issued > block.current) work_when_loaded(slot, now);
  }

  void work(std::uint32_t slot, Time now) {
    Block& block = blocks_[slot];
    const Kernel& kernel = kernels_[block.kernel];
    issue_ahead(slot, now, buffers(kernel));
    const InFlight& flight = in_flight(block, block.current);
    Time end = std::max(now, flight.issued + flight.step.least);
    if (block.place != scheduler_.copy_engine()) end = std::max(end, work_end(spec_, kernel, flight.step, pipes_[block.place], now));
    if (end == now) {
      done(slot, now);
    } else {
      schedule(end, slot, kDone);
    }
  }

  void done(std::uint32_t slot, Time now) {
    Block& block = blocks_[slot];
    KernelState& state = states_[block.kernel];
    const Step& step = in_flight(block, block.current).step;
    Time through = now;
    if (!step.stores.empty()) through = ask(slot, block.current, true, now);
    // What leaves slowly arrives no sooner than its last byte has left and crossed the link.
    if (step.drain > 0 && through != kLater) through = std::max(through, drained(step, now));
    state.end = std::max(state.end, through == kLater ? now : through);
    if (!block.arrivals.empty()) block.arrivals[block.current % block.arrivals.size()] = through;
    if (step.drain > 0) {
      schedule(now + step.drain, slot, kDrained);
    } else {
      go_on(slot, now);
    }
  }

  /// The stores have left the block: its next step, or its end.
  void go_on(std::uint32_t slot, Time now) {
    Block& block = blocks_[slot];
    if (++block.current < block.steps) {
      if (block.waiting && block.issued == block.current) {
        wait(slot, now);
        return;
      }
      issue_ahead(slot, now, depth(kernels_[block.kernel]));
      if (block.issued > block.current) work_when_loaded(slot, now);
      return;
    }
    leave(slot, now);
  }

  void leave(std::uint32_t slot, Time now) {
    const std::uint32_t k = blocks_[slot].kernel;
    const std::uint32_t place = blocks_[slot].place;
    KernelState& state = states_[k];
    scheduler_.leave(place, state.share);
    free_.push_back(slot);
    --state.running;
    state.end = std::max(state.end, now);
    if (ended(k)) end_kernel(k);
    fill_place(place, now);
  }

  void end_kernel(std::uint32_t k) {
    const Time end = states_[k].end + static_cast<Time>(kernels_[k].serial_hops) * memory_.link_latency(Home::peer);
    records_[k].end = end;
    end_ = std::max(end_, end);
    for (const std::uint32_t next : graph_.successors(k)) {
      states_[next].ready = std::max(states_[next].ready, end);
      if (--states_[next].waits == 0) schedule_launch(next);
    }
  }

  const EngineSpec& spec_;
  Memory& memory_;
  std::span<const Kernel> kernels_;
  std::span<KernelRecord> records_;
  KernelGraph graph_;
  std::vector<KernelState> states_;
  BlockScheduler scheduler_;
  std::vector<SmPipes> pipes_;
  std::deque<Block> blocks_;  ///< A deque, because references stay valid while blocks are added.
  std::vector<std::uint32_t> free_;
  std::vector<std::uint32_t> open_;  ///< Launched kernels with blocks that have no place yet, oldest first.
  EventQueue events_;
  Tickets tickets_;
  std::vector<Answer> answers_;
  Time end_ = 0;
};

}  // namespace

Time run_timed(const EngineSpec& spec, Memory& memory, std::span<const Kernel> kernels, std::span<KernelRecord> records, Time start) {
  return TimedRun(spec, memory, kernels, records).run(start);
}

}  // namespace rooftrace
