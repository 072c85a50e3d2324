// A cache with many ways (a fully associative one above all): tags in a hash table, recency in a linked list.
//
// The behaviour of ReferenceCache under LRU and FIFO, at a cost that does not grow with the ways.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "sim/machine/cache.hpp"

namespace rooftrace {

class AssociativeCache {
 public:
  static constexpr bool kUnnamed = false;
  AssociativeCache(std::uint64_t sets, std::uint32_t ways, bool lru) : ways_(ways), lru_(lru), sets_(sets) {}

  void prefetch(std::uint32_t /*set*/) const {}
  Touch touch(std::uint32_t set_index, std::uint64_t tag, std::uint32_t sectors, bool writes, CacheHint hint);
  void drop(std::uint32_t set_index, std::uint64_t tag);
  [[nodiscard]] std::vector<ResidentLine> lines(std::uint32_t set) const;

 private:
  static constexpr std::uint32_t kNone = ~0U;
  struct Node {
    ResidentLine line;
    std::uint32_t before = kNone, after = kNone;
  };
  struct Set {
    std::unordered_map<std::uint64_t, std::uint32_t> place;  ///< tag -> node
    std::vector<Node> nodes;
    std::vector<std::uint32_t> free;  ///< Nodes of dropped lines.
    std::uint32_t first = kNone, last = kNone;
  };
  static void unlink(Set& set, std::uint32_t node);
  static void link_front(Set& set, std::uint32_t node);
  static void link_back(Set& set, std::uint32_t node);

  std::uint32_t ways_;
  bool lru_;
  std::vector<Set> sets_;
};

}  // namespace rooftrace
