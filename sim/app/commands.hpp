// The verbs of the program, one file each (command_VERB.cpp). Each returns an exit code; what a user did wrong comes out as a UserError.
#pragma once

#include <string>
#include <vector>

#include "sim/app/options.hpp"

namespace rooftrace {

// Exit codes of the program.
inline constexpr int kDone = 0;
inline constexpr int kUsersMistake = 2;    ///< One line on standard error says what; nothing was written.
inline constexpr int kInternalError = 70;  ///< A mistake of ours.

int command_simulate(const Options& options);
int command_describe(const Options& options);
int command_selfcheck(const Options& options);
int command_list(const Options& options);
int command_help(const Options& options);

/// Help on a verb; on the whole program for "".
[[nodiscard]] std::string help_text(const std::string& verb);

/// From argv[1..] to the exit code; errors are printed here and nowhere else.
int run_program(const std::vector<std::string>& arguments);

}  // namespace rooftrace
