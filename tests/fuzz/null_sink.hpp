// A TraceSink that keeps nothing but checks what a trace's writer checks: steps in order, the laws of accesses, of work and of timing,
// and that everything lies below 2^42. An importer that breaks one of them is wrong, whatever it was given.
#pragma once

#include <cmath>
#include <cstdlib>

#include "traces/file/access_laws.hpp"
#include "traces/file/trace_sink.hpp"

namespace rooftrace {

class NullSink final : public TraceSink {
 public:
  void add_note(std::string_view, std::string_view) override {}
  void add_tensor(const TraceTensor& tensor) override { need(tensor.base <= kSpace && tensor.bytes <= kSpace - tensor.base); }
  void begin_stage(const TraceStageInfo&) override {}
  using TraceSink::begin_kernel;
  void begin_kernel(const Kernel& kernel, const KernelExtras& extras) override {
    grid_ = kernel.grid;
    block_ = -1;
    longest_wait_ = kernel.longest_wait;
    need(kernel.grid > 0 && kernel.blocks_per_sm > 0 && kernel.blocks_per_sm <= kMostBlocksPerSm);
    need(kernel.depth > 0 && kernel.depth <= kMostDepth && longest_wait_ <= kMostWait && kernel.label.size() <= kMostLabelBytes);
    for (const double work : kernel.work) need(work >= 0 && std::isfinite(work));
    for (const Footprint& f : kernel.footprint) need(f.read <= kSpace && f.written <= kSpace);
    for (const std::uint32_t earlier : kernel.waits_for) need(earlier < kernels_);
    if (extras.measured_ns) need(*extras.measured_ns >= 0 && std::isfinite(*extras.measured_ns));
    ++kernels_;
  }
  void place_block(std::uint32_t block, std::uint32_t) override { need(block < grid_ && std::int64_t{block} > block_); }
  using TraceSink::add_step;
  void add_step(std::uint32_t block, std::uint32_t step, std::span<const Access> loads, const Work& work, std::span<const Access> stores,
                const StepTiming& timing) override {
    if (std::int64_t{block} != block_) next_ = 0;
    need(block < grid_ && std::int64_t{block} >= block_ && step == next_++);
    need(loads.size() + stores.size() <= kMostStepAccesses);
    block_ = block;
    for (const double amount : work) need(amount >= 0 && amount <= kMostStepWork);
    need(trace_file::broken_timing(timing).empty() && timing.after <= longest_wait_);
    for (const Access& access : loads) check(access, true);
    for (const Access& access : stores) check(access, false);
  }
  void repeat_blocks(std::uint32_t, std::int64_t) override { std::abort(); }
  void end_kernel() override {}
  using TraceSink::end_stage;
  void end_stage(const TraceStageEnd&) override {}
  void finish() override {}

 private:
  static constexpr std::uint64_t kSpace = 1ULL << kAddressBits;
  static void need(bool good) {
    if (!good) std::abort();
  }
  static void check(const Access& access, bool is_load) {
    std::uint64_t extent = 0;
    need(trace_file::broken_shape(access, extent).empty() && is_load == (access.op == AccessOp::load));
    need(access.address <= kSpace && extent <= kSpace - access.address);
  }

  std::uint32_t grid_ = 0, next_ = 0, kernels_ = 0, longest_wait_ = 0;
  std::int64_t block_ = -1;
};

}  // namespace rooftrace
