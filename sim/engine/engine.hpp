// The discrete-event engine: replays kernels, block by block and step by step, against the memories of a machine.
//
// Time has one owner: this class. A block's life is begin -> (loads ready -> work -> stores) per step -> leave; up to `depth` steps have
// their loads in flight (the software pipeline). Events are "this block may go on"; lines are calls. Work takes the SM's pipes in the order
// in which it becomes ready. A step may wait for the arrival of what its block stored before, and pause (Step). A kernel ends when its last
// byte is through. A memory may answer an access later (Memory::advance); what needs the answer waits. Not modeled: instruction issue,
// warps, L1, clocks that move.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "sim/core/level.hpp"
#include "sim/core/run_record.hpp"
#include "sim/engine/engine_spec.hpp"

namespace rooftrace {

/// Runs `kernels` with time, the first launch being issued at `start`, and fills start, end, q and cache of `records` (same length; q and
/// cache are added to). Returns when everything is through. Kernels may only wait for kernels of the same span.
Time run_timed(const EngineSpec& spec, Memory& memory, std::span<const Kernel> kernels, std::span<KernelRecord> records, Time start);

/// The same bytes without time: kernels in order; the blocks that fit on the machine take turns, one step each, a new block taking the
/// place of one that is done.
void run_functional(const EngineSpec& spec, Memory& memory, std::span<const Kernel> kernels, std::span<KernelRecord> records);

}  // namespace rooftrace
