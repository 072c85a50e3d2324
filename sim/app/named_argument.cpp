// Checks of "KIND NAME" shared by describe and selfcheck.
#include "sim/app/named_argument.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "sim/app/config_paths.hpp"
#include "sim/app/hardware_choice.hpp"
#include "sim/app/model_choice.hpp"
#include "sim/app/scenario.hpp"
#include "sim/core/error.hpp"

namespace rooftrace {

std::string check_kind(const Options& options, const std::vector<std::string>& kinds) {
  const std::string all = fmt::format("{}", fmt::join(kinds, " or "));
  if (options.arguments.empty()) throw UserError(fmt::format("{} what? {}, then a name", options.verb, all));
  const std::string& kind = options.arguments.front();
  if (std::find(kinds.begin(), kinds.end(), kind) == kinds.end()) {
    throw UserError(fmt::format("{}: {} is not {}{}", options.verb, quoted_word(kind), all, did_you_mean(kind, kinds)));
  }
  if (options.arguments.size() < 2) {
    throw UserError(
        fmt::format("{} which {}? \"rooftrace list {}\" shows the names", options.verb, kind, kind == "model" ? "models" : kind));
  }
  for (const std::string& assignment : options.sets) {
    if (!assignment.starts_with(kind + ".")) {
      throw UserError(SourceLocation{"--set"}, fmt::format("{} does not begin with \"{}.\"", quoted_word(assignment), kind));
    }
  }
  return kind;
}

MachineSpec hardware_argument(const Options& options) {
  const ConfigPaths paths = ConfigPaths::of_process(options.value("configs").value_or(""));
  return choose_hardware(options.arguments.at(1), sets_below(options.sets, "hardware."), paths).machine;
}

ModelSpec model_argument(const Options& options) {
  const ConfigPaths paths = ConfigPaths::of_process(options.value("configs").value_or(""));
  return choose_model(options.arguments.at(1), sets_below(options.sets, "model."), paths);
}

}  // namespace rooftrace
