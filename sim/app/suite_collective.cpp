// collective: all-reduce among GPUs of a node. ring and nccl are the ring, one_shot is one-shot; NVLS and trees are not simulated.
#include <fmt/format.h>

#include "sim/app/suite_kernels.hpp"
#include "traces/collective.hpp"

namespace rooftrace {

Prediction predict_collective(const SuiteRow& row, Bench& bench) {
  const MachineSpec& machine = bench.machine(row.text("hardware"));
  if (row.text("op") != "all_reduce") unknown_word(row, "op", "all_reduce");
  const auto gpus = static_cast<std::uint32_t>(row.integer("gpus", 2, 1024));
  if (gpus > machine.node.gpus) throw RowSkipped(fmt::format("{} GPUs, but a node has {}", gpus, machine.node.gpus));
  const std::uint64_t bytes = row.integer("bytes", 2, 1ULL << 36);
  const std::string& implementation = row.text("implementation");
  const bool one_shot = implementation == "one_shot";
  if (!one_shot && implementation != "ring" && implementation != "nccl") unknown_word(row, "implementation", "ring, nccl, one_shot");
  Experiment e;
  e.key = fmt::format("all_reduce {} {} {}", one_shot ? "one_shot" : "ring", gpus, bytes);
  e.group = gpus;
  e.trace = [=](const DeviceShape& gpu) {
    Operands operands;
    AllReduceProblem p;
    p.ranks = gpus;
    p.elements = bytes / 2;
    p.input = operands.take(bytes);
    p.output = operands.take(bytes);
    const std::uint64_t slots = one_shot ? 0 : ring_receive_bytes(gpus, p.elements, p.type);
    p.receive = operands.take(slots);
    p.peer = operands.take(one_shot ? bytes * (gpus - 1) : slots);
    return trace_of({one_shot ? make_one_shot_all_reduce(gpu, p) : make_ring_all_reduce(gpu, p)}, operands);
  };
  const Outcome& outcome = bench.run(machine, e);
  const std::string& quantity = row.text("quantity");
  Prediction p;
  if (quantity == "time_us") {
    p = time_prediction(outcome, 1e6);
  } else if (quantity == "bus_bandwidth_GBps") {
    p = rate_prediction(outcome, 2.0 * (gpus - 1) / gpus * static_cast<double>(bytes) / 1e9);
  } else {
    unknown_word(row, "quantity", "time_us, bus_bandwidth_GBps");
  }
  const bool large = bytes >= 8ULL << 20;
  p.group = large ? ">= 8 MiB" : "< 8 MiB";
  p.goal = large ? "6 %" : "25 %";
  return p;
}

}  // namespace rooftrace
