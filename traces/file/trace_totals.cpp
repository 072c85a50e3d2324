// The pass.
#include "traces/file/trace_totals.hpp"

namespace rooftrace {

RecordTotals& RecordTotals::operator+=(const RecordTotals& other) {
  kernels += other.kernels;
  blocks += other.blocks;
  steps += other.steps;
  accesses += other.accesses;
  for (std::size_t role = 0; role < bytes.size(); ++role) {
    for (std::size_t home = 0; home < kHomes; ++home) {
      for (std::size_t op = 0; op < kOps; ++op) bytes[role][home][op] += other.bytes[role][home][op];
    }
  }
  for (std::size_t pipe = 0; pipe < kPipes; ++pipe) work[pipe] += other.work[pipe];
  return *this;
}

std::vector<RecordTotals> record_totals(const TraceFileStage& stage) {
  std::vector<RecordTotals> all;
  Step step;
  for (std::uint32_t k = 0; k < stage.kernels.size(); ++k) {
    const Kernel& kernel = stage.trace.kernels[k];
    if (stage.kernels[k].like != k) {
      RecordTotals copy = all[stage.kernels[k].like];
      copy.work = kernel.work;
      all.push_back(copy);
      continue;
    }
    RecordTotals totals;
    totals.kernels = 1;
    totals.blocks = kernel.grid;
    totals.work = kernel.work;
    for (std::uint32_t block = 0; block < kernel.grid; ++block) {
      const std::uint32_t steps = kernel.program->steps(block);
      totals.steps += steps;
      for (std::uint32_t s = 0; s < steps; ++s) {
        step.clear();
        kernel.program->fill(block, s, step);
        totals.accesses += step.loads.size() + step.stores.size();
        for (const auto* accesses : {&step.loads, &step.stores}) {
          for (const Access& a : *accesses)
            totals.bytes[static_cast<std::size_t>(a.role)][static_cast<std::size_t>(a.home)][static_cast<std::size_t>(a.op)] += a.bytes();
        }
      }
    }
    all.push_back(totals);
  }
  return all;
}

}  // namespace rooftrace
