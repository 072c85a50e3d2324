// rooftrace selfcheck: a machine measured inside the simulator.
#include "sim/app/commands.hpp"
#include "sim/app/console.hpp"
#include "sim/app/named_argument.hpp"
#include "sim/app/selfcheck.hpp"

namespace rooftrace {

int command_selfcheck(const Options& options) {
  check_kind(options, {"hardware"});
  print_out(selfcheck_hardware(hardware_argument(options)));
  return kDone;
}

}  // namespace rooftrace
