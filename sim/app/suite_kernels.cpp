#include "sim/app/suite_kernels.hpp"

#include <fmt/format.h>

#include "sim/core/error.hpp"

namespace rooftrace {
namespace {

constexpr std::uint64_t kAddresses = 1ULL << 41;
// What analytic tools use for a kernel that the roofline gives t: t / 0.8 + 3 us.
constexpr double kToolShare = 0.8;
constexpr double kToolLaunch = 3e-6;

}  // namespace

std::uint64_t Operands::take(std::uint64_t bytes) {
  if (bytes > kAddresses || next_ + bytes > kAddresses) throw RowSkipped("the operands need more than 2 TiB");
  const std::uint64_t address = next_;
  next_ += (bytes + kPageBytes - 1) / kPageBytes * kPageBytes;
  return address;
}

Matrix Operands::matrix(std::uint64_t rows, std::uint64_t cols, DataType type, TensorRole role) {
  if (rows > kMostElements || cols > kMostElements || (cols > 0 && rows > kAddresses / cols)) {
    throw RowSkipped("the operands need more than 2 TiB");
  }
  Matrix m;
  m.rows = rows;
  m.cols = cols;
  m.type = type;
  m.role = role;
  m.pitch = m.row_bytes();
  m.address = take(m.bytes());
  return m;
}

ByteRange Operands::range(std::uint64_t bytes, Home home) {
  ByteRange r;
  r.address = take(bytes);
  r.bytes = bytes;
  r.home = home;
  return r;
}

Trace trace_of(std::vector<Kernel> kernels, const Operands& operands) {
  Trace trace;
  trace.kernels = std::move(kernels);
  trace.address_end = operands.end() + kPageBytes;
  return trace;
}

namespace {

void require_time(const Outcome& outcome) {
  if (!(outcome.seconds > 0)) throw RowSkipped("fidelity cache has no time");
}

}  // namespace

Prediction time_prediction(const Outcome& outcome, double per_second, double around) {
  require_time(outcome);
  Prediction p;
  p.simulated = (outcome.seconds + around) * per_second;
  p.bound = outcome.bound * per_second;
  p.side = Side::above;
  p.roofline = outcome.roofline * per_second;
  p.tool = (outcome.roofline / kToolShare + kToolLaunch) * per_second;
  return p;
}

Prediction rate_prediction(const Outcome& outcome, double amount) {
  require_time(outcome);
  Prediction p;
  p.simulated = amount / outcome.seconds;
  if (outcome.bound > 0) p.bound = amount / outcome.bound;
  p.side = Side::below;
  if (outcome.roofline > 0) p.roofline = amount / outcome.roofline;
  p.tool = amount / (outcome.roofline / kToolShare + kToolLaunch);
  return p;
}

Prediction bytes_prediction(const Outcome& outcome, std::uint64_t simulated, std::uint64_t least) {
  if (outcome.cache.sectors_read == 0) throw RowSkipped("fidelity bound simulates no bytes");
  Prediction p;
  p.simulated = static_cast<double>(simulated);
  p.bound = p.roofline = static_cast<double>(least);
  p.side = Side::above;
  return p;
}

Prediction hit_rate_prediction(const Outcome& outcome) {
  if (outcome.cache.sectors_read == 0) throw RowSkipped("fidelity bound has no hit rate");
  Prediction p;
  p.group = "hit rate";
  p.goal = "2 points";
  p.points = true;
  p.simulated = static_cast<double>(outcome.cache.sectors_hit) / static_cast<double>(outcome.cache.sectors_read);
  return p;
}

void unknown_word(const SuiteRow& row, const std::string& column, const std::string& known) {
  throw RowSkipped(fmt::format("{}: {} is not simulated; simulated: {}", column, quoted_word(row.text(column)), known));
}

}  // namespace rooftrace
