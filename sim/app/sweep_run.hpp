// Many points at once.
//
// Promises: `next` and `finished` are called for one point at a time; points are started in the order that `next` gives them in, each on
// one thread, and finish in whatever order; no more points than threads are in memory; when `stop` says so no further point is started and
// those running are finished. An exception of any call stops all likewise and comes out.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "sim/app/sweep_point.hpp"

namespace rooftrace {

/// The next point to be run, and nothing after the last one.
using PointOrder = std::function<std::optional<std::uint64_t>()>;

void run_points(const PointOrder& next, unsigned threads, const std::function<PointRecord(std::uint64_t)>& run,
                const std::function<void(std::uint64_t, PointRecord&&)>& finished, const std::function<bool()>& stop);

}  // namespace rooftrace
