// Which all-reduce is done, and the room it needs.
#include "traces/collective.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <stdexcept>

#include "traces/collective_kernels.hpp"

namespace rooftrace {
namespace {

using collective::width;

// NCCL never predicts LL to be the fastest beyond this (its bandwidth is a third of the others', and they catch up at a few MiB).
constexpr std::uint64_t kMostLl = 64ULL << 20;

constexpr std::array kAlgorithmNames = {std::string_view("automatic"), std::string_view("nccl"), std::string_view("ring"),
                                        std::string_view("tree"),      std::string_view("nvls"), std::string_view("one_shot"),
                                        std::string_view("two_shot")};
constexpr std::array kProtocolNames = {std::string_view("automatic"), std::string_view("ll"), std::string_view("ll128"),
                                       std::string_view("simple")};

AllReduce algorithm_of(NcclAlgorithm algorithm) {
  switch (algorithm) {
    case NcclAlgorithm::tree:
      return AllReduce::tree;
    case NcclAlgorithm::nvls:
      return AllReduce::nvls;
    case NcclAlgorithm::ring:
      break;
  }
  return AllReduce::ring;
}

bool allows(const AllReduceRule& rule, const NcclPlan& plan, std::uint64_t bytes) {
  const bool any_algorithm = rule.algorithm == AllReduce::automatic || rule.algorithm == AllReduce::nccl;
  if (!any_algorithm && rule.algorithm != algorithm_of(plan.algorithm)) return false;
  if (rule.protocol == AllReduceProtocol::automatic) return plan.protocol != NcclProtocol::ll || bytes <= kMostLl;
  return name(rule.protocol) == name(plan.protocol);
}

}  // namespace

std::string_view name(AllReduce algorithm) {
  return kAlgorithmNames.at(static_cast<std::size_t>(algorithm));
}
std::string_view name(AllReduceProtocol protocol) {
  return kProtocolNames.at(static_cast<std::size_t>(protocol));
}

AllReduceChoice choose_all_reduce(const DeviceShape& gpu, std::uint32_t ranks, std::uint64_t bytes, const AllReduceRule& rule) {
  if (rule.algorithm == AllReduce::one_shot || rule.algorithm == AllReduce::two_shot) return {rule.algorithm, NcclProtocol::simple};
  if (rule.algorithm == AllReduce::automatic && rule.protocol == AllReduceProtocol::automatic &&
      ((gpu.peers.nvlink && gpu.peers.all_to_all) || ranks == 2)) {
    if (bytes <= rule.one_shot_below) return {AllReduce::one_shot, NcclProtocol::simple};
    if (bytes <= rule.two_shot_below) return {AllReduce::two_shot, NcclProtocol::simple};
  }
  for (const NcclPlan& plan : nccl_plans(gpu, ranks, bytes)) {
    if (allows(rule, plan, bytes)) return {algorithm_of(plan.algorithm), plan.protocol};
  }
  if (rule.algorithm == AllReduce::nvls && !(gpu.peers.switch_reduces && ranks > 2)) {
    throw std::invalid_argument("all_reduce nvls needs an NVLink switch that reduces (H100 and later) and more than two GPUs");
  }
  if (rule.protocol == AllReduceProtocol::ll128 && !gpu.peers.nvlink) throw std::invalid_argument("all_reduce by ll128 needs NVLink");
  throw std::invalid_argument(fmt::format("all_reduce {} does not know the protocol {}", name(rule.algorithm), name(rule.protocol)));
}

AllReduceRoom all_reduce_room(std::uint32_t ranks, std::uint64_t elements, DataType type, const AllReduceChoice& choice) {
  switch (choice.algorithm) {
    case AllReduce::ring:
      return ring_room(ranks, elements, type, choice.protocol);
    case AllReduce::tree:
      return tree_room(elements, type, choice.protocol);
    case AllReduce::nvls:
      return nvls_room(ranks, elements, type);
    case AllReduce::one_shot:
      return one_shot_room(ranks, elements, type);
    case AllReduce::two_shot:
      return two_shot_room(ranks, elements, type);
    case AllReduce::automatic:
    case AllReduce::nccl:
      break;
  }
  return {};
}

AllReduceRoom all_reduce_room(std::uint32_t ranks, std::uint64_t elements, DataType type, const AllReduceRule& rule) {
  AllReduceRoom room;
  const bool any = rule.algorithm == AllReduce::automatic || rule.algorithm == AllReduce::nccl;
  const bool own = rule.algorithm == AllReduce::automatic && rule.protocol == AllReduceProtocol::automatic;
  for (const AllReduce algorithm : {AllReduce::ring, AllReduce::tree, AllReduce::nvls, AllReduce::one_shot, AllReduce::two_shot}) {
    const bool nccl = algorithm != AllReduce::one_shot && algorithm != AllReduce::two_shot;
    if (algorithm != rule.algorithm && !(nccl ? any : own)) continue;
    for (const NcclProtocol protocol : {NcclProtocol::ll, NcclProtocol::ll128, NcclProtocol::simple}) {
      const bool free = rule.protocol == AllReduceProtocol::automatic;
      if (!free && name(rule.protocol) != name(protocol)) continue;
      const std::uint64_t most = free && protocol == NcclProtocol::ll ? std::min(elements, kMostLl / width(type)) : elements;
      const AllReduceRoom more = all_reduce_room(ranks, nccl ? most : elements, type, AllReduceChoice{algorithm, protocol});
      room = {std::max(room.receive, more.receive), std::max(room.peer, more.peer)};
    }
  }
  return room;
}

Kernel make_all_reduce(const DeviceShape& gpu, const AllReduceProblem& problem, const AllReduceChoice& choice) {
  if (problem.ranks < 2) throw std::invalid_argument("all-reduce: at least two ranks");
  if (problem.elements == 0) throw std::invalid_argument("all-reduce: nothing to reduce");
  if (width(problem.type) == 0) throw std::invalid_argument("all-reduce: elements of whole bytes only");
  switch (choice.algorithm) {
    case AllReduce::ring:
      return make_ring_all_reduce(gpu, problem, choice.protocol);
    case AllReduce::tree:
      return make_tree_all_reduce(gpu, problem, choice.protocol);
    case AllReduce::nvls:
      return make_nvls_all_reduce(gpu, problem);
    case AllReduce::one_shot:
      return make_one_shot_all_reduce(gpu, problem);
    case AllReduce::two_shot:
      return make_two_shot_all_reduce(gpu, problem);
    case AllReduce::automatic:
    case AllReduce::nccl:
      break;
  }
  throw std::invalid_argument(fmt::format("all-reduce: {} is a rule, not an algorithm", name(choice.algorithm)));
}

}  // namespace rooftrace
