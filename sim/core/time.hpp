// Time is integer picoseconds, owned by the engine alone; nothing else stores "now".
#pragma once

#include <cstdint>

namespace rooftrace {

using Time = std::int64_t;  ///< Picoseconds since the start of the run.
inline constexpr Time kNever = INT64_MAX;

[[nodiscard]] constexpr double to_seconds(Time t) {
  return static_cast<double>(t) * 1e-12;
}
[[nodiscard]] constexpr Time from_seconds(double s) {
  return static_cast<Time>(s * 1e12 + 0.5);
}

}  // namespace rooftrace
