// rooftrace trace: files of kernels and their accesses.
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "sim/app/commands.hpp"
#include "sim/app/console.hpp"
#include "sim/app/run_stages.hpp"
#include "sim/app/scenario.hpp"
#include "sim/app/trace_generate.hpp"
#include "sim/app/trace_import.hpp"
#include "sim/app/trace_report.hpp"
#include "sim/core/error.hpp"

namespace rooftrace {
namespace {

/// Options that only some of the words take.
void take_only(const Options& options, const std::string& what, const std::vector<std::string>& taken) {
  for (const auto& [name, value] : options.values) {
    if (std::find(taken.begin(), taken.end(), name) != taken.end()) continue;
    throw UserError(fmt::format("--{}: \"rooftrace trace {}\" does not take it", name, what));
  }
  const bool sets = std::find(taken.begin(), taken.end(), "set") != taken.end();
  if (!sets && !options.sets.empty()) throw UserError(fmt::format("--set: \"rooftrace trace {}\" does not take it", what));
}

TraceFile file_argument(const Options& options, const std::string& what) {
  if (options.arguments.size() < 2) throw UserError(fmt::format("trace {}: which file?", what));
  return open_trace_file(options.arguments[1]);
}

int generate(const Options& given) {
  Options options = given;
  options.arguments.erase(options.arguments.begin());
  options.values.erase("layers");  // Here it says how layers are stored.
  const auto output = options.value("output");
  if (!output) throw UserError("trace generate: where to? Give -o NAME.trace.h5");
  const unsigned threads = thread_count(options);
  const Scenario scenario = load_scenario(options, ConfigPaths::of_process(options.value("configs").value_or("")));
  const bool every_layer = given.value("layers").value_or("auto") == "exact";
  with_threads(threads,
               [&] { generate_trace_file(scenario, options.command, options.value("kernel").value_or(""), every_layer, *output); });
  Notes(options.quiet).note("wrote " + *output);
  return kDone;
}

int info(const Options& options) {
  take_only(options, "info", {"format"});
  const std::string format = options.value("format").value_or("text");
  if (format != "text" && format != "json") throw UserError("--format: " + quoted_word(format) + " is not one of text, json");
  const TraceFile file = file_argument(options, "info");
  print_out(format == "json" ? trace_info_json(file) : trace_info_text(file));
  return kDone;
}

int check(const Options& options) {
  take_only(options, "check", {});
  const TraceFile file = file_argument(options, "check");
  const std::vector<std::string> broken = check_trace_file(file);
  std::string text;
  for (const std::string& line : broken) text += line + "\n";
  if (!broken.empty()) {
    print_out(text);
    throw UserError(fmt::format("{}: {} broken law{}", file.path, broken.size(), broken.size() == 1 ? "" : "s"));
  }
  std::size_t kernels = 0;
  for (const TraceFileStage& stage : file.stages) kernels += stage.kernels.size();
  if (!options.quiet) print_out(fmt::format("{}: sound: {} kernels, {} accesses stored\n", file.path, kernels, file.accesses));
  return kDone;
}

int dump(const Options& options) {
  take_only(options, "dump", {"stage", "kernel", "block"});
  std::optional<std::uint32_t> block;
  if (const auto text = options.value("block")) block = static_cast<std::uint32_t>(integer_option("block", *text, 0, UINT32_MAX));
  dump_trace(file_argument(options, "dump"), options.value("stage").value_or(""), options.value("kernel").value_or(""), block);
  return kDone;
}

}  // namespace

int command_trace(const Options& options) {
  const std::vector<std::string> words = {"generate", "import", "info", "check", "dump"};
  if (options.arguments.empty()) throw UserError("trace what? One of generate, import, info, check, dump");
  const std::string& word = options.arguments.front();
  if (word == "generate") {
    if (options.value("block")) throw UserError("--block: \"rooftrace trace generate\" does not take it");
    if (options.value("format")) throw UserError("--format: \"rooftrace trace generate\" does not take it");
    return generate(options);
  }
  if (word == "import") {
    take_only(options, "import", {"format", "output", "threads", "sms", "l1", "depth"});
    return import_trace(options);
  }
  if (word == "info") return info(options);
  if (word == "check") return check(options);
  if (word == "dump") return dump(options);
  throw UserError("trace: " + quoted_word(word) + " is not one of generate, import, info, check, dump" + did_you_mean(word, words));
}

}  // namespace rooftrace
