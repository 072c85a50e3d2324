// The command line as a value: which verb, its arguments, and the text of every option given.
//
// Promises: an unknown verb or option, an option without its value or given twice, and a word outside an option's list are one-line
// UserErrors with the closest right word; numbers stay text here (whoever needs one reads it with integer_option, which knows its range).
// Abbreviated options are refused, so that a new option never changes what an old command line means.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace rooftrace {

struct Options {
  std::string verb;                           ///< "" when the command line has none (only --help or --version).
  std::vector<std::string> arguments;         ///< What follows the verb and is no option.
  std::map<std::string, std::string> values;  ///< Long name without dashes -> its text, only options that were given.
  std::vector<std::string> sets;              ///< Every --set, in order.
  std::vector<std::string> suites;            ///< Every --suite, in order.
  bool help = false;
  bool version = false;
  bool quiet = false;
  std::string command;  ///< The whole line, quoted so that a shell would read it back.

  [[nodiscard]] std::optional<std::string> value(const std::string& name) const;
};

/// A verb of the program as the command line sees it.
struct VerbShape {
  std::string name;
  std::string arguments;             ///< "[SCENARIO.yaml]"
  std::string summary;               ///< One line.
  std::vector<std::string> options;  ///< Long names of the options it takes (beside --help).
  std::size_t max_arguments = 0;
  /// Options that mean something else here than elsewhere: name -> {what stands for the value, help}.
  std::map<std::string, std::pair<std::string, std::string>> own_meaning = {};
};
[[nodiscard]] const std::vector<VerbShape>& verb_shapes();
/// UserError when there is no such verb.
[[nodiscard]] const VerbShape& verb_shape(const std::string& name);

/// `arguments` are argv[1..].
[[nodiscard]] Options parse_options(const std::vector<std::string>& arguments);
/// The options of a verb as a table for people.
[[nodiscard]] std::string options_table(const VerbShape& verb);

/// A whole decimal number in [low, high]; else UserError("--NAME: ...").
[[nodiscard]] std::uint64_t integer_option(const std::string& name, const std::string& text, std::uint64_t low, std::uint64_t high);
/// "weights=0.5,kv=0" -> {weights: 0.5, kv: 0}; shares in [0, 1]; what is not named is absent.
[[nodiscard]] std::map<std::string, double> offload_option(const std::string& text);

}  // namespace rooftrace
