// Accesses that the memory answers later, by the number that the answer will carry.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/core/time.hpp"

namespace rooftrace {

/// Whose access it was.
struct Ticket {
  std::uint32_t slot = 0, life = 0, kernel = 0, step = 0;
  bool stores = false;
  Time least = 0;  ///< The answer counts as no earlier than this.
};

/// Numbers are used again, so memory is that of the accesses under way at a time.
class Tickets {
 public:
  /// The number of the next ticket that is handed out.
  [[nodiscard]] std::uint32_t next() const { return free_.empty() ? static_cast<std::uint32_t>(tickets_.size()) : free_.back(); }
  void hand_out(const Ticket& ticket) {
    if (free_.empty()) {
      tickets_.push_back(ticket);
      return;
    }
    tickets_[free_.back()] = ticket;
    free_.pop_back();
  }
  Ticket take_back(std::uint32_t number) {
    free_.push_back(number);
    return tickets_[number];
  }

 private:
  std::vector<Ticket> tickets_;
  std::vector<std::uint32_t> free_;
};

}  // namespace rooftrace
