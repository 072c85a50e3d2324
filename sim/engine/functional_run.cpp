// The same programs without time: resident blocks take turns, one step each.
#include <algorithm>
#include <vector>

#include "sim/engine/engine.hpp"

namespace rooftrace {

void run_functional(const EngineSpec& spec, Memory& memory, std::span<const Kernel> kernels, std::span<KernelRecord> records) {
  struct Turn {
    std::uint32_t block = 0, step = 0, steps = 0;
  };
  Step step;
  for (std::size_t k = 0; k < kernels.size(); ++k) {
    const Kernel& kernel = kernels[k];
    const std::uint32_t places =
        kernel.unit == Unit::copy_engine ? 1 : spec.sms * std::min(std::max(1U, kernel.blocks_per_sm), spec.max_blocks_per_sm);
    std::uint32_t placed = 0;
    std::vector<Turn> turns;
    for (; placed < std::min(places, kernel.grid); ++placed) turns.push_back({placed, 0, kernel.program->steps(placed)});
    std::uint32_t running = placed;
    while (running > 0) {
      for (std::size_t i = 0; i < turns.size(); ++i) {
        Turn& turn = turns[i];
        if (turn.step == turn.steps) continue;
        const Requester who{kernel.unit == Unit::copy_engine ? spec.sms : static_cast<std::uint32_t>(i % spec.sms), &records[k].q,
                            &records[k].cache};
        step.clear();
        kernel.program->fill(turn.block, turn.step, step);
        if (!step.loads.empty()) memory.access(step.loads, who, 0);
        if (!step.stores.empty()) memory.access(step.stores, who, 0);
        if (++turn.step < turn.steps) continue;
        if (placed < kernel.grid) {
          turn = {placed, 0, kernel.program->steps(placed)};
          ++placed;
        } else {
          --running;
        }
      }
    }
  }
}

}  // namespace rooftrace
