// Where a trace goes, step by step: what the generator, and every importer of somebody else's traces, writes into.
//
// Calls come in this order, from one thread at a time:
//
//   add_note, add_tensor                        any number, at any time before finish()
//   begin_stage                                 one or more stages (a decode step, a prefill, a captured run), each a Trace of its own
//     begin_kernel                              in an order that respects waits_for; indices count from 0 within the stage
//       place_block                             optional, before the first step of that block
//       add_step                                blocks ascending, steps of a block ascending from 0 without gaps
//     end_kernel
//     ... or begin_kernel, repeat_blocks, end_kernel: the blocks of an earlier kernel again, moved in memory
//   end_stage
//   finish                                      after the last stage; without it there is no trace
//
// Blocks that get no step (a profiler that sampled some of them) are kept as blocks of one empty step. Nothing is held back: memory is that
// of a few chunks of records, however long the trace is.
//
// Errors: std::invalid_argument for a call out of order and for what no trace may hold (the limits below, and the laws of single accesses:
// rows and bytes not zero, rows not overlapping, below 2^42, loads among the loads, no multicast stores), with kernel, block and step in
// the message. UserError when the disk does not take it. After an error only destruction is allowed.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/core/kernel.hpp"

namespace rooftrace {

// What a trace may hold; a reader refuses more, so that no file makes it allocate without end. Far above any model of today.
inline constexpr std::uint64_t kMostStages = 64;
inline constexpr std::uint64_t kMostKernels = 1ULL << 20;  ///< In all stages together.
inline constexpr std::uint64_t kMostWaits = 1ULL << 22;    ///< Likewise, entries of waits_for.
inline constexpr std::uint64_t kMostFootprints = 1ULL << 22;
inline constexpr std::uint64_t kMostTextBytes = 1ULL << 26;  ///< Labels, names and notes together (equal neighbours count once).
inline constexpr std::uint64_t kMostLabelBytes = 4096;
inline constexpr std::uint64_t kMostTensors = 1ULL << 20;
inline constexpr std::uint64_t kMostNotes = 4096;
inline constexpr std::uint32_t kMostDepth = 1024;               ///< Kernel.depth.
inline constexpr std::uint32_t kMostBlocksPerSm = 1024;         ///< Kernel.blocks_per_sm.
inline constexpr std::uint64_t kMostStepAccesses = 1ULL << 20;  ///< Loads and stores of one step.
inline constexpr std::uint64_t kMostAccessBytes = 1ULL << 32;   ///< rows * row_bytes of one access.
inline constexpr std::uint32_t kMostAccessRows = 1U << 20;      ///< Of one access: who checks it walks them one by one.
inline constexpr std::uint32_t kMostWait = 65536;               ///< Kernel.longest_wait.
inline constexpr double kMostStepWork = 1099511627776.0;        ///< 2^40 FLOP or operations per pipe and step: tens of seconds of one SM.

/// A stage (one Trace), and what a report needs to know about it. Zero or "": not known.
struct TraceStageInfo {
  Stage stage = Stage::other;
  std::uint64_t tokens = 0;  ///< Made or taken in by this stage, all GPUs together.
  std::uint32_t gpus = 1;    ///< That work together on it (tensor parallelism), >= 1.
  std::uint32_t batch = 0;
  std::uint32_t context = 0;  ///< Decode: tokens in the KV cache of each sequence.
  std::uint32_t prompt = 0;   ///< Prefill: tokens of each sequence.
  std::uint64_t seed = 0;
  std::string model;
  std::string weights, kv;  ///< Data types, as `rooftrace simulate --weights` spells them.
  // As in Trace. 0: nothing known to repeat.
  std::uint64_t layer_stride = 0;
  std::uint64_t layers_begin = 0, layers_end = 0;
};

/// What a step has beside accesses and work; as in Step.
struct StepTiming {
  double tensor_padding = 0;
  std::uint32_t after = 0;  ///< At most the kernel's longest_wait.
  Time pause = 0, least = 0, drain = 0;
  bool operator==(const StepTiming&) const = default;
};
[[nodiscard]] inline StepTiming timing_of(const Step& step) {
  return {step.tensor_padding, step.after, step.pause, step.least, step.drain};
}

/// What a profiler knows about a kernel beside its records.
struct KernelExtras {
  std::string source_name;            ///< The (mangled or plain) name in the profile.
  std::optional<double> measured_ns;  ///< Its duration on the real GPU.
  /// Kernel.work and Kernel.footprint are ignored and taken from the steps instead: exact, but a bitmap of the kernel's bytes (an eighth of
  /// them at worst) is kept until end_kernel. `produced` is false then.
  bool measure = false;
};

/// An allocation of the traced program.
struct TraceTensor {
  std::string name;
  std::uint64_t base = 0;  ///< Address, as in the accesses.
  std::uint64_t bytes = 0;
  TensorRole role = TensorRole::activations;
  Home home = Home::local;
  bool operator==(const TraceTensor&) const = default;
};

/// End of a stage: what is known only then.
struct TraceStageEnd {
  /// Trace.address_end; not given: one past the highest byte accessed.
  std::optional<std::uint64_t> address_end;
  /// Trace.page_role; not given: the role of the access that touched the page last.
  std::optional<std::vector<TensorRole>> page_role;
};

class TraceSink {
 public:
  virtual ~TraceSink() = default;

  /// Provenance, one line or many: "command", "version", "scenario", "gpu", "profiler" ... A key given twice is kept twice.
  virtual void add_note(std::string_view key, std::string_view value) = 0;
  virtual void add_tensor(const TraceTensor& tensor) = 0;

  virtual void begin_stage(const TraceStageInfo& info) = 0;
  /// All fields of the kernel but `program` are kept. grid, blocks_per_sm and depth are at least 1.
  virtual void begin_kernel(const Kernel& kernel, const KernelExtras& extras) = 0;
  void begin_kernel(const Kernel& kernel) { begin_kernel(kernel, KernelExtras{}); }
  /// The SM that ran the block.
  virtual void place_block(std::uint32_t block, std::uint32_t sm) = 0;
  virtual void add_step(std::uint32_t block, std::uint32_t step, std::span<const Access> loads, const Work& work,
                        std::span<const Access> stores, const StepTiming& timing) = 0;
  void add_step(std::uint32_t block, std::uint32_t step, std::span<const Access> loads, const Work& work, std::span<const Access> stores) {
    add_step(block, step, loads, work, stores, StepTiming{});
  }
  void add_step(std::uint32_t block, std::uint32_t step, const Step& what) {
    add_step(block, step, what.loads, what.work, what.stores, timing_of(what));
  }
  /// Instead of steps: the blocks of the earlier kernel `like` of this stage (same grid, with steps of its own), every access inside
  /// [layers_begin, layers_end) `shift` bytes further up. The caller vouches that this is so.
  virtual void repeat_blocks(std::uint32_t like, std::int64_t shift) = 0;
  virtual void end_kernel() = 0;
  virtual void end_stage(const TraceStageEnd& end) = 0;
  void end_stage() { end_stage(TraceStageEnd{}); }
  virtual void finish() = 0;
};

}  // namespace rooftrace
