#include "sim/app/calibrate_keys.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <sstream>

#include "sim/core/error.hpp"
#include "sim/core/units.hpp"

namespace rooftrace {
namespace {

using Form = CalibrateKey::Form;
using Machine = MachineSpec;

Dimension dimension_of(Form form) {
  switch (form) {
    case Form::hertz:
      return Dimension::hertz;
    case Form::bytes_per_second:
      return Dimension::bytes_per_second;
    case Form::cache_bytes:
      return Dimension::bytes;
    default:
      return Dimension::seconds;
  }
}

/// Sets of L2 are whole, and people write MiB: the smallest step that is both, from a quarter of a MiB.
std::uint64_t cache_step(const Machine& m) {
  const std::uint64_t granule = std::uint64_t{m.l2.line} * m.l2.ways * m.l2.partitions, quarter = 256 << 10;
  return granule >= quarter ? granule : (quarter + granule - 1) / granule * granule;
}

/// "5.400 TB/s" -> "5.4 TB/s"
std::string without_zeros(const std::string& text) {
  const std::size_t space = text.find(' ');
  if (text.find('.') >= space) return text;
  const std::size_t last = text.find_last_not_of('0', space - 1);
  return text.substr(0, text[last] == '.' ? last : last + 1) + text.substr(space);
}

}  // namespace

const std::vector<CalibrateKey>& calibrate_keys() {
  static const std::vector<CalibrateKey> keys = {
      {"sm.tensor_clock", Form::hertz, 2e8, 4e9, [](const Machine& m) { return m.sm.tensor_clock; },
       [](Machine& m, double v) { m.sm.tensor_clock = v; },
       [](const Machine& m, double& low, double& high) {
         low = std::max(low, m.sm.peak_clock / 4);
         high = std::min(high, m.sm.peak_clock);
       }},
      {"l2.bandwidth", Form::bytes_per_second, 1e11, 1e14, [](const Machine& m) { return m.l2.bandwidth; },
       [](Machine& m, double v) { m.l2.bandwidth = v; },
       [](const Machine& m, double& low, double& high) {
         low = std::max(low, m.l2.peak_bandwidth / 4);
         high = std::min(high, m.l2.peak_bandwidth);
       }},
      {"l2.effective", Form::cache_bytes, 1 << 18, 1e12, [](const Machine& m) { return static_cast<double>(m.l2.effective); },
       [](Machine& m, double v) { m.l2.effective = static_cast<std::uint64_t>(v); },
       [](const Machine& m, double& low, double& high) {
         low = std::max(low, static_cast<double>(m.l2.capacity) / 4);
         high = std::min(high, static_cast<double>(m.l2.capacity));
       }},
      {"l2.latency_near", Form::seconds, 2e-8, 2e-6, [](const Machine& m) { return m.l2.latency_near; },
       [](Machine& m, double v) { m.l2.latency_near = v; },
       [](const Machine& m, double&, double& high) { high = std::min(high, m.l2.latency_far); }},
      {"l2.latency_far", Form::seconds, 2e-8, 2e-6, [](const Machine& m) { return m.l2.latency_far; },
       [](Machine& m, double v) { m.l2.latency_far = v; },
       [](const Machine& m, double& low, double& high) {
         low = std::max(low, m.l2.latency_near);
         high = std::min(high, m.hbm.latency);
       }},
      {"hbm.scheduled", Form::share, 0.3, 1, [](const Machine& m) { return m.hbm.dram.scheduled; },
       [](Machine& m, double v) { m.hbm.dram.scheduled = v; }, nullptr},
      {"hbm.turnaround", Form::seconds, 1e-9, 2e-7, [](const Machine& m) { return m.hbm.dram.turnaround; },
       [](Machine& m, double v) { m.hbm.dram.turnaround = v; }, nullptr},
      {"hbm.activate", Form::seconds, 5e-10, 1e-7, [](const Machine& m) { return m.hbm.dram.activate; },
       [](Machine& m, double v) { m.hbm.dram.activate = v; },
       [](const Machine& m, double&, double& high) { high = std::min(high, m.hbm.dram.activate_same_group); }},
      {"hbm.refresh", Form::seconds, 1e-8, 1e-6, [](const Machine& m) { return m.hbm.dram.refresh; },
       [](Machine& m, double v) { m.hbm.dram.refresh = v; },
       [](const Machine& m, double&, double& high) { high = std::min(high, 0.9 * m.hbm.dram.refresh_interval); }},
      {"hbm.latency", Form::seconds, 5e-8, 5e-6, [](const Machine& m) { return m.hbm.latency; },
       [](Machine& m, double v) { m.hbm.latency = v; },
       [](const Machine& m, double& low, double&) { low = std::max(low, m.l2.latency_far); }},
      {"nvlink.efficiency", Form::share, 0.2, 1, [](const Machine& m) { return m.nvlink.efficiency; },
       [](Machine& m, double v) { m.nvlink.efficiency = v; }, nullptr},
      {"nvlink.latency", Form::seconds, 5e-8, 2e-5, [](const Machine& m) { return m.nvlink.latency; },
       [](Machine& m, double v) { m.nvlink.latency = v; }, nullptr},
      {"pcie.efficiency", Form::share, 0.2, 1, [](const Machine& m) { return m.pcie.efficiency; },
       [](Machine& m, double v) { m.pcie.efficiency = v; }, nullptr},
      {"pcie.latency", Form::seconds, 5e-8, 2e-5, [](const Machine& m) { return m.pcie.latency; },
       [](Machine& m, double v) { m.pcie.latency = v; }, nullptr},
      {"launch.kernel_gap", Form::seconds, 1e-7, 5e-5, [](const Machine& m) { return m.launch.kernel_gap; },
       [](Machine& m, double v) { m.launch.kernel_gap = v; }, nullptr},
      {"launch.block_start", Form::seconds, 1e-8, 1e-5, [](const Machine& m) { return m.launch.block_start; },
       [](Machine& m, double v) { m.launch.block_start = v; }, nullptr},
      {"launch.copy_start", Form::seconds, 1e-7, 1e-4, [](const Machine& m) { return m.launch.copy_start; },
       [](Machine& m, double v) { m.launch.copy_start = v; }, nullptr},
  };
  return keys;
}

std::vector<const CalibrateKey*> keys_to_fit(const std::string& list, const MachineSpec& machine) {
  std::vector<std::string> known;
  for (const CalibrateKey& key : calibrate_keys()) known.emplace_back(key.name);
  std::vector<const CalibrateKey*> keys;
  std::istringstream words(list + ",");
  for (std::string word; std::getline(words, word, ',');) {
    const auto found = std::find(known.begin(), known.end(), word);
    if (found == known.end()) {
      throw UserError(fmt::format("--fit: {} is not a constant to fit{} (constants: {})", quoted_word(word), did_you_mean(word, known),
                                  fmt::join(known, ", ")));
    }
    const CalibrateKey* const key = &calibrate_keys()[static_cast<std::size_t>(found - known.begin())];
    if (std::find(keys.begin(), keys.end(), key) != keys.end()) throw UserError(fmt::format("--fit: {} is given twice", word));
    if (word.starts_with("nvlink.") && machine.nvlink.bandwidth <= 0)
      throw UserError(fmt::format("--fit: {}: the machine has no NVLink", word));
    keys.push_back(key);
  }
  return keys;
}

std::string value_text(const CalibrateKey& key, double value) {
  if (key.form == Form::share) return fmt::format("{:.4g}", value);
  if (key.form != Form::cache_bytes) return without_zeros(format_quantity(value, dimension_of(key.form), 4));
  for (const auto& [unit, bytes] : {std::pair{"MiB", 1048576.0}, {"KiB", 1024.0}}) {
    if (std::fmod(value * 4, bytes) == 0) return without_zeros(fmt::format("{:.2f} {}", value / bytes, unit));
  }
  return fmt::format("{:.0f} B", value);
}

double value_of(const CalibrateKey& key, const std::string& text) {
  return key.form == Form::share ? std::stod(text) : parse_quantity(text, dimension_of(key.form));
}

double writable_value(const CalibrateKey& key, const MachineSpec& machine, double value) {
  double low = key.low, high = key.high;
  if (key.narrow != nullptr) key.narrow(machine, low, high);
  value = std::max(low, std::min(high, value));
  if (key.form == Form::cache_bytes) {
    const auto step = static_cast<double>(cache_step(machine));
    value = std::max(std::ceil(low / step), std::min(std::floor(high / step), std::round(value / step))) * step;
  }
  // Rounding may leave the range by its last digit.
  double written = value_of(key, value_text(key, value));
  if (written > high) written = value_of(key, value_text(key, value * (1 - 1e-3)));
  if (written < low) written = value_of(key, value_text(key, value * (1 + 1e-3)));
  return written;
}

}  // namespace rooftrace
