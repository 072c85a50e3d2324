// What the kinds of suites share: room for operands, traces of single kernels, and predictions from outcomes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/app/validate_kinds.hpp"
#include "traces/copy.hpp"
#include "traces/tensor.hpp"

namespace rooftrace {

inline constexpr std::uint64_t kMostElements = 1ULL << 36;  ///< Of any one size in a suite.

/// Operands one behind the other, each on pages of its own; peers and the host begin far above.
class Operands {
 public:
  [[nodiscard]] Matrix matrix(std::uint64_t rows, std::uint64_t cols, DataType type, TensorRole role = TensorRole::activations);
  [[nodiscard]] ByteRange range(std::uint64_t bytes, Home home = Home::local);
  /// Address of `bytes` free bytes. RowSkipped when they do not fit the address space.
  [[nodiscard]] std::uint64_t take(std::uint64_t bytes);
  [[nodiscard]] std::uint64_t end() const { return next_; }

 private:
  std::uint64_t next_ = 0;
};

/// The kernels one after the other.
[[nodiscard]] Trace trace_of(std::vector<Kernel> kernels, const Operands& operands);

/// A time: quantity = (seconds + around) * per_second; `around`: seconds of the measured interval outside the kernels (suite_protocol.hpp).
/// RowSkipped when the outcome has no time (fidelity cache).
[[nodiscard]] Prediction time_prediction(const Outcome& outcome, double per_second, double around = 0);
/// A rate: quantity = amount / seconds.
[[nodiscard]] Prediction rate_prediction(const Outcome& outcome, double amount);
/// Bytes that nothing can be below `least`; the plain roofline says that, too. RowSkipped at fidelity bound, which simulates none.
[[nodiscard]] Prediction bytes_prediction(const Outcome& outcome, std::uint64_t simulated, std::uint64_t least);
/// A share of sectors found in L2; at fidelity bound there is none.
[[nodiscard]] Prediction hit_rate_prediction(const Outcome& outcome);

[[noreturn]] void unknown_word(const SuiteRow& row, const std::string& column, const std::string& known);

}  // namespace rooftrace
