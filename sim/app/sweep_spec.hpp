// A sweep file: a base scenario, axes over any of its keys, filters, or a random sample of the axes.
//
//   base: main                        # a scenario: a name, or a path from this file's folder
//   set: {fidelity: bound, hardware.l2.ways: 32}          # changes of the base, for every point
//   axes:
//     - {key: batch, values: [1, 8, 64]}                  # a list; numbers, quantities with units, or words
//     - {key: hardware.hbm.bandwidth, range: {from: 2 TB/s, to: 8 TB/s, steps: 4, scale: geometric}}
//     - zip:                                              # keys that move together: one dimension, named after the first key
//         - {key: hardware.l2.capacity, values: [50 MiB, 100 MiB]}
//         - {key: hardware.l2.effective, values: [45 MiB, 90 MiB]}
//   where: batch < 64 or hbm_bandwidth > 3 TB/s           # one expression or a list of them (sweep_where.hpp)
//   sample: {kind: latin_hypercube, points: 100, seed: 1} # instead of the grid; kind random or latin_hypercube
//
// scale: linear (default), geometric, or log2 (from, twice that ... up to `to`; no steps); multiple_of rounds to multiples; between
// whole ends without a unit, values are whole as long as there are enough whole numbers. `name` of an
// axis is its dimension in the result; without it the key, less "hardware." or "model.", dots as "_". Promises: axes are the grid in the
// order of the file, the last one fastest; a sample has the single axis "point"; the same text gives the same points anywhere. "" in a
// list of values leaves the key as the base has it. Limits: a million points.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sim/app/sweep_labels.hpp"
#include "sim/core/config.hpp"

namespace rooftrace {

/// A key of a scenario and the values it takes along an axis.
struct SweepKey {
  std::string key;   ///< "hardware.hbm.bandwidth"
  std::string name;  ///< "hbm_bandwidth"
  SourceLocation where;
  SweepLabels labels;                  ///< As written; "" leaves the key alone.
  SweepLabels settings;                ///< What the key is set to, as YAML; empty: the labels.
  bool numeric = false, whole = true;  ///< Every label is a number or a quantity; a whole number without unit.
  std::string units;                   ///< UDUNITS; "" for plain numbers and words.
  std::vector<double> numbers;         ///< In base units, when numeric.
  [[nodiscard]] std::string_view setting(std::size_t i) const { return settings.empty() ? labels[i] : settings[i]; }
};

struct SweepAxis {
  std::string name;
  std::vector<SweepKey> keys;  ///< Zipped: all of the same length.
  [[nodiscard]] std::size_t size() const { return keys.front().labels.size(); }
};

struct SweepSpec {
  std::string title;
  std::string base;
  std::string folder;             ///< Of the sweep file: paths in it count from there.
  std::vector<std::string> sets;  ///< key=value.
  std::vector<SweepAxis> axes;
  bool sampled = false;
  std::vector<std::string> where;       ///< Of the file, then `more_where`.
  std::vector<std::string> more_where;  ///< Of the command line.
  std::string text;                     ///< The file as canonical YAML: parse_sweep reads it back.

  [[nodiscard]] std::uint64_t points() const;
  /// Position on every axis of a point.
  [[nodiscard]] std::vector<std::size_t> position(std::uint64_t point) const;
  /// "key=value" of every key, without `sets`.
  [[nodiscard]] std::vector<std::string> assignments(std::uint64_t point) const;
  [[nodiscard]] std::vector<const SweepKey*> keys() const;
};

/// `more_where`: filters of the command line, after those of the file.
[[nodiscard]] SweepSpec parse_sweep(const ConfigDocument& document, const std::string& folder, const std::vector<std::string>& more_where);

/// A number or a quantity of any dimension: its value in base units and its units in UDUNITS spelling; false for any other text.
bool read_number(const std::string& text, double& value, std::string& units);

}  // namespace rooftrace
