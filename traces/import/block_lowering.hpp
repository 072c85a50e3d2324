// The warps of one captured block, each in program order -> the steps of a block.
//
// Captures give every warp's order, but not who came first between warps. So: warps take turns, one memory instruction each, and wait for
// each other at block barriers (warps that are through do not hold the others up). A step takes loads until
//   - a barrier is passed,
//   - it holds kStepBytes of loads,
//   - a warp that has stored in it wants to load (a step's stores go out after its loads), or
//   - it holds kStepAccesses accesses.
// Work (FLOP) belongs to the step in which it stands. kStepBytes: what an SM keeps in flight, 35 bytes per clock x 1,000 clocks of latency
// (the round numbers of traces/gemm_tiling.cpp), rounded to 32 KiB; derived, and no more than a grain. How many steps run ahead is
// Kernel.depth. Loads go through the SM's L1 filter in this order.
// Memory: one block; a block of more than kMostBlockEvents instructions is refused (UserError by the caller's `refuse`). Not modeled:
// overlap of blocks on one SM inside L1 (a block's instructions are filtered before the next block's), the clocks of a capture, named
// barriers of some warps, dependences between instructions.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <vector>

#include "sim/core/kernel.hpp"
#include "traces/import/address_rebase.hpp"
#include "traces/import/import_summary.hpp"
#include "traces/import/l1_filter.hpp"

namespace rooftrace {

inline constexpr std::uint64_t kStepBytes = 32 * 1024;
inline constexpr std::size_t kStepAccesses = 4096;
inline constexpr std::size_t kMostBlockEvents = 4 << 20;
inline constexpr std::size_t kMostBlockPieces = 16 << 20;  ///< Contiguous pieces of all accesses of a block.
inline constexpr double kMostStepFlop = 1e9;               ///< Work alone ends a step here.

class BlockLowering {
 public:
  using Emit = std::function<void(const Step&)>;
  BlockLowering(AddressRebase& rebase, ImportSummary& summary) : rebase_(rebase), summary_(summary) {}

  void clear();
  void begin_warp();
  /// False when the block holds more than it may; the caller refuses the file, who knows the place.
  [[nodiscard]] bool access(AccessOp op, bool through_l1, const std::vector<SectorRun>& runs);
  void barrier();
  void invalidate_l1();
  void work(Pipe pipe, double amount);
  /// Markers and work did not fit: what lower() would give is not the block.
  [[nodiscard]] bool overflowed() const { return overflowed_; }

  /// Hands out the steps in order; at least one, empty if need be.
  void lower(L1Filter& l1, const Emit& emit);

 private:
  enum class Kind : std::uint8_t { load, store, reduce, barrier, work, invalidate };
  struct Event {
    double amount = 0;  ///< Work.
    std::uint32_t first = 0, count = 0;
    Kind kind = Kind::work;
    Pipe pipe = Pipe::cuda;
    bool through_l1 = false;
  };
  struct Warp {
    std::size_t at = 0, end = 0;
    bool stored = false;  ///< In the step that is being filled.
  };
  void push(Event event);
  void finish_warp();
  bool turn(Warp& warp, L1Filter& l1, const Emit& emit);
  void take(const Event& event, Warp& warp, L1Filter& l1, const Emit& emit);
  void close(const Emit& emit);

  AddressRebase& rebase_;
  ImportSummary& summary_;
  std::vector<Event> events_;
  std::vector<AddressRebase::Place> pieces_;
  std::vector<Warp> warps_;
  Step step_;
  std::uint64_t step_load_bytes_ = 0;
  bool any_ = false, emitted_ = false, overflowed_ = false;
  std::vector<SectorRun> scratch_;
};

}  // namespace rooftrace
