// The memories behind the SMs of one GPU: SM ports, L2 with HBM, and the links to peers and host.
//
// Remote accesses bypass L2 (as uncached peer and zero-copy accesses do). Not modeled: L1, translation (TLB), the fabric's own bandwidth.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "sim/core/level.hpp"
#include "sim/engine/channel.hpp"
#include "sim/machine/l2.hpp"
#include "sim/machine/link.hpp"
#include "sim/machine/machine_spec.hpp"

namespace rooftrace {

/// How the GPUs of a group reach each other, found by the topology.
struct PeerPath {
  LevelId level = LevelId::nvlink;  ///< Whose bytes these are: nvlink or pcie.
  LinkSpec link;                    ///< The whole way as one link.
};

class GpuMemory final : public Memory {
 public:
  GpuMemory(const MachineSpec& spec, const PeerPath& peers, std::uint64_t address_end, const std::vector<TensorRole>* page_role,
            const L2Options& l2 = {});

  Time access(std::span<const Access> accesses, const Requester& who, Time now) override;
  [[nodiscard]] Time next() const override { return l2_->next(); }
  void advance(std::vector<Answer>& answers) override;
  [[nodiscard]] Time link_latency(Home home) const override;
  /// Whether an access has gone to peers or to the host so far.
  [[nodiscard]] bool asked(Home home) const { return home == Home::peer ? asked_peers_ : asked_host_; }
  [[nodiscard]] L2& l2() { return *l2_; }
  [[nodiscard]] const L2& l2() const { return *l2_; }

 private:
  Time remote(const Access& access, const Requester& who, Time now);

  /// An access that L2 will answer later, in parts.
  struct Open {
    std::uint32_t parts = 0;
    Time ready = 0;  ///< Of what has been answered.
  };

  std::vector<Open> open_;             ///< By ticket.
  std::vector<Answer> answers_;        ///< Of L2.
  std::vector<std::uint32_t> beside_;  ///< By SM: the partition of L2 beside it.
  std::unique_ptr<L2> l2_;
  std::vector<RatedChannel> ports_;  ///< One per SM, from L2 to the SM.
  Link nvlink_;
  Link pcie_;
  LevelId peer_level_;
  Time peer_latency_;
  bool asked_peers_ = false, asked_host_ = false;
};

}  // namespace rooftrace
