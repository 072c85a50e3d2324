#include "sim/machine/cache.hpp"

#include <algorithm>

namespace rooftrace {

Touch ReferenceCache::touch(std::uint32_t set_index, std::uint64_t tag, std::uint32_t sectors, bool writes, CacheHint hint) {
  Set& set = sets_[set_index];
  const auto found = std::find_if(set.lines.begin(), set.lines.end(), [tag](const ResidentLine& line) { return line.tag == tag; });
  if (found != set.lines.end()) {
    const Touch result{found->valid, 0, 0};
    found->valid |= sectors;
    if (writes) found->dirty |= sectors;
    if (policy_ == Replacement::lru && hint != CacheHint::evict_first) std::rotate(set.lines.begin(), found, found + 1);
    return result;
  }
  if (hint == CacheHint::no_allocate) return {};
  Touch result;
  if (set.lines.size() == ways_) {
    std::size_t victim = ways_ - 1;
    if (policy_ == Replacement::random) {
      std::uint64_t x = (std::uint64_t{set_index} << 32) + set.evictions++;
      x = (x ^ (x >> 31)) * 0x9E3779B97F4A7C15ULL;
      victim = ((x >> 32) * ways_) >> 32;
    }
    result.victim_dirty = set.lines[victim].dirty;
    result.victim_tag = set.lines[victim].tag;
    set.lines.erase(set.lines.begin() + static_cast<std::ptrdiff_t>(victim));
  }
  const ResidentLine line{tag, sectors, writes ? sectors : 0};
  set.lines.insert(hint == CacheHint::evict_first ? set.lines.end() : set.lines.begin(), line);
  return result;
}

}  // namespace rooftrace
