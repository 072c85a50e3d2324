#include "sim/machine/associative_cache.hpp"

namespace rooftrace {

void AssociativeCache::unlink(Set& set, std::uint32_t node) {
  const Node& n = set.nodes[node];
  (n.before == kNone ? set.first : set.nodes[n.before].after) = n.after;
  (n.after == kNone ? set.last : set.nodes[n.after].before) = n.before;
}

void AssociativeCache::link_front(Set& set, std::uint32_t node) {
  set.nodes[node].before = kNone;
  set.nodes[node].after = set.first;
  (set.first == kNone ? set.last : set.nodes[set.first].before) = node;
  set.first = node;
}

void AssociativeCache::link_back(Set& set, std::uint32_t node) {
  set.nodes[node].after = kNone;
  set.nodes[node].before = set.last;
  (set.last == kNone ? set.first : set.nodes[set.last].after) = node;
  set.last = node;
}

Touch AssociativeCache::touch(std::uint32_t set_index, std::uint64_t tag, std::uint32_t sectors, bool writes, CacheHint hint) {
  Set& set = sets_[set_index];
  const auto found = set.place.find(tag);
  if (found != set.place.end()) {
    const std::uint32_t node = found->second;
    ResidentLine& line = set.nodes[node].line;
    const Touch result{line.valid, 0, 0};
    line.valid |= sectors;
    if (writes) line.dirty |= sectors;
    if (lru_ && hint != CacheHint::evict_first) {
      unlink(set, node);
      link_front(set, node);
    }
    return result;
  }
  if (hint == CacheHint::no_allocate) return {};
  Touch result;
  auto node = static_cast<std::uint32_t>(set.nodes.size());
  if (!set.free.empty()) {
    node = set.free.back();
    set.free.pop_back();
  } else if (node == ways_) {
    node = set.last;
    result.victim_dirty = set.nodes[node].line.dirty;
    result.victim_tag = set.nodes[node].line.tag;
    set.place.erase(result.victim_tag);
    unlink(set, node);
  } else {
    set.nodes.emplace_back();
  }
  set.nodes[node].line = {tag, sectors, writes ? sectors : 0};
  set.place.emplace(tag, node);
  if (hint == CacheHint::evict_first) {
    link_back(set, node);
  } else {
    link_front(set, node);
  }
  return result;
}

void AssociativeCache::drop(std::uint32_t set_index, std::uint64_t tag) {
  Set& set = sets_[set_index];
  const auto found = set.place.find(tag);
  if (found == set.place.end()) return;
  unlink(set, found->second);
  set.free.push_back(found->second);
  set.place.erase(found);
}

std::vector<ResidentLine> AssociativeCache::lines(std::uint32_t set) const {
  std::vector<ResidentLine> out;
  for (std::uint32_t node = sets_[set].first; node != kNone; node = sets_[set].nodes[node].after)
    out.push_back(sets_[set].nodes[node].line);
  return out;
}

}  // namespace rooftrace
