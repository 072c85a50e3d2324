// What needs no operator: copies, fills, and NCCL's collectives, which say by their own name and arguments what they do.
#include <algorithm>
#include <array>
#include <stdexcept>

#include "traces/collective.hpp"
#include "traces/collective_ring_half.hpp"
#include "traces/import/kineto_shapes.hpp"

namespace rooftrace {
namespace {

using namespace kineto;

constexpr std::uint64_t kMostMessage = 1ULL << 32;  // Elements of a collective: far above what fits a GPU beside a model.
constexpr std::uint32_t kMostRanks = 4096;

bool contains(const std::string& text, const char* word) {
  return text.find(word) != std::string::npos;
}

/// NCCL's kernels are named after what they do: ncclDevKernel_AllReduce_Sum_bf16_RING_LL.
AllReduceChoice nccl_choice(const std::string& kernel) {
  AllReduceChoice choice;
  if (contains(kernel, "_TREE_")) choice.algorithm = AllReduce::tree;
  if (contains(kernel, "_NVLS")) choice.algorithm = AllReduce::nvls;
  choice.protocol = contains(kernel, "_LL128") ? NcclProtocol::ll128 : contains(kernel, "_LL") ? NcclProtocol::ll : NcclProtocol::simple;
  return choice;
}

enum class Collective : std::uint8_t { none, all_reduce, all_gather, reduce_scatter, broadcast, reduce, all_to_all, point_to_point, other };

/// By the kernel's name; the words of older and newer NCCL.
Collective collective_of(const KinetoGpuEvent& event) {
  const std::string& n = event.name;
  if (event.kind != KinetoGpuEvent::Kind::kernel || (!contains(n, "nccl") && !contains(n, "Nccl"))) return Collective::none;
  struct Row {
    const char* word;
    Collective what;
  };
  static constexpr std::array kRows = {
      Row{"AllReduce", Collective::all_reduce}, Row{"allreduce", Collective::all_reduce},         Row{"all_reduce", Collective::all_reduce},
      Row{"AllGather", Collective::all_gather}, Row{"ReduceScatter", Collective::reduce_scatter}, Row{"Broadcast", Collective::broadcast},
      Row{"AlltoAll", Collective::all_to_all},  Row{"SendRecv", Collective::point_to_point},      Row{"Reduce", Collective::reduce},
  };
  for (const Row& row : kRows) {
    if (contains(n, row.word)) return row.what;
  }
  return Collective::other;
}

bool is_ring(const std::string& kernel) {
  return contains(kernel, "_RING");
}

std::vector<Kernel> all_reduce(const KinetoGpuEvent& event, const DeviceShape& gpu, KinetoMemory& memory) {
  const auto type = kineto_data_type(event.type);
  if (!type || event.elements == 0 || event.elements > kMostMessage || event.ranks < 2 || event.ranks > kMostRanks) return {};
  AllReduceProblem p;
  p.ranks = event.ranks;
  p.elements = event.elements;
  p.type = *type;
  const auto bytes = static_cast<std::uint64_t>(static_cast<double>(p.elements) * bytes_per_element(*type));
  p.input = p.output = memory.input(bytes);
  const AllReduceChoice choice = nccl_choice(event.name);
  const AllReduceRoom room = all_reduce_room(p.ranks, p.elements, *type, choice);
  p.receive = memory.named("all-reduce receive", room.receive);
  p.peer = memory.named("all-reduce peer", room.peer);
  return {make_all_reduce(gpu, p, choice)};
}

/// A profile says the elements of this rank's input and of its output: one shard and all of them, whichever of the two is the input.
std::vector<Kernel> ring_half(const KinetoGpuEvent& event, RingHalf half, const DeviceShape& gpu, KinetoMemory& memory) {
  const auto type = kineto_data_type(event.type);
  if (!is_ring(event.name) || !type || event.ranks < 2 || event.ranks > kMostRanks) return {};
  const bool gather = half == RingHalf::all_gather;
  RingHalfProblem p;
  p.half = half;
  p.ranks = event.ranks;
  p.type = *type;
  p.elements = gather ? event.elements : event.elements / event.ranks;
  const std::uint64_t input = gather ? p.elements : p.elements * p.ranks, output = gather ? p.elements * p.ranks : p.elements;
  if (p.elements == 0 || p.elements > kMostMessage / p.ranks || event.elements != input) return {};
  if (event.elements_out != 0 && event.elements_out != output) return {};  // Shards of several lengths.
  const auto width = static_cast<std::uint64_t>(bytes_per_element(*type));
  const NcclProtocol protocol = nccl_choice(event.name).protocol;
  p.input = memory.input(input * width);
  p.output = memory.output(output * width);
  const std::uint64_t room = ring_half_room(p, protocol);
  p.receive = memory.named("all-reduce receive", room);
  p.peer = memory.named("all-reduce peer", room);
  return {make_ring_half(gpu, p, protocol)};
}

std::vector<Kernel> move(const KinetoGpuEvent& event, const DeviceShape& gpu, KinetoMemory& memory) {
  if (event.bytes == 0 || event.bytes > kMostMoved) return {};
  if (event.kind == KinetoGpuEvent::Kind::memset) {
    StreamProblem p;
    p.destinations = {range(memory.output(event.bytes), event.bytes)};
    Kernel kernel = make_stream(gpu, p);
    kernel.label = "memset";
    return {kernel};
  }
  const bool to_device = contains(event.name, "HtoD"), to_host = contains(event.name, "DtoH");
  const bool peer = contains(event.name, "PtoP");
  const std::uint64_t other = memory.named(peer ? "peer" : to_device || to_host ? "host" : "copy source", event.bytes);
  const Home home = peer ? Home::peer : to_device || to_host ? Home::host : Home::local;
  if (to_host) return {make_engine_copy(range(memory.input(event.bytes), event.bytes), range(other, event.bytes, home))};
  return {make_engine_copy(range(other, event.bytes, home), range(memory.output(event.bytes), event.bytes))};
}

}  // namespace

bool is_nccl_kernel(const KinetoGpuEvent& event) {
  return collective_of(event) != Collective::none;
}

std::string why_no_collective(const KinetoGpuEvent& event) {
  switch (collective_of(event)) {
    case Collective::none:
      return "";
    case Collective::all_reduce:
      return "NCCL all-reduce without In msg nelems, Group size or dtype";
    case Collective::all_gather:
    case Collective::reduce_scatter:
      return is_ring(event.name) ? "NCCL all-gather or reduce-scatter without In msg nelems, Group size or dtype, or of uneven shards"
                                 : "NCCL all-gather or reduce-scatter, but not by the ring: no generator";
    case Collective::broadcast:
    case Collective::reduce:
      return "NCCL broadcast or reduce: a profile does not say where in the ring this rank stands";
    case Collective::all_to_all:
    case Collective::point_to_point:
      return "NCCL send, receive or all-to-all: no generator, and one event stands for several messages";
    case Collective::other:
      break;
  }
  return "NCCL kernel that does not say what it does";
}

std::vector<Kernel> lower_gpu_event(const KinetoGpuEvent& event, const DeviceShape& gpu, KinetoMemory& memory) {
  try {
    if (event.kind != KinetoGpuEvent::Kind::kernel) return move(event, gpu, memory);
    switch (collective_of(event)) {
      case Collective::all_reduce:
        return all_reduce(event, gpu, memory);
      case Collective::all_gather:
        return ring_half(event, RingHalf::all_gather, gpu, memory);
      case Collective::reduce_scatter:
        return ring_half(event, RingHalf::reduce_scatter, gpu, memory);
      default:
        return {};
    }
  } catch (const std::logic_error&) {
    return {};
  }
}

}  // namespace rooftrace
