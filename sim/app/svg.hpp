// What the pictures share: text that cannot break out of its element, and axes with round numbers on them.
//
// Promises: the same values give the same bytes; every text from outside is escaped. Lengths are pixels, y grows downwards.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace rooftrace::svg {

/// & < > and " as entities; bytes that XML cannot hold become "?".
[[nodiscard]] std::string escaped(const std::string& text);
/// A <text> element; `anchor` is start, middle or end.
[[nodiscard]] std::string words(double x, double y, const std::string& anchor, const std::string& text);

enum class Numbers {
  plain,  ///< 1, 2 or 5 times a power of ten, printed with SI prefixes.
  bytes,  ///< Powers of two, printed with binary prefixes.
};

/// From values to pixels.
class Axis {
 public:
  /// Logarithmic over the positive values, with room at both ends; one value alone, or none, gets a decade.
  static Axis logarithmic(const std::vector<double>& values, double from, double to, Numbers numbers = Numbers::plain);
  /// Linear from 0 to 1.
  static Axis shares(double from, double to);

  [[nodiscard]] double at(double value) const;
  [[nodiscard]] double low() const { return low_; }
  [[nodiscard]] double high() const { return high_; }
  /// Round values on the axis and what to print there; so few that labels of up to 8 characters stay apart by `apart` pixels.
  [[nodiscard]] std::vector<std::pair<double, std::string>> ticks(double apart) const;

 private:
  double low_ = 0, high_ = 1, from_ = 0, to_ = 1;
  bool log_ = false;
  Numbers numbers_ = Numbers::plain;
};

}  // namespace rooftrace::svg
