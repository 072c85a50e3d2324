// Captured addresses -> rooftrace's 42-bit space.
//
// A capture that knows its allocations: each gets pages of its own, in the order they are added, from the second page on; an address inside
// keeps its distance from the allocation's start, and the start keeps its place within a 256-byte piece. Any other address: its 1 GiB frame
// gets the next free frame, in order of first touch, and the address keeps its place within the frame, so that what was contiguous stays
// so. The result depends on the order of the accesses only, not on where the process happened to lie (ASLR). Role: of the allocation, else
// activations. Not modeled: physical pages (no capture sees them). UserError when more than 4 TiB would be needed.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "sim/core/access.hpp"
#include "traces/import/coalescer.hpp"

namespace rooftrace {

/// The role that an allocation's name says: its first word ("weights", "kv_cache", "scales of w") if it is one of the roles' names or
/// known to mean one (k, v, key, value -> kv; weight, w -> weights; scale; table, block_table); else nothing.
[[nodiscard]] std::optional<TensorRole> role_of_name(const std::string& name);

class AddressRebase {
 public:
  /// `file`: for messages.
  explicit AddressRebase(std::string file = "") : file_(std::move(file)) {}
  /// Returns where it lies now. std::invalid_argument for no bytes and for an overlap with one that lives.
  std::uint64_t add_allocation(std::uint64_t base, std::uint64_t bytes, TensorRole role);
  /// The allocation at `base` was freed: its captured addresses may be used again, its place here is not.
  void remove_allocation(std::uint64_t base);

  struct Place {
    SectorRun run;
    TensorRole role = TensorRole::activations;
  };
  /// `run` cut where it leaves an allocation or a frame; appended to `out`.
  void rebase(SectorRun run, std::vector<Place>& out);

  [[nodiscard]] const std::string& file() const { return file_; }
  [[nodiscard]] std::uint64_t frames() const { return frames_.size(); }  ///< 1 GiB frames of unknown addresses met.

 private:
  struct Allocation {
    std::uint64_t end = 0;
    std::uint64_t to = 0;
    TensorRole role = TensorRole::activations;
  };
  std::uint64_t frame(std::uint64_t number);
  [[noreturn]] void full() const;

  std::string file_;
  std::map<std::uint64_t, Allocation> allocations_;  ///< By base.
  std::unordered_map<std::uint64_t, std::uint64_t> frames_;
  std::uint64_t next_page_ = kPageBytes;  ///< Address 0 means "no tensor".
  std::uint64_t last_frame_ = UINT64_MAX, last_frame_to_ = 0;
};

}  // namespace rooftrace
