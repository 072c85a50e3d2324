// Reading the command line. Boost.Program_options splits the words, the messages are ours; the tables are in option_tables.cpp.
#include "sim/app/options.hpp"

#include <algorithm>
#include <boost/program_options.hpp>
#include <charconv>
#include <cmath>
#include <sstream>

#include "sim/app/option_tables.hpp"
#include "sim/core/error.hpp"

namespace rooftrace {
namespace {

namespace po = boost::program_options;

constexpr unsigned kHelpColumns = 130;

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
