// Many points at once.
//
// Promises: points are started in the given order, each on one thread; `finished` is called for one point at a time, in whatever order they
// finish; when `stop` says so no further point is started and those running are finished. An exception of any call stops all likewise and
// comes out.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "sim/app/sweep_point.hpp"

namespace rooftrace {

void run_points(const std::vector<std::uint64_t>& points, unsigned threads, const std::function<PointRecord(std::uint64_t)>& run,
                const std::function<void(std::uint64_t, PointRecord&&)>& finished, const std::function<bool()>& stop);

}  // namespace rooftrace
