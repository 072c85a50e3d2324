// Quantities: a value that is taken is finite, not negative, and what is printed for it is taken again.
#include <cmath>
#include <stdexcept>

#include "sim/core/units.hpp"
#include "tests/fuzz/fuzz.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace rooftrace;
  const std::string text = fuzz::text_of(data, size);
  for (const Dimension dimension : {Dimension::bytes, Dimension::bytes_per_second, Dimension::hertz, Dimension::seconds,
                                    Dimension::flop_per_second, Dimension::watts}) {
    double value = 0;
    try {
      value = parse_quantity(text, dimension);
    } catch (const std::invalid_argument&) {
      continue;
    }
    if (!std::isfinite(value) || value < 0) __builtin_trap();
    static_cast<void>(format_quantity(value, dimension));
    static_cast<void>(format_binary_bytes(value));
  }
  return 0;
}
