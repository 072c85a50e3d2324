#include "sim/machine/gpu_memory.hpp"

#include <algorithm>

namespace rooftrace {

namespace {

std::vector<std::uint32_t> gpcs_of(const MachineSpec& spec) {
  std::vector<std::uint32_t> out;
  for (std::uint32_t i = 0; i < spec.sm.count; ++i) out.push_back(spec.gpc_of(i));
  return out;
}

}  // namespace

GpuMemory::GpuMemory(const MachineSpec& spec, const PeerPath& peers, std::uint64_t address_end, const std::vector<TensorRole>* page_role,
                     const L2Options& l2)
    : l2_(make_l2({&spec.l2, &spec.hbm, address_end, page_role, l2.contention, gpcs_of(spec)}, l2.store)),
      ports_(spec.sm.count, RatedChannel(spec.sm.l2_port)),
      nvlink_(peers.level == LevelId::nvlink ? peers.link : spec.nvlink),
      pcie_(spec.pcie),
      peer_level_(peers.level),
      peer_latency_(from_seconds(peers.link.latency)) {
  // GPCs are dealt to the partitions in turn.
  for (std::uint32_t i = 0; i < spec.sm.count; ++i)
    beside_.push_back((spec.sm.gpcs < spec.l2.partitions ? i : spec.gpc_of(i)) % spec.l2.partitions);
}

Time GpuMemory::access(std::span<const Access> accesses, const Requester& who, Time now) {
  Time ready = now;
  std::uint32_t later = 0;
  for (std::size_t first = 0; first < accesses.size();) {
    const Access& like = accesses[first];
    if (like.home != Home::local) {
      ready = std::max(ready, remote(like, who, now));
      ++first;
      continue;
    }
    std::size_t last = first + 1;
    std::uint64_t delivered = like.bytes() * like.multicast;
    while (last < accesses.size() && accesses[last].home == Home::local && accesses[last].op == like.op &&
           accesses[last].hint == like.hint && accesses[last].role == like.role) {
      delivered += accesses[last].bytes() * accesses[last].multicast;
      ++last;
    }
    const std::uint32_t partition = who.sm < beside_.size() ? beside_[who.sm] : 0;
    const Time through = l2_->access(accesses.subspan(first, last - first), who, partition, now);
    if (through == kLater) {
      ++later;
    } else {
      ready = std::max(ready, through);
    }
    if (like.op == AccessOp::load && who.sm < ports_.size())
      ready = std::max(ready, ports_[who.sm].send(now, static_cast<double>(delivered)));
    first = last;
  }
  if (later == 0) return ready;
  if (who.ticket >= open_.size()) open_.resize(who.ticket + 1);
  open_[who.ticket] = {later, ready};
  return kLater;
}

void GpuMemory::advance(std::vector<Answer>& answers) {
  answers_.clear();
  l2_->advance(answers_);
  for (const Answer& answer : answers_) {
    Open& open = open_[answer.ticket];
    open.ready = std::max(open.ready, answer.ready);
    if (--open.parts == 0) answers.push_back({answer.ticket, open.ready});
  }
}

Time GpuMemory::remote(const Access& access, const Requester& who, Time now) {
  const bool to_peer = access.home == Home::peer;
  (to_peer ? asked_peers_ : asked_host_) = true;
  const LevelId level = to_peer ? peer_level_ : LevelId::pcie;
  Link& link = level == LevelId::nvlink ? nvlink_ : pcie_;
  const bool reads = access.op == AccessOp::load;
  const std::uint64_t bytes = access.bytes();
  if (reads || to_peer) who.q->at(level, access.role, Direction::read, Cause::requested) += bytes;
  if (!reads || to_peer) who.q->at(level, access.role, Direction::write, Cause::requested) += bytes;
  const Time extra = to_peer ? peer_latency_ - link.latency() : 0;  // hops beyond the first
  return (reads ? link.read(now, bytes, to_peer) + extra : link.write(now, bytes, to_peer)) + extra;
}

Time GpuMemory::link_latency(Home home) const {
  return home == Home::peer ? peer_latency_ : pcie_.latency();
}

}  // namespace rooftrace
