// Kernel by kernel: repeat what an earlier layer has, or write every step.
#include "traces/file/save_trace.hpp"

#include <algorithm>
#include <optional>
#include <vector>

namespace rooftrace {
namespace {

bool same_accesses(const std::vector<Access>& base, const std::vector<Access>& other, std::uint64_t begin, std::uint64_t end,
                   std::int64_t shift) {
  return std::equal(base.begin(), base.end(), other.begin(), other.end(), [&](const Access& a, const Access& b) {
    const bool moves = a.address >= begin && a.address < end;
    return a.address + (moves ? static_cast<std::uint64_t>(shift) : 0) == b.address && a.pitch == b.pitch && a.rows == b.rows &&
           a.row_bytes == b.row_bytes && a.op == b.op && a.hint == b.hint && a.role == b.role && a.home == b.home &&
           a.multicast == b.multicast;
  });
}

void write_steps(const Kernel& kernel, TraceSink& sink) {
  Step step;
  for (std::uint32_t block = 0; block < kernel.grid; ++block) {
    const std::uint32_t steps = kernel.program->steps(block);
    for (std::uint32_t s = 0; s < steps; ++s) {
      step.clear();
      kernel.program->fill(block, s, step);
      sink.add_step(block, s, step.loads, step.work, step.stores);
    }
  }
}

/// The kernel of an earlier layer, at the same place of its layer, whose records are stored.
class Repeats {
 public:
  explicit Repeats(const Trace& trace) : trace_(trace) {}

  struct Found {
    std::uint32_t like;
    std::int64_t shift;
  };
  std::optional<Found> find(std::uint32_t k) {
    const Kernel& kernel = trace_.kernels[k];
    if (k == 0 || trace_.kernels[k - 1].layer != kernel.layer) place_ = 0;
    const std::size_t place = place_++;
    if (kernel.layer < 0 || trace_.layer_stride == 0) return std::nullopt;
    if (stored_.size() <= place) stored_.resize(place + 1);
    if (const auto base = stored_[place]) {
      const Kernel& earlier = trace_.kernels[*base];
      const std::int64_t shift = (std::int64_t{kernel.layer} - earlier.layer) * static_cast<std::int64_t>(trace_.layer_stride);
      if (earlier.grid == kernel.grid && same_up_to_shift(earlier, kernel, trace_.layers_begin, trace_.layers_end, shift)) {
        return Found{*base, shift};
      }
    }
    stored_[place] = k;
    return std::nullopt;
  }

 private:
  const Trace& trace_;
  std::size_t place_ = 0;
  std::vector<std::optional<std::uint32_t>> stored_;
};

}  // namespace

bool same_up_to_shift(const Kernel& base, const Kernel& kernel, std::uint64_t begin, std::uint64_t end, std::int64_t shift) {
  Step a, b;
  for (std::uint32_t block = 0; block < base.grid; ++block) {
    const std::uint32_t steps = base.program->steps(block);
    if (steps != kernel.program->steps(block)) return false;
    for (std::uint32_t s = 0; s < steps; ++s) {
      a.clear();
      b.clear();
      base.program->fill(block, s, a);
      kernel.program->fill(block, s, b);
      if (a.work != b.work || !same_accesses(a.loads, b.loads, begin, end, shift) ||
          !same_accesses(a.stores, b.stores, begin, end, shift)) {
        return false;
      }
    }
  }
  return true;
}

void save_trace(const Trace& trace, TraceStageInfo info, TraceSink& sink, StoredLayers layers) {
  info.layer_stride = trace.layer_stride;
  info.layers_begin = trace.layers_begin;
  info.layers_end = trace.layers_end;
  sink.begin_stage(info);
  Repeats repeats(trace);
  for (std::uint32_t k = 0; k < trace.kernels.size(); ++k) {
    const Kernel& kernel = trace.kernels[k];
    sink.begin_kernel(kernel);
    const auto found = layers == StoredLayers::automatic ? repeats.find(k) : std::nullopt;
    if (found) {
      sink.repeat_blocks(found->like, found->shift);
    } else {
      write_steps(kernel, sink);
    }
    sink.end_kernel();
  }
  sink.end_stage({trace.address_end, trace.page_role});
}

}  // namespace rooftrace
