// The constants that may be fitted, one visible table: what no datasheet says and a measurement does.
//
// Everything else of a machine (counts, sizes, datasheet peaks) is refused: fitting it would hide a wrong model behind a wrong machine.
// Ranges are physical: wide enough for any machine of this decade, and never beyond what another constant of the same machine allows.
#pragma once

#include <string>
#include <vector>

#include "sim/machine/machine_spec.hpp"

namespace rooftrace {

struct CalibrateKey {
  enum class Form { share, seconds, hertz, bytes_per_second, cache_bytes };
  const char* name;  ///< section.key of a hardware file.
  Form form;
  double low, high;  ///< Base units, ends included.
  double (*get)(const MachineSpec& machine);
  void (*set)(MachineSpec& machine, double value);
  /// What the rest of the machine allows, within low and high; null: all of it.
  void (*narrow)(const MachineSpec& machine, double& low, double& high);
};
[[nodiscard]] const std::vector<CalibrateKey>& calibrate_keys();

/// Keys of "a.b,c.d", each once; UserError with the allowed ones for any other word, and for a link that the machine has not.
[[nodiscard]] std::vector<const CalibrateKey*> keys_to_fit(const std::string& list, const MachineSpec& machine);

/// As it is written in a file: four significant digits, a unit. Reading it back (value_of) gives the value that is simulated.
[[nodiscard]] std::string value_text(const CalibrateKey& key, double value);
[[nodiscard]] double value_of(const CalibrateKey& key, const std::string& text);
/// The closest value in range that can be written.
[[nodiscard]] double writable_value(const CalibrateKey& key, const MachineSpec& machine, double value);

}  // namespace rooftrace
