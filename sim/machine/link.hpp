// A link between two devices: a channel each way, with a latency.
//
// All GPUs of a tensor-parallel group do the same at the same time, so one GPU stands for all: what it sends to its peers it also receives
// from them, and every transfer to or from a peer loads both directions (mirrored). Host transfers load one direction. Not modeled: credits
// and packets one by one (an efficiency stands for them), congestion inside switches.
#pragma once

#include <cstdint>

#include "sim/engine/channel.hpp"
#include "sim/machine/machine_spec.hpp"

namespace rooftrace {

class Link {
 public:
  explicit Link(const LinkSpec& spec = {})
      : in_(spec.bandwidth * spec.efficiency), out_(spec.bandwidth * spec.efficiency), latency_(from_seconds(spec.latency)) {}

  /// A read needs a request out (not counted) and data in; returns when the last byte has arrived.
  Time read(Time now, std::uint64_t bytes, bool mirrored) {
    if (mirrored) out_.send(now, static_cast<double>(bytes));
    return in_.send(now, static_cast<double>(bytes)) + 2 * latency_;
  }
  Time write(Time now, std::uint64_t bytes, bool mirrored) {
    if (mirrored) in_.send(now, static_cast<double>(bytes));
    return out_.send(now, static_cast<double>(bytes)) + latency_;
  }
  [[nodiscard]] Time latency() const { return latency_; }

 private:
  RatedChannel in_;
  RatedChannel out_;
  Time latency_;
};

}  // namespace rooftrace
