// A TraceSink that keeps nothing but checks what every trace must keep: steps in order, accesses that are none of nothing and below 2^42.
#pragma once

#include <cstdlib>

#include "traces/file/trace_sink.hpp"

namespace rooftrace {

class NullSink final : public TraceSink {
 public:
  void add_note(std::string_view, std::string_view) override {}
  void add_tensor(const TraceTensor&) override {}
  void begin_stage(const TraceStageInfo&) override {}
  using TraceSink::begin_kernel;
  void begin_kernel(const Kernel& kernel, const KernelExtras&) override {
    grid_ = kernel.grid;
    block_ = -1;
    if (kernel.grid == 0 || kernel.blocks_per_sm == 0 || kernel.depth == 0) std::abort();
  }
  void place_block(std::uint32_t, std::uint32_t) override {}
  using TraceSink::add_step;
  void add_step(std::uint32_t block, std::uint32_t step, std::span<const Access> loads, const Work&, std::span<const Access> stores,
                const StepTiming&) override {
    if (std::int64_t{block} != block_) next_ = 0;
    if (block >= grid_ || std::int64_t{block} < block_ || step != next_++) std::abort();
    if (loads.size() + stores.size() > kMostStepAccesses) std::abort();
    block_ = block;
    for (const auto list : {loads, stores}) {
      for (const Access& access : list) {
        const std::uint64_t end = access.address + (access.rows > 1 ? (access.rows - 1) * access.pitch : 0) + access.row_bytes;
        const bool overlap = access.rows > 1 && access.pitch < access.row_bytes;
        if (access.rows == 0 || access.row_bytes == 0 || overlap || end > 1ULL << kAddressBits || end < access.address) std::abort();
      }
    }
  }
  void repeat_blocks(std::uint32_t, std::int64_t) override { std::abort(); }
  void end_kernel() override {}
  using TraceSink::end_stage;
  void end_stage(const TraceStageEnd&) override {}
  void finish() override {}

 private:
  std::uint32_t grid_ = 0, next_ = 0;
  std::int64_t block_ = -1;
};

}  // namespace rooftrace
