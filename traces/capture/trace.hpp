// The tracing policies of the kernels in this folder.
//
// A kernel is written once: RT_TRACED in front of it, RT_TRACE_ARGUMENT at the end of its parameters, and RT_TRACE(...) around every call
// of the policy. With NoTrace the calls are empty; with ROOFTRACE_STRIP_TRACE the preprocessor takes them away, and a test compares the
// machine code of the two (tests/capture/check_sass). With WarpTrace every global access is recorded (capture_format.hpp says how).
//
// Every call of a policy is a collective of the whole warp: all 32 lanes call it, `active` says who takes part in the access.
#pragma once

#include <cstdint>

#include "traces/capture/capture_format.hpp"
#include "traces/capture/portable.hpp"

#ifdef ROOFTRACE_STRIP_TRACE
#define RT_TRACED
#define RT_TRACED_PARAMETER
#define RT_TRACE_ARGUMENT
#define RT_TRACE_REFERENCE
#define RT_TRACE_PASS
#define RT_TRACE(...)
#else
#define RT_TRACED template <class Trace>
#define RT_TRACED_PARAMETER , class Trace
#define RT_TRACE_ARGUMENT , Trace trace
#define RT_TRACE_REFERENCE , Trace& trace  // For the device functions of a kernel.
#define RT_TRACE_PASS , trace
#define RT_TRACE(...) __VA_ARGS__
#endif

namespace rooftrace::capture {

struct NoTrace {
  RT_DEVICE void access(Op, const void*, unsigned, bool) {}
  RT_DEVICE void load(const void*, unsigned, bool = true) {}
  RT_DEVICE void store(const void*, unsigned, bool = true) {}
  RT_DEVICE void async_load(const void*, unsigned, bool = true) {}
  RT_DEVICE void box(Op, const void*, unsigned, unsigned, std::uint64_t) {}
  RT_DEVICE void bulk(Op, const void*, unsigned) {}
  RT_DEVICE void work(Pipe, std::uint64_t) {}
  RT_DEVICE void barrier() {}
  RT_DEVICE void finish() {}
};

/// Room for the records of one launch; on the GPU in device memory. A slab belongs to one warp of one captured block.
struct TraceSlabs {
  Record* records = nullptr;        ///< capacity per slab.
  std::uint32_t* counts = nullptr;  ///< Per slab: what the warp tried to record; kUnfinished until it called finish().
  std::uint32_t capacity = 0;
  std::uint32_t warps = 1;         ///< Per block.
  std::uint32_t block_sample = 1;  ///< Blocks with linear index % block_sample == 0 are captured.
};
inline constexpr std::uint32_t kUnfinished = 0xFFFFFFFF;

class WarpTrace {
 public:
  WarpTrace() = default;
  explicit WarpTrace(const TraceSlabs& slabs) : slabs_(slabs) {}

  /// One access of the warp: each active lane `bytes_per_lane` (1 to 16, naturally aligned) at its own address.
  RT_DEVICE void access(Op op, const void* address, unsigned bytes_per_lane, bool active) {
    if (!captured()) return;
    const unsigned mask = ballot(active);
    if (mask == 0) return;
    const auto at = reinterpret_cast<std::uint64_t>(address);
    const unsigned lane = thread_index() % kLanes;
    const std::uint64_t first = shuffle(at, first_bit(mask));
    const unsigned rank = bit_count(mask & ((1U << lane) - 1U));
    const bool in_line = at == first + std::uint64_t{rank} * bytes_per_lane;
    const unsigned lanes = bit_count(mask);
    if (ballot(active && !in_line) == 0) {
      put(first, lanes * bytes_per_lane, op, Shape::range, lanes);
      return;
    }
    for (unsigned left = mask; left != 0;) {
      const std::uint64_t line = shuffle(at, first_bit(left)) / kLineBytes;
      const bool mine = ((left >> lane) & 1U) != 0 && at / kLineBytes == line;
      const unsigned sector = static_cast<unsigned>(at % kLineBytes) / kSectorBytes;
      const unsigned sectors = reduce_or(mine ? 1U << sector : 0U);
      put(line * kLineBytes, bit_count(sectors) * kSectorBytes, op, Shape::line, sectors);
      left &= ~ballot(mine);
    }
  }
  RT_DEVICE void load(const void* address, unsigned bytes_per_lane, bool active = true) {
    access(Op::load, address, bytes_per_lane, active);
  }
  RT_DEVICE void store(const void* address, unsigned bytes_per_lane, bool active = true) {
    access(Op::store, address, bytes_per_lane, active);
  }
  RT_DEVICE void async_load(const void* address, unsigned bytes_per_lane, bool active = true) {
    access(Op::async_load, address, bytes_per_lane, active);
  }
  /// The part inside its tensor of the box of a tensor copy: `rows` rows of `bytes`, `pitch` bytes apart. All lanes pass the same.
  RT_DEVICE void box(Op op, const void* address, unsigned rows, unsigned bytes, std::uint64_t pitch) {
    if (!captured() || bytes == 0) return;
    const auto at = reinterpret_cast<std::uint64_t>(address);
    for (unsigned row = 0; row < rows; ++row) put(at + row * pitch, bytes, op, Shape::box_row, rows - row);
  }
  RT_DEVICE void bulk(Op op, const void* address, unsigned bytes) {
    if (captured()) put(reinterpret_cast<std::uint64_t>(address), bytes, op, Shape::range, 1);
  }
  RT_DEVICE void work(Pipe pipe, std::uint64_t flop) {
    if (captured()) put(flop, 0, Op::work, Shape::marker, static_cast<unsigned>(pipe));
  }
  RT_DEVICE void barrier() {
    if (captured()) put(0, 0, Op::barrier, Shape::marker, 0);
  }
  /// The last call of a kernel: without it the capture is refused.
  RT_DEVICE void finish() {
    if (captured() && thread_index() % kLanes == 0) slabs_.counts[slab()] = sequence_;
  }

 private:
  [[nodiscard]] RT_DEVICE bool captured() const { return linear_block() % slabs_.block_sample == 0; }
  [[nodiscard]] RT_DEVICE std::uint64_t slab() const {
    return std::uint64_t{linear_block() / slabs_.block_sample} * slabs_.warps + thread_index() / kLanes;
  }
  RT_DEVICE void put(std::uint64_t address, unsigned bytes, Op op, Shape shape, unsigned lanes) {
    if (thread_index() % kLanes == 0 && sequence_ < slabs_.capacity) {
      Record record;
      record.address = address;
      record.bytes = bytes;
      record.clock = clock_low();
      record.block = linear_block();
      record.warp = static_cast<std::uint16_t>(thread_index() / kLanes);
      record.op = op;
      record.shape = shape;
      record.sm = sm_number();
      record.lanes = static_cast<std::uint16_t>(lanes);
      record.sequence = sequence_;
      slabs_.records[slab() * slabs_.capacity + sequence_] = record;
    }
    ++sequence_;
  }

  TraceSlabs slabs_;
  std::uint32_t sequence_ = 0;  ///< The same in all lanes.
};

}  // namespace rooftrace::capture
