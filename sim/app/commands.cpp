// Dispatch, and the one place where errors become text and exit codes.
#include "sim/app/commands.hpp"

#include <fmt/format.h>

#include <array>
#include <exception>
#include <new>

#include "sim/app/console.hpp"
#include "sim/app/version.hpp"
#include "sim/core/error.hpp"

namespace rooftrace {
namespace {

struct Command {
  const char* verb;
  int (*run)(const Options&);
};
constexpr std::array kCommands = {
    Command{"simulate", command_simulate},   Command{"sweep", command_sweep},       Command{"merge", command_merge},
    Command{"slurm", command_slurm},         Command{"pareto", command_pareto},     Command{"describe", command_describe},
    Command{"selfcheck", command_selfcheck}, Command{"validate", command_validate}, Command{"curve", command_curve},
    Command{"calibrate", command_calibrate}, Command{"trace", command_trace},       Command{"list", command_list},
    Command{"help", command_help},
};

int dispatch(const std::vector<std::string>& arguments) {
  const Options options = parse_options(arguments);
  if (options.help || arguments.empty()) {
    print_out(help_text(options.verb));
    return arguments.empty() ? kUsersMistake : kDone;
  }
  if (options.version) {
    print_out(fmt::format("rooftrace {} ({})\n", version(), commit()));
    return kDone;
  }
  for (const Command& command : kCommands) {
    if (options.verb == command.verb) return command.run(options);
  }
  throw std::logic_error("verb without a command: " + options.verb);
}

}  // namespace

int run_program(const std::vector<std::string>& arguments) {
  try {
    return dispatch(arguments);
  } catch (const UserError& error) {
    print_error(error.what());
    return kUsersMistake;
  } catch (const std::bad_alloc&) {
    print_error("out of memory");
  } catch (const std::exception& error) {
    print_error(fmt::format("internal error: {}", error.what()));
  } catch (...) {
    print_error("internal error of an unknown kind");
  }
  return kInternalError;
}

}  // namespace rooftrace
