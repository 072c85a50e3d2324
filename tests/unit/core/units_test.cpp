// Quantities: a table of what is read, a table of what is refused with the exact words, and what is printed.
#include "sim/core/units.hpp"

#include <gtest/gtest.h>

#include <clocale>
#include <cmath>
#include <limits>
#include <random>
#include <stdexcept>

namespace rooftrace {
namespace {

using D = Dimension;

std::string refusal(std::string_view text, Dimension dimension) {
  try {
    const double value = parse_quantity(text, dimension);
    return "accepted as " + std::to_string(value);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
}

struct Good {
  const char* text;
  Dimension dimension;
  double value;
};

// The literals on the right are the doubles nearest to the decimal value: parsing must give exactly these, not one rounding beside them.
constexpr Good kGood[] = {
    {"3.35 TB/s", D::bytes_per_second, 3.35e12},
    {"3.35TB/s", D::bytes_per_second, 3.35e12},
    {"  3.35   TB/s ", D::bytes_per_second, 3.35e12},
    {"2039 GB/s", D::bytes_per_second, 2.039e12},
    {"0.864 TB/s", D::bytes_per_second, 8.64e11},
    {"1 B/s", D::bytes_per_second, 1},
    {"1 GiB/s", D::bytes_per_second, 1073741824},
    {"50 MiB", D::bytes, 52428800},  // 50 * 2^20
    {"50 MB", D::bytes, 5e7},
    {"228 KiB", D::bytes, 233472},  // 228 * 1024
    {"256 kB", D::bytes, 256000},
    {"80 GB", D::bytes, 8e10},
    {"0.5 TiB", D::bytes, 549755813888},    // 2^39
    {"1 PiB", D::bytes, 1125899906842624},  // 2^50
    {"2EB", D::bytes, 2e18},                // Exabytes: no digit behind the E.
    {"2E3B", D::bytes, 2000},               // An exponent.
    {"128 B", D::bytes, 128},
    {"0 B", D::bytes, 0},
    {"1.98 GHz", D::hertz, 1.98e9},
    {"1755 MHz", D::hertz, 1.755e9},
    {"1 Hz", D::hertz, 1},
    {"265 ns", D::seconds, 2.65e-7},
    {"2.5 us", D::seconds, 2.5e-6},
    {"2.5 \u00b5s", D::seconds, 2.5e-6},  // Micro sign.
    {"2.5 \u03bcs", D::seconds, 2.5e-6},  // Greek mu.
    {"10 ps", D::seconds, 1e-11},
    {"1e3 ns", D::seconds, 1e-6},
    {".5 ms", D::seconds, 5e-4},
    {"5. s", D::seconds, 5},
    {"989.4 TFLOP/s", D::flop_per_second, 9.894e14},
    {"1.979e3 TFLOP/s", D::flop_per_second, 1.979e15},
    {"1E+2 GFLOP/s", D::flop_per_second, 1e11},
    {"9 PFLOP/s", D::flop_per_second, 9e15},
    {"700 W", D::watts, 700},
    {"0.7 kW", D::watts, 700},
};

TEST(ParseQuantity, ReadsWhatPeopleWrite) {
  for (const Good& good : kGood) {
    ASSERT_NO_THROW(EXPECT_EQ(parse_quantity(good.text, good.dimension), good.value) << good.text) << good.text;
  }
}

struct Bad {
  std::string text;
  Dimension dimension;
  std::string message;
};

const std::string kBandwidths = "EB/s, PB/s, TB/s, GB/s, MB/s, kB/s, PiB/s, TiB/s, GiB/s, MiB/s, KiB/s, B/s";

TEST(ParseQuantity, SaysWhatWouldDo) {
  const std::vector<Bad> table = {
      // Near misses.
      {"3.35 TBps", D::bytes_per_second, "\"3.35 TBps\" has no unit I know; did you mean \"3.35 TB/s\"?"},
      {"3.35TBPS", D::bytes_per_second, "\"3.35TBPS\" has no unit I know; did you mean \"3.35 TB/s\"?"},
      {"3.35 tb/s", D::bytes_per_second, "\"3.35 tb/s\" has no unit I know; did you mean \"3.35 TB/s\"?"},
      {"3.35 TB/sec", D::bytes_per_second, "\"3.35 TB/sec\" has no unit I know; did you mean \"3.35 TB/s\"?"},
      {"3 TByte/s", D::bytes_per_second, "\"3 TByte/s\" has no unit I know; did you mean \"3 TB/s\"?"},
      {"3.35 T", D::bytes_per_second, "\"3.35 T\" has no unit I know; did you mean \"3.35 TB/s\"?"},
      {"1.5e3 GBs", D::bytes_per_second, "\"1.5e3 GBs\" has no unit I know; did you mean \"1.5e3 GB/s\"?"},
      {"50 M", D::bytes, "\"50 M\" has no unit I know; did you mean \"50 MB\"?"},
      {"50 MIB", D::bytes, "\"50 MIB\" has no unit I know; did you mean \"50 MiB\"?"},
      {"64 bytes", D::bytes, "\"64 bytes\" has no unit I know; did you mean \"64 B\"?"},
      {"989.4 TFLOPS", D::flop_per_second, "\"989.4 TFLOPS\" has no unit I know; did you mean \"989.4 TFLOP/s\"?"},
      {"989.4 TFLOPs/s", D::flop_per_second, "\"989.4 TFLOPs/s\" has no unit I know; did you mean \"989.4 TFLOP/s\"?"},
      {"1 teraflops", D::flop_per_second, "\"1 teraflops\" has no unit I know; did you mean \"1 TFLOP/s\"?"},
      {"1.98 ghz", D::hertz, "\"1.98 ghz\" has no unit I know; did you mean \"1.98 GHz\"?"},
      {"3 seconds", D::seconds, "\"3 seconds\" has no unit I know; did you mean \"3 s\"?"},
      {"5 msec", D::seconds, "\"5 msec\" has no unit I know; did you mean \"5 ms\"?"},
      {"700 watts", D::watts, "\"700 watts\" has no unit I know; did you mean \"700 W\"?"},
      // A suggestion of another magnitude would do harm: none is made.
      {"1 min", D::seconds, "\"1 min\" has no unit I know; units that would do: s, ms, us, ns, ps"},
      {"1e GB/s", D::bytes_per_second, "\"1e GB/s\" has no unit I know; units that would do: " + kBandwidths},
      // Bits.
      {"3.35 Tb/s", D::bytes_per_second, "\"3.35 Tb/s\" is ambiguous: \"b\" may be bits or bytes; did you mean \"3.35 TB/s\"?"},
      {"900 Gbps", D::bytes_per_second, "\"900 Gbps\" is ambiguous: \"b\" may be bits or bytes; did you mean \"900 GB/s\"?"},
      {"50 Mb", D::bytes, "\"50 Mb\" is ambiguous: \"b\" may be bits or bytes; did you mean \"50 MB\"?"},
      {"900 Gbit/s", D::bytes_per_second, "\"900 Gbit/s\" is in bits; in bytes it would be \"112.5 GB/s\""},  // 900 / 8
      {"228 KB", D::bytes, "\"228 KB\" is ambiguous; did you mean \"228 KiB\" (1024) or \"228 kB\" (1000)?"},
      // No unit, the wrong one, none at all.
      {"3.35", D::bytes_per_second, "\"3.35\" has no unit; units that would do: " + kBandwidths},
      {"700", D::watts, "\"700\" has no unit; units that would do: MW, kW, W"},
      {"0", D::seconds, "\"0\" has no unit; units that would do: s, ms, us, ns, ps"},
      {"3.35 TB", D::bytes_per_second, "\"3.35 TB\" is a size, but a bandwidth is needed, as in \"3.35 TB/s\""},
      {"1.98 GHz", D::bytes, "\"1.98 GHz\" is a frequency, but a size is needed, as in \"50 MiB\""},
      {"265 ns", D::hertz, "\"265 ns\" is a time, but a frequency is needed, as in \"1.98 GHz\""},
      {"5 elephants", D::seconds, "\"5 elephants\" has no unit I know; units that would do: s, ms, us, ns, ps"},
      {"1 TB/s x", D::bytes_per_second, "\"1 TB/s x\" has no unit I know; units that would do: " + kBandwidths},
      {"0x10 W", D::watts, "\"0x10 W\" has no unit I know; units that would do: MW, kW, W"},
      {"1.2.3 W", D::watts, "\"1.2.3 W\" has no unit I know; units that would do: MW, kW, W"},
      // Numbers.
      {"3,35 TB/s", D::bytes_per_second, "\"3,35 TB/s\" has a comma in the number; did you mean \"3.35 TB/s\"?"},
      {"1,979 TFLOP/s", D::flop_per_second, "\"1,979 TFLOP/s\" has a comma in the number; did you mean \"1979 TFLOP/s\"?"},
      {"-1 GHz", D::hertz, "\"-1 GHz\" is negative"},
      {"-.5 GHz", D::hertz, "\"-.5 GHz\" is negative"},
      {"fast", D::hertz, "\"fast\" is not a number with a unit; a frequency is needed, as in \"1.98 GHz\""},
      {"", D::watts, "\"\" is not a number with a unit; a power is needed, as in \"700 W\""},
      {"nan s", D::seconds, "\"nan s\" is not a number with a unit; a time is needed, as in \"265 ns\""},
      {"inf s", D::seconds, "\"inf s\" is not a number with a unit; a time is needed, as in \"265 ns\""},
      {".", D::flop_per_second, "\".\" is not a number with a unit; a rate of work is needed, as in \"989.4 TFLOP/s\""},
      {"1e400 s", D::seconds, "\"1e400 s\" is out of range"},
      {"1e-400 s", D::seconds, "\"1e-400 s\" is out of range"},
      {"1e300 PB", D::bytes, "\"1e300 PB\" is out of range"},  // 1e315 > 1.8e308
      {"1e300 PiB", D::bytes, "\"1e300 PiB\" is out of range"},
      {"1e99999999999999999999 B", D::bytes, "\"1e99999999999999999999 B\" is out of range"},
      {"1e-99999999999999999999 B", D::bytes, "\"1e-99999999999999999999 B\" is out of range"},
  };
  for (const Bad& bad : table) EXPECT_EQ(refusal(bad.text, bad.dimension), bad.message) << bad.text;
}

TEST(ParseQuantity, KeepsItsMessageShortForLongRubbish) {
  const std::string message = refusal("1 " + std::string(100000, 'x'), D::watts);
  EXPECT_EQ(message, "\"1 " + std::string(58, 'x') + "...\" has no unit I know; units that would do: MW, kW, W");
  EXPECT_EQ(refusal(std::string(1000, '9') + " W", D::watts), "\"" + std::string(60, '9') + "...\" is out of range");
}

TEST(ParseQuantity, IgnoresTheLocale) {
  const std::string before = std::setlocale(LC_ALL, nullptr);
  // Decimal comma; where the system has no such locale the call fails and the check is that of the C locale.
  for (const char* locale : {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8"}) {
    if (std::setlocale(LC_ALL, locale) != nullptr) break;
  }
  EXPECT_EQ(parse_quantity("3.35 TB/s", D::bytes_per_second), 3.35e12);
  EXPECT_EQ(format_quantity(3.35e12, D::bytes_per_second), "3.35 TB/s");
  std::setlocale(LC_ALL, before.c_str());
}

TEST(FormatQuantity, TakesTheLargestPrefixThatLeavesADigit) {
  EXPECT_EQ(format_quantity(3.35e12, D::bytes_per_second), "3.35 TB/s");
  EXPECT_EQ(format_quantity(9.894e14, D::flop_per_second), "989 TFLOP/s");
  EXPECT_EQ(format_quantity(9.894e14, D::flop_per_second, 4), "989.4 TFLOP/s");
  EXPECT_EQ(format_quantity(1.755e9, D::hertz, 4), "1.755 GHz");
  EXPECT_EQ(format_quantity(2.65e-7, D::seconds), "265 ns");
  EXPECT_EQ(format_quantity(0.0123456, D::seconds), "12.3 ms");
  EXPECT_EQ(format_quantity(700, D::watts), "700 W");
  EXPECT_EQ(format_quantity(8e10, D::bytes), "80 GB");  // No trailing zeros.
  EXPECT_EQ(format_quantity(100, D::bytes), "100 B");
  EXPECT_EQ(format_quantity(0, D::seconds), "0 s");
  EXPECT_EQ(format_quantity(-2.5e9, D::bytes), "-2.5 GB");
}

TEST(FormatQuantity, RoundsIntoTheNextPrefix) {
  EXPECT_EQ(format_quantity(9.994e11, D::bytes), "999 GB");
  EXPECT_EQ(format_quantity(9.996e11, D::bytes), "1 TB");  // Three digits of 999.6 are 1000.
  EXPECT_EQ(format_quantity(9.996e11, D::bytes, 4), "999.6 GB");
}

TEST(FormatQuantity, KeepsAllDigitsBeforeThePoint) {
  // Beyond the largest and below the smallest prefix nothing can be shortened.
  EXPECT_EQ(format_quantity(1.2345e22, D::bytes), "12345 EB");
  EXPECT_EQ(format_quantity(5e-14, D::seconds), "0.05 ps");
  EXPECT_EQ(format_quantity(1234, D::seconds), "1234 s");
}

TEST(FormatQuantity, PrintsWhatIsNoNumber) {
  EXPECT_EQ(format_quantity(std::numeric_limits<double>::infinity(), D::seconds), "inf s");
  EXPECT_EQ(format_quantity(std::numeric_limits<double>::quiet_NaN(), D::seconds), "nan s");
}

TEST(FormatBinaryBytes, UsesPowersOf1024) {
  EXPECT_EQ(format_binary_bytes(52428800), "50 MiB");
  EXPECT_EQ(format_binary_bytes(233472), "228 KiB");
  EXPECT_EQ(format_binary_bytes(1536), "1.5 KiB");
  EXPECT_EQ(format_binary_bytes(1023), "1023 B");
  EXPECT_EQ(format_binary_bytes(0), "0 B");
  EXPECT_EQ(format_binary_bytes(8e10), "74.5 GiB");  // 8e10 / 2^30 = 74.506
}

TEST(FormatQuantity, IsReadBackWithinItsDigits) {
  const std::uint32_t seed = 20240607;
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> exponent(-11.5, 17.5);
  for (int i = 0; i < 5000; ++i) {
    const double value = std::pow(10.0, exponent(random));
    const auto dimension = static_cast<Dimension>(random() % 6);
    const int digits = 3 + static_cast<int>(random() % 6);
    if (value < 1 && dimension != Dimension::seconds) continue;
    const std::string text = format_quantity(value, dimension, digits);
    // Rounding to `digits` significant digits is wrong by at most half a unit of the last one, relative to the first: 0.5 * 10^(1-digits).
    EXPECT_NEAR(parse_quantity(text, dimension) / value, 1.0, 0.5001 * std::pow(10.0, 1 - digits)) << text;
  }
}

}  // namespace
}  // namespace rooftrace
