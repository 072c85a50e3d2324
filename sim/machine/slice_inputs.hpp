// What stands in front of one L2 slice: a queue per GPC (and per way in from another partition), served in turn.
//
// A slice takes one request from each queue in turn, passing over those whose first request has not arrived yet. So under load every GPC
// gets the same share of a slice however many SMs it has, and an SM of a large GPC gets less. Not modeled: queues of finite length (a full
// one would stop the requester's requests to other slices, too), the order among the SMs of a GPC (first come, first served).
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "sim/core/time.hpp"

namespace rooftrace {

/// One line that somebody asks for.
struct LineRequest {
  std::uint64_t line = 0;
  std::uint32_t call = 0;     ///< Whose: an index of the owner.
  std::uint32_t slot = 0;     ///< For the owner: what waits beside the requester for the answer.
  std::uint16_t sectors = 0;  ///< Mask.
  bool remote = false;        ///< The home is another partition than the requester's.
  bool at_home = true;        ///< This slice is the line's home.
};

/// Requests in the order of their arrival, a ring.
class RequestFifo {
 public:
  [[nodiscard]] bool empty() const { return first_ == last_; }
  [[nodiscard]] Time arrival() const { return ring_[first_ & mask()].arrival; }
  [[nodiscard]] Time last_arrival() const { return ring_[(last_ - 1) & mask()].arrival; }
  [[nodiscard]] const LineRequest& front() const { return ring_[first_ & mask()].request; }
  void pop() { ++first_; }
  void push(Time arrival, const LineRequest& request) {
    if (last_ - first_ == ring_.size()) grow();
    ring_[last_++ & mask()] = {arrival, request};
  }

 private:
  struct Entry {
    Time arrival = 0;
    LineRequest request;
  };
  [[nodiscard]] std::size_t mask() const { return ring_.size() - 1; }
  void grow() {
    std::vector<Entry> larger(std::max<std::size_t>(16, 2 * ring_.size()));
    const std::size_t count = last_ - first_;
    for (std::size_t i = 0; i < count; ++i) larger[i] = ring_[(first_ + i) & mask()];
    ring_ = std::move(larger);
    first_ = 0;
    last_ = count;
  }

  std::vector<Entry> ring_;  ///< A power of two, or empty.
  std::size_t first_ = 0, last_ = 0;
};

class SliceInputs {
 public:
  explicit SliceInputs(std::uint32_t inputs = 0) : queues_(inputs), arrivals_(inputs, kNever) {}

  void push(std::uint32_t input, Time arrival, const LineRequest& request) {
    RequestFifo& queue = queues_[input];
    if (queue.empty()) {
      arrivals_[input] = arrival;
    } else {
      arrival = std::max(arrival, queue.last_arrival());
    }
    queue.push(arrival, request);
  }

  [[nodiscard]] bool empty(std::uint32_t input) const { return arrivals_[input] == kNever; }
  /// When the first request of inputs [begin, end) arrives; kNever: there is none.
  [[nodiscard]] Time earliest(std::uint32_t begin) const {
    Time earliest = kNever;
    for (std::uint32_t i = begin; i < arrivals_.size(); ++i) earliest = std::min(earliest, arrivals_[i]);
    return earliest;
  }
  /// Whose turn it is at `now` among the inputs from `begin` on: the first after the one served last whose request is there; inputs() when
  /// none is.
  [[nodiscard]] std::uint32_t turn(Time now, std::uint32_t begin) const {
    const auto count = static_cast<std::uint32_t>(arrivals_.size());
    for (std::uint32_t i = std::max(next_, begin); i < count; ++i) {
      if (arrivals_[i] <= now) return i;
    }
    for (std::uint32_t i = begin; i < next_ && i < count; ++i) {
      if (arrivals_[i] <= now) return i;
    }
    return count;
  }
  [[nodiscard]] std::uint32_t inputs() const { return static_cast<std::uint32_t>(arrivals_.size()); }
  [[nodiscard]] const LineRequest& front(std::uint32_t input) const { return queues_[input].front(); }
  LineRequest take(std::uint32_t input) {
    RequestFifo& queue = queues_[input];
    const LineRequest request = queue.front();
    queue.pop();
    arrivals_[input] = queue.empty() ? kNever : queue.arrival();
    next_ = input + 1;
    return request;
  }
  /// Forgets whose turn it is; for a machine where nothing is under way.
  void start_over() { next_ = 0; }

 private:
  std::vector<RequestFifo> queues_;
  std::vector<Time> arrivals_;  ///< By input: of the first request, kNever when there is none.
  std::uint32_t next_ = 0;      ///< The input after the one served last.
};

}  // namespace rooftrace
