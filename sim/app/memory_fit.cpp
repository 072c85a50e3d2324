// The fit, and the search for what would fit: every candidate goes through the same check as the job itself.
#include "sim/app/memory_fit.hpp"

#include <fmt/format.h>

#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "sim/core/error.hpp"
#include "sim/core/units.hpp"

namespace rooftrace {
namespace {

std::string bytes_text(std::uint64_t bytes) {
  return format_quantity(static_cast<double>(bytes), Dimension::bytes);
}

bool allowed(const ModelSpec& model, const WorkloadOptions& workload) {
  try {
    check_workload(model, workload);
    return true;
  } catch (const std::invalid_argument&) {
    return false;
  }
}

bool fits(const MachineSpec& machine, const ModelSpec& model, const WorkloadOptions& workload) {
  return allowed(model, workload) && memory_need(model, workload).total() <= machine.hbm.capacity;
}

/// The largest value in [1, high] for which `good` holds, given that it holds up to some value and for none above.
std::optional<std::uint32_t> largest(std::uint32_t high, const std::function<bool(std::uint32_t)>& good) {
  if (!good(1)) return std::nullopt;
  std::uint32_t low = 1;
  while (low < high) {
    const std::uint32_t middle = low + (high - low + 1) / 2;
    if (good(middle)) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low;
}

std::optional<std::uint32_t> smallest_tp(const MachineSpec& machine, const ModelSpec& model, WorkloadOptions workload) {
  for (std::uint32_t tp = workload.tp + 1; tp <= machine.node.gpus; ++tp) {
    workload.tp = tp;
    if (fits(machine, model, workload)) return tp;
  }
  return std::nullopt;
}

/// The least narrowing of weights, then KV, then both, that fits; as options.
std::optional<std::string> widest_precision(const MachineSpec& machine, const ModelSpec& model, const WorkloadOptions& workload) {
  for (const DataType weights : {workload.weights, DataType::fp8, DataType::fp4}) {
    for (const DataType kv : {workload.kv, DataType::fp8}) {
      WorkloadOptions narrow = workload;
      std::string text;
      if (bytes_per_element(weights) < bytes_per_element(workload.weights)) {
        narrow.weights = weights;
        text = fmt::format("--weights {}", name(weights));
      }
      if (bytes_per_element(kv) < bytes_per_element(workload.kv)) {
        narrow.kv = kv;
        text += fmt::format("{}--kv {}", text.empty() ? "" : " ", name(kv));
      }
      if (!text.empty() && fits(machine, model, narrow)) return text;
    }
  }
  return std::nullopt;
}

std::optional<std::string> shorter(const MachineSpec& machine, const ModelSpec& model, WorkloadOptions workload) {
  const bool decode = workload.stage == Stage::decode;
  std::uint32_t& tokens = decode ? workload.context : workload.prompt;
  const auto most = largest(tokens, [&, &field = tokens](std::uint32_t n) {
    field = n;
    return fits(machine, model, workload);
  });
  if (!most) return std::nullopt;
  return fmt::format("{} {}", decode ? "--context" : "--prompt", *most);
}

std::optional<std::uint32_t> smaller_batch(const MachineSpec& machine, const ModelSpec& model, WorkloadOptions workload) {
  return largest(workload.batch, [&](std::uint32_t n) {
    workload.batch = n;
    return fits(machine, model, workload);
  });
}

/// For each precision that helps the smallest TP, the widest precision first.
std::vector<std::string> tp_and_precision(const MachineSpec& machine, const ModelSpec& model, WorkloadOptions workload) {
  std::vector<std::string> ways;
  std::string before;
  while (workload.tp < machine.node.gpus) {
    ++workload.tp;
    const auto precision = widest_precision(machine, model, workload);
    if (!precision || *precision == before) continue;
    before = *precision;
    ways.insert(ways.begin(), fmt::format("--tp {} {}", workload.tp, *precision));
  }
  return ways;
}

/// Every single change that makes it fit; when there is none, TP and precision together.
std::string what_would_fit(const MachineSpec& machine, const ModelSpec& model, const WorkloadOptions& workload) {
  std::vector<std::string> ways;
  if (const auto tp = smallest_tp(machine, model, workload)) ways.push_back(fmt::format("--tp {}", *tp));
  if (const auto precision = widest_precision(machine, model, workload)) ways.push_back(*precision);
  if (const auto tokens = shorter(machine, model, workload)) ways.push_back(*tokens);
  if (const auto batch = smaller_batch(machine, model, workload)) ways.push_back(fmt::format("--batch {}", *batch));
  if (ways.empty()) ways = tp_and_precision(machine, model, workload);
  if (ways.empty()) return fmt::format("nothing in a node of {} fits it", machine.node.gpus);
  return fmt::format("what would fit: {}", fmt::join(ways, ", or "));
}

std::string the_job(const ModelSpec& model, const WorkloadOptions& workload) {
  const bool decode = workload.stage == Stage::decode;
  return fmt::format("{} {} (batch {}, {} {}{})", model.name, name(workload.stage), workload.batch, decode ? "context" : "prompt",
                     decode ? workload.context : workload.prompt, workload.tp > 1 ? fmt::format(", tp {}", workload.tp) : "");
}

}  // namespace

void check_fit(const MachineSpec& machine, const ModelSpec& model, const WorkloadOptions& workload) {
  try {
    check_workload(model, workload);
  } catch (const std::invalid_argument& error) {
    throw UserError(fmt::format("{}: {}", name(workload.stage), error.what()));
  }
  if (workload.tp > machine.node.gpus) {
    throw UserError(fmt::format("tp: {} is more than the {} GPU{} of a {} node (hardware.node.gpus)", workload.tp, machine.node.gpus,
                                machine.node.gpus == 1 ? "" : "s", machine.name));
  }
  const MemoryNeed need = memory_need(model, workload);
  if (need.total() > machine.hbm.capacity) {
    throw UserError(fmt::format("{} does not fit {}: weights {} + KV {} + activations {} = {} per GPU, memory {}; {}",
                                the_job(model, workload), machine.name, bytes_text(need.weights), bytes_text(need.kv),
                                bytes_text(need.activations), bytes_text(need.total()), bytes_text(machine.hbm.capacity),
                                what_would_fit(machine, model, workload)));
  }
  if (need.host > machine.host.capacity / workload.tp) {
    throw UserError(fmt::format("{}: --offload keeps {} per GPU ({} in all) in host memory, which holds {}; offload less",
                                the_job(model, workload), bytes_text(need.host), bytes_text(need.host * workload.tp),
                                bytes_text(machine.host.capacity)));
  }
}

}  // namespace rooftrace
