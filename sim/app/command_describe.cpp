// rooftrace describe: a machine or a model as read, with what follows from its numbers.
#include "sim/app/commands.hpp"
#include "sim/app/console.hpp"
#include "sim/app/describe_hardware.hpp"
#include "sim/app/describe_model.hpp"
#include "sim/app/named_argument.hpp"

namespace rooftrace {

int command_describe(const Options& options) {
  const bool hardware = check_kind(options, {"hardware", "model"}) == "hardware";
  print_out(hardware ? describe_hardware(hardware_argument(options)) : describe_model(model_argument(options)));
  return kDone;
}

}  // namespace rooftrace
