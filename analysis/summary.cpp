// The sums of summary.hpp.
//
// Promises: one pass over the kernels; integer bytes and picoseconds, so only the FLOP and the bounds carry rounding. Not modeled: see
// summary.hpp.
#include "analysis/summary.hpp"

#include <algorithm>
#include <map>
#include <stdexcept>
#include <string>

namespace rooftrace {
namespace {

void add(KernelSum& sum, const KernelRecord& kernel, const Demand& demand, double bound) {
  ++sum.kernels;
  sum.demand += demand;
  sum.q += kernel.q;
  sum.cache += kernel.cache;
  sum.bound += bound;
  sum.simulated += kernel.end - kernel.start;
}

std::optional<double> ratio(double part, double whole) {
  if (whole <= 0) return std::nullopt;
  return part / whole;
}

}  // namespace

std::optional<double> KernelSum::hit_rate() const {
  return ratio(static_cast<double>(cache.sectors_hit), static_cast<double>(cache.sectors_read));
}

std::optional<double> StageSummary::tokens_per_second() const {
  return ratio(static_cast<double>(tokens), to_seconds(latency));
}

std::optional<double> StageSummary::ceiling_tokens_per_second() const {
  return ratio(static_cast<double>(tokens), ceiling);
}

std::optional<double> StageSummary::bound_reached() const {
  return ratio(bound, to_seconds(latency));
}

std::optional<double> StageSummary::ceiling_reached() const {
  return ratio(ceiling, to_seconds(latency));
}

std::vector<double> kernel_bounds(std::span<const KernelRecord> kernels, const Peaks& peaks) {
  std::vector<double> bounds;
  bounds.reserve(kernels.size());
  for (const KernelRecord& kernel : kernels) bounds.push_back(roofline(demand_of(kernel, peaks), peaks).bound);
  return bounds;
}

Time longest_path(std::span<const KernelRecord> kernels, std::span<const Time> durations) {
  if (durations.size() != kernels.size()) throw std::logic_error("longest_path: one duration per kernel is needed");
  std::vector<Time> done(kernels.size(), 0);  // Records are in an order that respects all waits, so one pass is enough.
  std::map<std::uint32_t, Time> stream_done;
  Time longest = 0;
  for (std::size_t i = 0; i < kernels.size(); ++i) {
    Time& stream = stream_done[kernels[i].stream];
    Time ready = stream;
    for (std::uint32_t earlier : kernels[i].waits_for) {
      if (earlier >= i) {
        throw std::logic_error("longest_path: kernel " + std::to_string(i) + " waits for kernel " + std::to_string(earlier) +
                               ", which is not an earlier one");
      }
      ready = std::max(ready, done[earlier]);
    }
    done[i] = ready + durations[i];
    stream = done[i];
    longest = std::max(longest, done[i]);
  }
  return longest;
}

StageSummary summarize(std::span<const KernelRecord> kernels, const Peaks& peaks, std::uint64_t tokens, Time latency) {
  StageSummary stage;
  stage.tokens = tokens;
  stage.latency = latency;
  std::vector<Time> durations;
  durations.reserve(kernels.size());
  for (const KernelRecord& kernel : kernels) {
    auto same = [&](const KernelSum& sum) { return sum.kernel_class == kernel.kernel_class; };
    auto found = std::find_if(stage.classes.begin(), stage.classes.end(), same);
    if (found == stage.classes.end()) {
      found = stage.classes.emplace(stage.classes.end());
      found->kernel_class = kernel.kernel_class;
    }
    const Demand demand = demand_of(kernel, peaks);
    const double bound = roofline(demand, peaks).bound;
    add(*found, kernel, demand, bound);
    add(stage.total, kernel, demand, bound);
    stage.compulsory += compulsory_demand_of(kernel, peaks);
    durations.push_back(whole_picoseconds(bound));
  }
  for (KernelSum& sum : stage.classes) sum.roofline = roofline(sum.demand, peaks);
  stage.total.roofline = roofline(stage.total.demand, peaks);

  stage.longest_path = longest_path(kernels, durations);
  stage.bound = std::max(to_seconds(stage.longest_path), stage.total.roofline.bound);
  // The path lost up to a picosecond per kernel to rounding; that alone does not make a resource the limit.
  const double rounding = 1e-12 * static_cast<double>(kernels.size());
  if (stage.total.roofline.bound > to_seconds(stage.longest_path) + rounding) stage.bound_resource = stage.total.roofline.binding;
  const Roofline least = roofline(stage.compulsory, peaks);
  stage.ceiling = least.bound;
  stage.ceiling_binding = least.binding;
  return stage;
}

StepSummary whole_step(std::span<const StageSummary> stages, const Peaks& peaks) {
  StepSummary step;
  bool all_simulated = true;
  for (const StageSummary& stage : stages) {
    step.demand += stage.total.demand;
    step.bound += stage.bound;
    step.ceiling += stage.ceiling;
    step.latency += stage.latency;
    all_simulated = all_simulated && stage.latency > 0;
  }
  if (!all_simulated) step.latency = 0;
  step.roofline = roofline(step.demand, peaks);
  return step;
}

}  // namespace rooftrace
