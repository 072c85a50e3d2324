// A TraceSink that keeps everything: what importers are tested with.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "traces/file/trace_sink.hpp"

namespace rooftrace {

struct RecordedKernel {
  Kernel kernel;
  KernelExtras extras;
  std::map<std::uint32_t, std::vector<Step>> blocks;
  std::map<std::uint32_t, std::uint32_t> sms;

  [[nodiscard]] std::uint64_t bytes(AccessOp op) const {
    std::uint64_t sum = 0;
    for (const auto& [block, steps] : blocks) {
      for (const Step& step : steps) {
        for (const auto* list : {&step.loads, &step.stores}) {
          for (const Access& access : *list) sum += access.op == op ? access.bytes() : 0;
        }
      }
    }
    return sum;
  }
};

class RecordingSink final : public TraceSink {
 public:
  std::vector<RecordedKernel> kernels;
  std::vector<TraceTensor> tensors;
  std::vector<std::pair<std::string, std::string>> notes;
  int stages = 0;

  void add_note(std::string_view key, std::string_view value) override { notes.emplace_back(key, value); }
  void add_tensor(const TraceTensor& tensor) override { tensors.push_back(tensor); }
  void begin_stage(const TraceStageInfo&) override { ++stages; }
  using TraceSink::add_step;
  using TraceSink::begin_kernel;
  using TraceSink::end_stage;
  void begin_kernel(const Kernel& kernel, const KernelExtras& extras) override { kernels.push_back({kernel, extras, {}, {}}); }
  void place_block(std::uint32_t block, std::uint32_t sm) override { kernels.back().sms[block] = sm; }
  void add_step(std::uint32_t block, std::uint32_t step, std::span<const Access> loads, const Work& work, std::span<const Access> stores,
                const StepTiming& timing) override {
    auto& steps = kernels.back().blocks[block];
    if (step != steps.size()) throw std::invalid_argument("steps must ascend from 0");
    if (block >= kernels.back().kernel.grid) throw std::invalid_argument("block outside of the grid");
    Step& kept = steps.emplace_back();
    kept.loads.assign(loads.begin(), loads.end());
    kept.work = work;
    kept.stores.assign(stores.begin(), stores.end());
    kept.tensor_padding = timing.tensor_padding;
    kept.after = timing.after;
    kept.pause = timing.pause;
    kept.least = timing.least;
    kept.drain = timing.drain;
  }
  void repeat_blocks(std::uint32_t, std::int64_t) override {}
  void end_kernel() override {}
  void end_stage(const TraceStageEnd&) override {}
  void finish() override {}
};

}  // namespace rooftrace
