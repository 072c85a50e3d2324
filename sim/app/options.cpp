// The table of options and verbs, and Boost.Program_options behind it: Boost splits the words, the messages are ours.
#include "sim/app/options.hpp"

#include <algorithm>
#include <boost/program_options.hpp>
#include <charconv>
#include <cmath>
#include <sstream>

#include "sim/core/error.hpp"

namespace rooftrace {
namespace {

namespace po = boost::program_options;

constexpr unsigned kHelpColumns = 130;

struct OptionShape {
  std::string name;
  std::string spelled;               ///< As Boost wants it: "output,o".
  std::string value;                 ///< What stands for the value in the help; "" for a switch.
  std::vector<std::string> allowed;  ///< Words; empty: any text.
  std::string text;                  ///< Help, with unit and default.
};

/// Every option of every verb, in the order of the help.
const std::vector<OptionShape>& option_shapes() {
  static const std::vector<std::string> weight_types = {"bf16", "fp16", "fp32", "fp8", "int8", "fp4", "int4"};
  static const std::vector<std::string> kv_types = {"bf16", "fp16", "fp32", "fp8", "int8"};
  static const std::vector<OptionShape> shapes = {
      {"hardware", "hardware", "NAME|FILE.yaml", {}, "The machine: a name of `rooftrace list hardware`, or your own file."},
      {"model", "model", "NAME|FILE.json", {}, "The model: a name of `rooftrace list models`, or a Hugging Face config.json."},
      {"stage", "stage", "", {"decode", "prefill", "both"}, "Which stage to simulate. Default: both."},
      {"batch", "batch", "B", {}, "Sequences in the batch, 1 to 65536. Default: 1."},
      {"context", "context", "N", {}, "Decode: tokens already in each sequence's KV cache. Default: 4096, or what the model holds."},
      {"prompt", "prompt", "N", {}, "Prefill: tokens of each sequence. Default: 2048, or what the model holds."},
      {"tp", "tp", "N", {}, "Tensor parallelism: GPUs that share the model. Default: 1."},
      {"weights", "weights", "", weight_types, "Data type of the weights. Default: bf16."},
      {"kv", "kv", "", kv_types, "Data type of the KV cache. Default: bf16."},
      {"offload", "offload", "weights=X,kv=Y", {}, "Shares (0 to 1) kept in host memory and streamed over PCIe every step. Default: 0."},
      {"trace", "trace", "FILE", {}, "Simulate this trace file (\"rooftrace trace\") instead of a scenario."},
      {"kernel", "kernel", "N|NAME", {}, "Only this kernel: its number, its class, or a part of its label."},
      {"block", "block", "N", {}, "Only this block of each kernel."},
      {"sms", "sms", "N", {}, "SMs that a trace's blocks are dealt to in turn, each with an L1 of its own. Default: 132."},
      {"l1", "l1", "SIZE", {}, "L1 and shared memory of an SM together; 0: every load goes on to L2. Default: 256 KiB."},
      {"depth", "depth", "N", {}, "Steps of a block whose loads may be in flight. Default: 2."},
      {"fidelity",
       "fidelity",
       "",
       {"bound", "cache", "des"},
       "How much is simulated. bound: closed form, milliseconds; cache: exact bytes through the real cache, no time; des: everything. "
       "Default: des."},
      {"layers",
       "layers",
       "",
       {"exact", "auto", "sample"},
       "exact: every layer is simulated; auto: layers that repeat exactly are simulated once (same bytes); sample: the first and one more "
       "of each kind are simulated, the others taken to be as that one (an estimate). Default: auto."},
      {"start",
       "start",
       "",
       {"cold", "warm"},
       "The L2 at the start. cold: empty; warm: as a previous run of the same stage left it. Default: cold."},
      {"contention",
       "contention",
       "",
       {"pooled", "slices"},
       "What makes requests of L2 wait for each other in des. pooled: one pipe for all of L2; slices: one queue per slice with finite miss "
       "slots, a port per GPC; about a third slower to simulate. Default: pooled."},
      {"threads", "threads", "N", {}, "Threads, 1 to 1024; results are the same at any number. Default: one per core."},
      {"output", "output,o", "FILE.h5", {}, "Write the result as HDF5 (any netCDF-4 reader opens it). Default: no file."},
      {"format", "format", "", {"text", "json"}, "Form of the report on standard output. Default: text."},
      {"set", "set", "KEY=VALUE", {}, "Change any key of any file, e.g. hardware.l2.capacity=\"96 MiB\"; may be repeated."},
      {"suite",
       "suite",
       "FILE.csv|DIR",
       {},
       "Measurements to validate against; may be repeated. Default: validation/suites beside the configs."},
      {"rows", "rows", "FILE.csv", {}, "Write one line per row: measured, simulated, bound, baselines, error, status."},
      {"plots",
       "plots",
       "DIR",
       {},
       "Draw each suite as DIR/SUITE.svg, simulated against measured, and curves over bytes as DIR/SUITE-curve.svg."},
      {"fit", "fit", "KEY,...", {}, "The constants to fit, as section.key of the hardware file."},
      {"level", "level", "", {"l2"}, "The level whose capacity is varied. Default: l2."},
      {"shard", "shard", "I/N", {}, "Run only the points whose number modulo N is I; the first is 0/N. Default: all points."},
      {"resume", "resume", "", {}, "Go on where an earlier run of the same sweep stopped; does nothing when all is done."},
      {"reuse", "reuse", "", {"on", "off"}, "off: points whose runs are the same to the last bit do not share one. Default: on."},
      {"dry-run", "dry-run", "", {}, "Print the points and an estimate of the time; run nothing else."},
      {"where", "where", "EXPR", {}, "Run only points for which this holds, e.g. \"batch < 64 and hbm_bandwidth > 3 TB/s\"."},
      {"max", "max", "COLUMN,...", {}, "Columns of which more is better."},
      {"min", "min", "COLUMN,...", {}, "Columns of which less is better."},
      {"nodes", "nodes", "N", {}, "Nodes that work at the same time at most."},
      {"shards", "shards", "N", {}, "Pieces of the sweep, each one task of the job array. Default: as many as nodes."},
      {"dir", "dir", "DIR", {}, "Folder for scripts, logs and results, on a file system that every node sees. Default: SWEEP-slurm."},
      {"time", "time", "TIME", {}, "Time limit of a shard as sbatch takes it; one that reaches it goes on later. Default: the site's."},
      {"partition", "partition", "NAME", {}, "Partition of the jobs. Default: the site's."},
      {"sbatch", "sbatch", "OPTIONS", {}, "More options of sbatch, e.g. \"--account=mine --mem=8G\"."},
      {"quiet", "quiet", "", {}, "No report and no notes; errors only."},
      {"configs", "configs", "DIR", {}, "Look here first for hardware/, models/ and scenarios/."},
      {"help", "help,h", "", {}, "This text."},
      {"version", "version", "", {}, "Version and commit."},
  };
  return shapes;
}

bool is_switch(const OptionShape& shape) {
  return shape.value.empty() && shape.allowed.empty();
}

std::string joined(const std::vector<std::string>& words, const std::string& between) {
  std::string all;
  for (const std::string& word : words) all += (all.empty() ? "" : between) + word;
  return all;
}

po::options_description description(const VerbShape& verb) {
  po::options_description options("Options", kHelpColumns, kHelpColumns / 2);
  for (const OptionShape& shape : option_shapes()) {
    const bool taken = shape.name == "help" || std::find(verb.options.begin(), verb.options.end(), shape.name) != verb.options.end();
    if (!taken) continue;
    const auto own = verb.own_meaning.find(shape.name);
    const bool usual = own == verb.own_meaning.end();
    const std::string& text = usual ? shape.text : own->second.second;
    if (is_switch(shape)) {
      options.add_options()(shape.spelled.c_str(), text.c_str());
    } else {
      const std::string value = !usual ? own->second.first : shape.allowed.empty() ? shape.value : joined(shape.allowed, "|");
      options.add_options()(shape.spelled.c_str(), po::value<std::string>()->value_name(value), text.c_str());
    }
  }
  return options;
}

const OptionShape& shape_of(const std::string& name) {
  const auto& shapes = option_shapes();
  return *std::find_if(shapes.begin(), shapes.end(), [&](const OptionShape& shape) { return shape.name == name; });
}

/// The text a shell would read back as this word.
std::string quoted(const std::string& word) {
  const bool plain = !word.empty() && std::all_of(word.begin(), word.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || std::string_view("-_./=,:+@%").find(static_cast<char>(c)) != std::string_view::npos;
  });
  if (plain) return word;
  std::string text = "'";
  for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

std::string with_dashes(const std::string& option) {
  return option.size() == 1 ? "-" + option : "--" + option;
}

[[noreturn]] void unknown_option(const std::string& given, const VerbShape& verb) {
  const std::string word = given.substr(std::min(given.find_first_not_of('-'), given.size()));
  std::vector<std::string> candidates = verb.options;
  candidates.emplace_back("help");
  std::string hint;
  if (const std::string meant = closest(word, candidates); !meant.empty()) hint = "; did you mean \"--" + meant + "\"?";
  // An option of another verb is a misunderstanding, not a typing mistake: say where it belongs.
  for (const VerbShape& other : verb_shapes()) {
    if (std::find(other.options.begin(), other.options.end(), word) == other.options.end()) continue;
    hint = "; it belongs to \"rooftrace " + other.name + "\"";
    break;
  }
  throw UserError("no option " + quoted_word(given) + hint + " (\"rooftrace " + verb.name + " --help\" lists the options)");
}

std::vector<po::option> parse_words(const std::vector<std::string>& words, const VerbShape& verb, const po::options_description& options) {
  namespace style = po::command_line_style;
  try {
    return po::command_line_parser(words).options(options).style(style::unix_style & ~style::allow_guessing).run().options;
  } catch (const po::unknown_option& error) {
    unknown_option(error.get_option_name(), verb);
  } catch (const po::invalid_command_line_syntax& error) {
    std::string name = error.get_option_name();
    name = with_dashes(name.substr(std::min(name.find_first_not_of('-'), name.size())));
    if (error.kind() == po::invalid_syntax::extra_parameter) throw UserError(name + ": takes no value");
    throw UserError(name + ": its value is missing");
  } catch (const po::error& error) {
    throw UserError(error.what());
  }
}

/// The words an option takes: those of the option and, where a verb means something else by it ("a|b"), of that verb.
std::vector<std::string> allowed_words(const OptionShape& shape, const VerbShape& verb) {
  std::vector<std::string> words = shape.allowed;
  const auto own = verb.own_meaning.find(shape.name);
  if (words.empty() || own == verb.own_meaning.end()) return words;
  std::stringstream more(own->second.first);
  for (std::string word; std::getline(more, word, '|');) {
    if (std::find(words.begin(), words.end(), word) == words.end()) words.push_back(word);
  }
  return words;
}

void take(const po::option& option, const VerbShape& verb, Options& out) {
  const OptionShape& shape = shape_of(option.string_key);
  if (shape.name == "set") {
    out.sets.push_back(option.value.front());
    return;
  }
  if (shape.name == "suite") {
    if (option.value.front().empty()) throw UserError("--suite: its value is missing");
    out.suites.push_back(option.value.front());
    return;
  }
  if (shape.name == "help") out.help = true;
  if (shape.name == "version") out.version = true;
  if (shape.name == "quiet") out.quiet = true;
  if (is_switch(shape)) {
    if (shape.name == "resume" || shape.name == "dry-run") out.values[shape.name];  // "": it was given.
    return;
  }
  const std::string& text = option.value.front();
  if (text.empty()) throw UserError("--" + shape.name + ": its value is missing");
  const std::vector<std::string> allowed = allowed_words(shape, verb);
  if (!allowed.empty() && std::find(allowed.begin(), allowed.end(), text) == allowed.end()) {
    throw UserError("--" + shape.name + ": " + quoted_word(text) + " is not one of " + joined(allowed, ", ") + did_you_mean(text, allowed));
  }
  if (!out.values.emplace(shape.name, text).second) throw UserError("--" + shape.name + ": given twice");
}

}  // namespace

std::optional<std::string> Options::value(const std::string& name) const {
  const auto found = values.find(name);
  if (found == values.end()) return std::nullopt;
  return found->second;
}

const std::vector<VerbShape>& verb_shapes() {
  static const std::vector<VerbShape> verbs = {
      {"simulate",
       "[SCENARIO] [options]",
       "run stages of a model on a machine: bytes per level, bounds and time",
       {"hardware", "model", "stage",      "batch",   "context", "prompt", "tp",  "weights", "kv",      "offload", "fidelity",
        "layers",   "start", "contention", "threads", "output",  "format", "set", "quiet",   "configs", "trace"},
       1},
      {"trace",
       "generate SCENARIO | import FILE | info FILE | check FILE | dump FILE",
       "make, import, inspect and check trace files",
       {"hardware", "model", "stage", "batch", "context", "prompt",  "tp",     "weights", "kv",  "offload", "layers",
        "kernel",   "block", "sms",   "l1",    "depth",   "threads", "output", "format",  "set", "quiet",   "configs"},
       2,
       {{"output", {"FILE", "generate, import: the trace file to write, usually NAME.trace.h5."}},
        {"stage", {"decode|prefill|both", "generate, dump: which stages. Default: all."}},
        {"kernel", {"N|NAME", "generate, dump: only these kernels: a number, a class, or a part of the label."}},
        {"block", {"N", "dump: only this block of each kernel."}},
        {"format",
         {"accelsim|kineto|rooftrace-capture|csv|text|json",
          "import: what the file is; traces/import/README.md has them all. info: text or json. Default there: text."}},
        {"sms", {"N", "import: SMs that captured blocks are dealt to in turn, each with an L1 of its own. Default: 132."}},
        {"l1", {"SIZE", "import: L1 and shared memory of an SM together; 0: every load goes on to L2. Default: 256 KiB."}},
        {"depth", {"N", "import: steps of a block whose loads may be in flight. Default: 2."}},
        {"layers",
         {"exact|auto",
          "generate: store every layer, or layers that are shifts of each other once (after comparing every access). Default: auto."}}}},
      {"sweep",
       "SWEEP.yaml -o FILE.h5 [options]",
       "run a base scenario over axes of any keys",
       {"output", "shard", "resume", "threads", "reuse", "dry-run", "where", "quiet", "configs"},
       1},
      {"merge", "SHARD.h5... -o FILE.h5", "put the shards of a sweep together", {"output", "quiet"}, 1'000'000},
      {"slurm",
       "submit SWEEP.yaml --nodes N | status DIR",
       "run a sweep on a Slurm cluster",
       {"nodes", "shards", "threads", "dir", "time", "partition", "sbatch", "dry-run", "format", "quiet", "configs"},
       2,
       {{"dry-run", {"", "submit: print the scripts; write and submit nothing."}},
        {"threads", {"N", "Threads of one shard, 1 to 1024. Default: a whole node for each shard."}}}},
      {"pareto",
       "SWEEP.h5 [options]",
       "points of a sweep that no other beats",
       {"max", "min", "stage", "format", "output"},
       1,
       {{"output", {"FILE.svg", "Draw the frontier as a picture. Default: no file."}},
        {"stage", {"decode|prefill", "The stage whose numbers count. Default: the first in the file."}}}},
      {"describe", "hardware|model NAME", "print a machine or a model with what follows from its numbers", {"set", "configs"}, 2},
      {"selfcheck", "hardware NAME", "measure a machine inside the simulator: achieved against theoretical", {"set", "configs"}, 2},
      {"validate",
       "[--suite FILE.csv|DIR]...",
       "simulate measured kernels and steps, and print the errors",
       {"suite", "hardware", "fidelity", "contention", "layers", "threads", "format", "rows", "output", "plots", "quiet", "configs"},
       0,
       {{"layers", {"exact|auto|sample", "Layers of whole steps that are simulated, as in simulate. Default: sample."}},
        {"output", {"FILE.h5", "Write all rows and scores as HDF5 (any netCDF-4 reader opens it). Default: no file."}}}},
      {"calibrate",
       "HARDWARE --suite FILE.csv... --fit KEY[,KEY...]",
       "fit named constants of a machine to suites of measurements",
       {"suite", "fit", "output", "threads", "quiet", "configs"},
       1'000,
       {{"output", {"FILE.yaml", "Write the machine's file with the fitted constants; may be the file itself. Default: no file."}},
        {"suite", {"FILE.csv|DIR", "Measurements to fit to; may be repeated, and further files may follow."}}}},
      {"curve",
       "[SCENARIO] [options]",
       "bytes at HBM for every capacity of L2, and the capacities at which something fits",
       {"hardware", "model", "stage", "batch", "context", "prompt", "tp", "weights", "kv", "offload", "start", "level", "layers", "threads",
        "output", "format", "set", "quiet", "configs"},
       1,
       {{"output", {"FILE.svg", "Draw the curve as a picture. Default: no file."}},
        {"layers",
         {"exact|auto|sample",
          "How the real cache beside the curve is run, as in simulate; the curve itself runs every layer. Default: auto."}}}},
      {"list", "hardware|models|scenarios", "names that the other verbs take", {"configs"}, 1},
      {"help", "[VERB]", "help on a verb", {}, 1},
  };
  return verbs;
}

const VerbShape& verb_shape(const std::string& name) {
  std::vector<std::string> names;
  for (const VerbShape& verb : verb_shapes()) {
    if (verb.name == name) return verb;
    names.push_back(verb.name);
  }
  throw UserError("no verb " + quoted_word(name) + did_you_mean(name, names) + " (verbs: " + joined(names, ", ") + ")");
}

Options parse_options(const std::vector<std::string>& arguments) {
  Options options;
  options.command = "rooftrace";
  for (const std::string& word : arguments) options.command += " " + quoted(word);

  const bool has_verb = !arguments.empty() && (arguments.front().empty() || arguments.front().front() != '-');
  const VerbShape program{"", "", "", {"version"}, 0};
  const VerbShape& verb = has_verb ? verb_shape(arguments.front()) : program;
  options.verb = verb.name;
  const std::vector<std::string> words(arguments.begin() + (has_verb ? 1 : 0), arguments.end());
  if (!has_verb) {
    for (const std::string& word : words) {
      if (word != "--help" && word != "-h" && word != "--version") {
        throw UserError(quoted_word(word) + " stands before the verb; write the verb first, as in \"rooftrace simulate --batch 2\"");
      }
    }
  }

  const po::options_description table = description(verb);
  for (const po::option& option : parse_words(words, verb, table)) {
    if (option.string_key.empty()) {
      options.arguments.insert(options.arguments.end(), option.value.begin(), option.value.end());
    } else {
      take(option, verb, options);
    }
  }
  if (options.arguments.size() > verb.max_arguments) {
    throw UserError(quoted_word(options.arguments[verb.max_arguments]) + " is one argument too many for \"rooftrace " + verb.name + " " +
                    verb.arguments + "\"");
  }
  return options;
}

std::string options_table(const VerbShape& verb) {
  std::stringstream wrapped;
  wrapped << description(verb);
  std::string text;
  for (std::string line; std::getline(wrapped, line);) {  // Boost leaves a space where it breaks a line.
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

std::uint64_t integer_option(const std::string& name, const std::string& text, std::uint64_t low, std::uint64_t high) {
  std::uint64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  const bool digits = !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
  if (!digits || error != std::errc{} || stop != end || value < low || value > high) {
    throw UserError("--" + name + ": " + quoted_word(text) + " is not a whole number from " + std::to_string(low) + " to " +
                    std::to_string(high));
  }
  return value;
}

std::map<std::string, double> offload_option(const std::string& text) {
  const std::vector<std::string> known = {"weights", "kv"};
  std::map<std::string, double> shares;
  std::stringstream parts(text);
  for (std::string part; std::getline(parts, part, ',');) {
    const std::size_t equals = part.find('=');
    if (equals == std::string::npos)
      throw UserError("--offload: " + quoted_word(part) + " has no \"=\"; write for example weights=0.5,kv=0");
    const std::string key = part.substr(0, equals);
    const std::string number = part.substr(equals + 1);
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      throw UserError("--offload: " + quoted_word(key) + " is not one of weights, kv" + did_you_mean(key, known));
    }
    double share = -1;
    const char* const end = number.data() + number.size();
    const auto [stop, error] = std::from_chars(number.data(), end, share);
    if (error != std::errc{} || stop != end || !(share >= 0 && share <= 1)) {
      throw UserError("--offload: " + key + ": " + quoted_word(number) + " is not a share from 0 to 1");
    }
    if (!shares.emplace(key, share).second) throw UserError("--offload: " + key + " is given twice");
  }
  return shares;
}

}  // namespace rooftrace
