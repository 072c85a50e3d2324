// rooftrace list: the names that other verbs take, one per line.
#include "sim/app/commands.hpp"
#include "sim/app/config_paths.hpp"
#include "sim/app/console.hpp"
#include "sim/core/error.hpp"

namespace rooftrace {

int command_list(const Options& options) {
  const std::vector<std::string> words = {"hardware", "models", "scenarios"};
  if (options.arguments.empty()) throw UserError("list what? One of hardware, models, scenarios");
  const std::string& word = options.arguments.front();
  const ConfigPaths paths = ConfigPaths::of_process(options.value("configs").value_or(""));
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (word != words[i]) continue;
    for (const std::string& name : paths.names(static_cast<ConfigKind>(i))) text += name + "\n";
    if (text.empty()) throw UserError("no " + word + " found; --configs DIR says where they are");
    print_out(text);
    return kDone;
  }
  throw UserError("list: " + quoted_word(word) + " is not one of hardware, models, scenarios" + did_you_mean(word, words));
}

}  // namespace rooftrace
