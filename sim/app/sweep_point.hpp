// One point of a sweep: a scenario with some keys set, run, and the numbers that are kept of it.
//
// Promises: the numbers of a point are those that `rooftrace simulate` prints for it; whatever goes wrong with a point is a record with a
// message, never an exception (but for out of memory, which is no property of the point). Traces, and runs that are the same to the last
// bit, are shared between points (sweep_reuse.hpp).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sim/app/config_paths.hpp"
#include "sim/app/scenario.hpp"
#include "sim/app/sweep_reuse.hpp"
#include "sim/app/sweep_spec.hpp"
#include "sim/core/counters.hpp"

namespace rooftrace {

enum class PointStatus : std::uint8_t { not_run, left_out, done, failed };
inline constexpr int kPointStatuses = 4;
[[nodiscard]] std::string_view name(PointStatus status);

/// What is kept of a stage beside its bytes: one double each, NaN where there is none.
struct SweepColumn {
  const char* name;
  const char* units;
  const char* long_name;
};
inline constexpr std::array kSweepColumns = {
    SweepColumn{"latency", "s", "simulated time of the stage; NaN below fidelity des"},
    SweepColumn{"tokens_per_s", "s-1", "tokens per second of the stage; NaN below fidelity des"},
    SweepColumn{"bound", "s", "roofline bound on the latency, given the bytes that moved"},
    SweepColumn{"ceiling", "s-1", "tokens per second that no schedule and no cache could beat"},
    SweepColumn{"ceiling_time", "s", "roofline bound on the latency with compulsory bytes only"},
    SweepColumn{"bound_reached", "1", "bound / latency"},
    SweepColumn{"ceiling_reached", "1", "ceiling_time / latency"},
    SweepColumn{"tokens", "1", "tokens made (decode) or taken in (prefill), all GPUs together"},
    SweepColumn{"flop", "1", "W: FLOP of the tensor pipe and the CUDA cores"},
};
inline constexpr std::size_t kSweepBytes = std::size_t{kLevels} * kTensorRoles;

struct StageNumbers {
  std::string stage;         ///< "decode"; a second one is "decode_2".
  std::uint8_t binding = 0;  ///< Resource with the largest demand; kResources: none.
  std::array<double, kSweepColumns.size()> columns{};
  std::array<double, kSweepBytes> q{};  ///< Bytes by level and role.
};

struct PointRecord {
  PointStatus status = PointStatus::not_run;
  std::string message;  ///< Of a failed point.
  std::vector<StageNumbers> stages;
};

/// Runs points of one sweep; thread-safe.
class PointRunner {
 public:
  /// `kept`: how many traces and runs are kept for other points; `reuse`: whether runs are.
  PointRunner(const SweepSpec& spec, ConfigPaths paths, std::size_t kept, bool reuse = true);
  [[nodiscard]] PointRecord run(std::uint64_t point);
  /// Everything that decides what points are and what they give, as one text: the sweep, its filters, every file that it names, the
  /// version of the program. UserError for a base, a machine or a model that is not there.
  [[nodiscard]] std::string identity_text() const;
  /// Axes of a grid along which no value changes the resolved scenario of the first point (a common key that the base's stages all say
  /// themselves, for example), as far as a few values of each show. An axis of which a value cannot be loaded is not among them.
  [[nodiscard]] std::vector<const SweepAxis*> idle_axes() const;

 private:
  [[nodiscard]] Scenario load(std::uint64_t point) const;

  const SweepSpec& spec_;
  ConfigPaths paths_;
  SweepReuse reuse_;
};

}  // namespace rooftrace
