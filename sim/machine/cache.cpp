#include "sim/machine/cache.hpp"

#include <algorithm>

namespace rooftrace {

namespace {

/// The line at `place` was used: every bit on its way turns to the other half, so the halves trade places where it lay in the second.
void use_tree(std::vector<ResidentLine>& lines, std::size_t place) {
  for (std::size_t half = lines.size() / 2; half > 0; half /= 2) {
    if (place < half) continue;
    std::swap_ranges(lines.begin(), lines.begin() + static_cast<std::ptrdiff_t>(half), lines.begin() + static_cast<std::ptrdiff_t>(half));
    place -= half;
  }
}

}  // namespace

Touch ReferenceCache::touch_tree(std::uint32_t set_index, std::uint64_t tag, std::uint32_t sectors, bool writes, CacheHint hint) {
  std::vector<ResidentLine>& lines = sets_[set_index].lines;
  lines.resize(ways_);
  std::size_t place = ways_ - 1;
  Touch result;
  const auto there = [tag](const ResidentLine& line) { return line.tag == tag && line.valid != 0; };
  if (const auto found = std::find_if(lines.begin(), lines.end(), there); found != lines.end()) {
    result.valid = found->valid;
    found->valid |= sectors;
    if (writes) found->dirty |= sectors;
    place = static_cast<std::size_t>(found - lines.begin());
  } else {
    if (hint == CacheHint::no_allocate) return {};
    const auto empty = std::find_if(lines.begin(), lines.end(), [](const ResidentLine& line) { return line.valid == 0; });
    if (empty != lines.end()) place = static_cast<std::size_t>(empty - lines.begin());
    result.victim_dirty = lines[place].dirty;
    result.victim_tag = lines[place].tag;
    lines[place] = {tag, sectors, writes ? sectors : 0};
  }
  if (hint != CacheHint::evict_first) use_tree(lines, place);
  return result;
}

Touch ReferenceCache::touch(std::uint32_t set_index, std::uint64_t tag, std::uint32_t sectors, bool writes, CacheHint hint) {
  if (policy_ == Replacement::tree) return touch_tree(set_index, tag, sectors, writes, hint);
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
