// The state of an L2 as a number, for finding out that a layer ended as it began.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "sim/machine/cache.hpp"
#include "sim/machine/first_touch.hpp"
#include "sim/machine/l2.hpp"

namespace rooftrace {

/// L2::fingerprint of a tag store: `line_at(set, tag)` gives a resident line's address.
template <class Cache, class LineAt>
std::uint64_t fingerprint_of(const Cache& cache, std::uint64_t sets, const FirstTouch& first_touch, std::uint64_t address_end,
                             const LayerFrame& frame, const LineAt& address_at) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  const auto add = [&hash](std::uint64_t x) {
    hash ^= x;
    hash *= 0x9E3779B97F4A7C15ULL;
    hash ^= hash >> 29;
  };
  for (std::uint64_t set = 0; set < sets; ++set) {
    const std::vector<ResidentLine> lines = cache.lines(static_cast<std::uint32_t>(set));
    add(lines.size());
    for (const ResidentLine& line : lines) {
      std::uint64_t address = address_at(static_cast<std::uint32_t>(set), line.tag);
      std::uint64_t layer = ~std::uint64_t{0};
      if (address >= frame.begin && address < frame.end && frame.stride != 0) {
        layer = (address - frame.begin) / frame.stride - static_cast<std::uint64_t>(frame.layer);
        address = (address - frame.begin) % frame.stride;
      }
      add(address);
      add(layer);
      add(line.valid << 4 | line.dirty);
    }
  }
  const auto touched = [&](std::uint64_t begin, std::uint64_t end) {
    first_touch.for_each_word(begin, end, [&](std::uint64_t address, std::uint64_t word) {
      add(address - begin);
      add(word);
    });
  };
  if (frame.stride == 0) {
    touched(0, address_end);
    return hash;
  }
  touched(0, frame.begin);
  add(~std::uint64_t{0});
  touched(frame.end, address_end);
  // A layer may touch its own arena and the next one, as Trace says of layers that repeat; those behind do not come back.
  for (std::uint64_t next = 0; next < 2; ++next) {
    const std::uint64_t begin = frame.begin + (static_cast<std::uint64_t>(frame.layer) + next) * frame.stride;
    add(next);
    touched(std::min(begin, frame.end), std::min(begin + frame.stride, frame.end));
  }
  return hash;
}

}  // namespace rooftrace
