// The arithmetic of roofline.hpp.
//
// Promises: no state, no rounding but that of doubles. Not modeled: see roofline.hpp.
#include "analysis/roofline.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>

namespace rooftrace {
namespace {

constexpr std::array kAllPipes = {Pipe::tensor, Pipe::cuda, Pipe::sfu};
constexpr std::array kAllLevels = {LevelId::l2, LevelId::hbm, LevelId::nvlink, LevelId::pcie};

/// amount / rate, where "some amount at no rate" is a contradiction between trace and machine, not a long time.
double seconds_at(double amount, double rate, std::string_view of) {
  if (amount <= 0) return 0;
  if (rate <= 0) throw std::logic_error("roofline: " + std::string(of) + " is used but has no rate");
  return amount / rate;
}

Demand demand(const KernelRecord& kernel, const ByteCounts& bytes, const Peaks& peaks) {
  Demand result;
  result.work = kernel.work;
  for (Pipe pipe : kAllPipes) {
    const auto p = static_cast<std::size_t>(pipe);
    result.pipe_seconds[p] = seconds_at(kernel.work[p], peaks.pi(pipe, kernel.tensor_type), name(resource_of(pipe)));
  }
  for (LevelId level : kAllLevels) {
    for (Direction direction : {Direction::read, Direction::write}) {
      result.bytes[static_cast<std::size_t>(level)][static_cast<std::size_t>(direction)] = bytes.total(level, direction);
    }
  }
  return result;
}

}  // namespace

std::string_view name(Resource resource) {
  const int index = static_cast<int>(resource);
  return is_level(resource) ? name(static_cast<LevelId>(index - kPipes)) : name(static_cast<Pipe>(index));
}

double Peaks::pi(Pipe pipe, DataType type) const {
  switch (pipe) {
    case Pipe::tensor:
      return tensor[static_cast<std::size_t>(type)];
    case Pipe::cuda:
      return cuda;
    case Pipe::sfu:
      return sfu;
  }
  return 0;
}

std::uint64_t Demand::serial_bytes(LevelId level) const {
  const auto& q = bytes[static_cast<std::size_t>(level)];
  return is_link(level) ? std::max(q[0], q[1]) : q[0] + q[1];
}

Demand& Demand::operator+=(const Demand& other) {
  for (std::size_t p = 0; p < kPipes; ++p) {
    work[p] += other.work[p];
    pipe_seconds[p] += other.pipe_seconds[p];
  }
  for (std::size_t level = 0; level < kLevels; ++level) {
    for (std::size_t direction = 0; direction < kDirections; ++direction) bytes[level][direction] += other.bytes[level][direction];
  }
  return *this;
}

Demand demand_of(const KernelRecord& kernel, const Peaks& peaks) {
  return demand(kernel, kernel.q, peaks);
}

Demand compulsory_demand_of(const KernelRecord& kernel, const Peaks& peaks) {
  return demand(kernel, kernel.compulsory, peaks);
}

Roofline roofline(const Demand& demand, const Peaks& peaks) {
  Roofline result;
  result.flop = demand.flop();
  const double slowest_pipe = *std::max_element(demand.pipe_seconds.begin(), demand.pipe_seconds.end());
  result.pi = slowest_pipe > 0 ? result.flop / slowest_pipe : 0;
  std::copy(demand.pipe_seconds.begin(), demand.pipe_seconds.end(), result.seconds.begin());

  for (LevelId id : kAllLevels) {
    LevelRoofline& level = result.levels[static_cast<std::size_t>(id)];
    const Resource resource = resource_of(id);
    level.bytes = demand.serial_bytes(id);
    const auto bytes = static_cast<double>(level.bytes);
    const double seconds = seconds_at(bytes, peaks.beta_of(id), name(resource));
    result.seconds[static_cast<std::size_t>(resource)] = seconds;
    if (level.bytes == 0) {
      level.intensity = std::numeric_limits<double>::infinity();
      level.ceiling = result.pi;
    } else {
      level.intensity = result.flop / bytes;
      level.ceiling = std::min(result.pi, level.intensity * peaks.beta_of(id));
      // I <= pi/beta is W/Q <= W/(slowest_pipe * beta), that is Q/beta >= slowest_pipe; in this form it also holds for W = 0.
      level.memory_bound = seconds >= slowest_pipe;
    }
  }

  // Levels first and ">" afterwards: the ridge counts as memory bound, so a level wins a tie with a pipe.
  const auto consider = [&](Resource resource) {
    if (result.seconds_of(resource) > result.bound) {
      result.bound = result.seconds_of(resource);
      result.binding = resource;
    }
  };
  for (LevelId id : kAllLevels) consider(resource_of(id));
  for (Pipe pipe : kAllPipes) consider(resource_of(pipe));
  return result;
}

Time whole_picoseconds(double seconds) {
  return static_cast<Time>(std::floor(seconds * 1e12));
}

}  // namespace rooftrace
