// Quantities as people write them: "3.35 TB/s", "50 MiB", "1.98 GHz", "989.4 TFLOP/s", "265 ns".
//
// Decimal prefixes are powers of 1000 and binary ones (Ki, Mi, Gi, Ti) of 1024; "B" is byte, "b" is refused as ambiguous. A bare number
// where a dimension is expected is refused, with the units that would do.
#pragma once

#include <string>
#include <string_view>

namespace rooftrace {

enum class Dimension { bytes, bytes_per_second, hertz, seconds, flop_per_second, watts };

/// The value in base units (B, B/s, Hz, s, FLOP/s, W). Throws std::invalid_argument whose what() is the message without location, for
/// example
/// "\"3.35 TBps\" has no unit I know; did you mean \"3.35 TB/s\"?". Refuses NaN, infinity and negative values.
[[nodiscard]] double parse_quantity(std::string_view text, Dimension dimension);

/// Shortest readable form with an SI prefix and at least `digits` significant digits: 3.35e12 B/s -> "3.35 TB/s"; 52428800 with binary ->
/// "50 MiB".
[[nodiscard]] std::string format_quantity(double value, Dimension dimension, int digits = 3);
[[nodiscard]] std::string format_binary_bytes(double bytes, int digits = 3);

}  // namespace rooftrace
