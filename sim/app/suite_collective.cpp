// collective: all-reduce among GPUs of a node, out of place, again and again on the same buffers, as all benchmarks of collectives do. nccl
// is what NCCL would choose; ring, tree and nvls are its algorithms by the protocol it would choose; one_shot and two_shot are engines' own
// kernels. Bus bandwidth is 2 (n - 1) / n times bytes over time, whatever the algorithm. A time includes one launch. Where the method
// writes down how far one host is ahead of another, not the all-reduce, the row is flagged (suite_protocol.hpp).
#include <fmt/format.h>

#include <algorithm>

#include "sim/app/suite_kernels.hpp"
#include "sim/app/suite_protocol.hpp"
#include "traces/collective.hpp"

namespace rooftrace {

Prediction predict_collective(const SuiteRow& row, Bench& bench) {
  const MachineSpec& machine = bench.machine(row.text("hardware"));
  if (row.text("op") != "all_reduce") unknown_word(row, "op", "all_reduce");
  const auto gpus = static_cast<std::uint32_t>(row.integer("gpus", 2, 1024));
  if (gpus > machine.node.gpus) throw RowSkipped(fmt::format("{} GPUs, but a node has {}", gpus, machine.node.gpus));
  const std::uint64_t bytes = row.integer("bytes", 2, 1ULL << 36);
  AllReduceRule rule;
  const std::string& implementation = row.text("implementation");
  bool known = false;
  for (const AllReduce one :
       {AllReduce::nccl, AllReduce::ring, AllReduce::tree, AllReduce::nvls, AllReduce::one_shot, AllReduce::two_shot}) {
    if (implementation != name(one)) continue;
    rule.algorithm = one;
    known = true;
  }
  if (!known) unknown_word(row, "implementation", "nccl, ring, tree, nvls, one_shot, two_shot");
  Experiment e;
  e.key = fmt::format("all_reduce {} {} {}", implementation, gpus, bytes);
  e.group = gpus;
  e.warm = true;
  e.trace = [=](const DeviceShape& gpu) {
    Operands operands;
    AllReduceProblem p;
    p.ranks = gpus;
    p.elements = bytes / 2;
    p.input = operands.take(bytes);
    p.output = operands.take(bytes);
    const AllReduceChoice choice = choose_all_reduce(gpu, gpus, bytes, rule);
    const AllReduceRoom room = all_reduce_room(gpus, p.elements, p.type, choice);
    p.receive = operands.take(room.receive);
    p.peer = operands.take(room.peer);
    return trace_of({make_all_reduce(gpu, p, choice)}, operands);
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
  const double interval = protocol_of(row).launch_interval;
  if (bench.fidelity() == Fidelity::des && outcome.seconds < interval) {
    p.flag = fmt::format("method: shorter than the {:g} us between two launches, so its kernels wait for the slowest host", interval * 1e6);
  }
  return p;
}

}  // namespace rooftrace
