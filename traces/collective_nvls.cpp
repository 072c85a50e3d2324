// NCCL's NVLS: the NVLink switch adds the ranks' shards on the way to their owner, and multicasts the sums.
//
// Piece by piece of the own shard: the input is copied to the buffer that the switch may read (all shards' pieces); one load of the own
// piece makes the switch fetch it from every rank and deliver the sum; one store makes the switch write it to every rank; the sums are
// copied to the output. A load of the sum takes 1/n of the tensor off the switch, but the other ranks' loads take all n pieces out of this
// GPU, and their stores bring all n in: with the own store and load (1 + 1/n) S each way. Requests to the switch travel beside the data.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "traces/collective_kernels.hpp"

namespace rooftrace {
namespace {

using namespace collective;

constexpr std::uint64_t kPieceBytes = 16 * 1024;  // NCCL's NVLS chunk is 128 KiB for all eight ranks' heads.
constexpr std::uint32_t kDepth = 3;               // Copy in, reduce and copy out are warps of their own and overlap.
// Requests of 32 B (a header and an address flit, assumed) per line of 128 B; 475-480 GB/s of bus bandwidth on 8 H100 follow from it
// (ml-engineering's nccl-tests; SimAI's constant for H100 NVLS).
constexpr std::uint64_t kRequestShare = 4;
// tuning.cc: latency of one NVLS all-reduce 25 us, less a launch of 2.5 us and a link's way to the switch and back (assumed).
constexpr double kStart = 21e-6;

std::uint64_t with_requests(std::uint64_t bytes) {
  return bytes + bytes / kRequestShare;
}

class NvlsProgram final : public BlockProgram {
 public:
  NvlsProgram(const AllReduceProblem& problem, std::uint32_t blocks) : p_(problem), blocks_(blocks), width_(width(problem.type)) {
    const std::uint64_t shard = ceil_div(p_.elements, p_.ranks) * width_;
    pieces_ = static_cast<std::uint32_t>(std::max<std::uint64_t>(1, ceil_div(ceil_div(shard, blocks), kPieceBytes)));
  }

  [[nodiscard]] std::uint32_t steps(std::uint32_t) const override { return 3 * pieces_; }
  [[nodiscard]] Share piece(std::uint64_t rank, std::uint32_t block, std::uint32_t i) const {
    return {Share(Share(0, p_.elements, rank, p_.ranks), block, blocks_), i, pieces_};
  }
  [[nodiscard]] std::uint32_t pieces() const { return pieces_; }

  void fill(std::uint32_t block, std::uint32_t step, Step& out) const override {
    const std::uint32_t i = step / 3;
    const std::uint64_t tensor = p_.elements * width_;
    if (step == 0) out.pause = from_seconds(kStart);
    if (step % 3 == 1) {
      const Share own = piece(0, block, i);
      const std::uint64_t at = own.begin * width_, bytes = own.size() * width_;
      if (bytes == 0) return;
      push(out.loads, p_.peer + with_requests(at), with_requests(bytes), AccessOp::load, Home::peer);
      out.loads.back().rows = p_.ranks;
      out.loads.back().pitch = with_requests(tensor);
      push(out.stores, p_.peer + p_.ranks * with_requests(tensor) + at, bytes, AccessOp::store, Home::peer);
      return;
    }
    const bool in = step % 3 == 0;
    for (std::uint64_t rank = 0; rank < p_.ranks; ++rank) {
      const Share share = piece(rank, block, i);
      const std::uint64_t at = share.begin * width_, bytes = share.size() * width_;
      push(out.loads, in ? p_.input + at : p_.receive + tensor + at, bytes, AccessOp::load, Home::local);
      push(out.stores, in ? p_.receive + at : p_.output + at, bytes, AccessOp::store, Home::local);
    }
  }

 private:
  AllReduceProblem p_;
  std::uint32_t blocks_ = 1;
  std::uint64_t width_ = 2;
  std::uint32_t pieces_ = 1;
};

}  // namespace

AllReduceRoom nvls_room(std::uint32_t ranks, std::uint64_t elements, DataType type) {
  const std::uint64_t tensor = elements * width(type);
  return {2 * tensor, ranks * with_requests(tensor) + tensor};
}

Kernel make_nvls_all_reduce(const DeviceShape& gpu, const AllReduceProblem& problem) {
  const std::uint64_t bytes = problem.elements * width(problem.type);
  Kernel kernel;
  kernel.label = fmt::format("all_reduce nvls {} ranks", problem.ranks);
  kernel.kernel_class = KernelClass::all_reduce;
  kernel.grid = std::min(nccl_channels(gpu, {NcclAlgorithm::nvls, NcclProtocol::simple, 0}, problem.ranks, bytes), gpu.sms);
  kernel.depth = kDepth;
  kernel.serial_hops = 2;  // To the switch and to all, once each.
  auto program = std::make_shared<NvlsProgram>(problem, kernel.grid);
  std::uint64_t fetched = 0, sent = 0;
  for (std::uint32_t block = 0; block < kernel.grid; ++block) {
    for (std::uint32_t i = 0; i < program->pieces(); ++i) {
      const std::uint64_t own = program->piece(0, block, i).size() * width(problem.type);
      fetched += problem.ranks * with_requests(own);
      sent += own;
    }
  }
  kernel.footprint.push_back({TensorRole::activations, Home::local, 2 * bytes, 2 * bytes, true});
  kernel.footprint.push_back({TensorRole::activations, Home::peer, fetched, sent, true});
  kernel.program = std::move(program);
  return kernel;
}

}  // namespace rooftrace
