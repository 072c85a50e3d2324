// The verbs of the program, one file each (command_VERB.cpp). Each returns an exit code; what a user did wrong comes out as a UserError.
#pragma once

#include <string>
#include <vector>

#include "sim/app/options.hpp"

namespace rooftrace {

// Exit codes of the program.
inline constexpr int kDone = 0;
inline constexpr int kUsersMistake = 2;    ///< One line on standard error says what; nothing was written.
inline constexpr int kPointsFailed = 3;    ///< A sweep is complete, but some of its points have a message instead of numbers.
inline constexpr int kPointsMissing = 4;   ///< merge: some points are in no shard; nothing was written.
inline constexpr int kInternalError = 70;  ///< A mistake of ours.
inline constexpr int kTryAgain = 75;       ///< A sweep ended early by SIGTERM or SIGUSR1 goes on with --resume; slurm status: not done yet.
inline constexpr int kInterrupted = 130;   ///< SIGINT did.

int command_simulate(const Options& options);
int command_sweep(const Options& options);
int command_merge(const Options& options);
int command_slurm(const Options& options);
int command_pareto(const Options& options);
int command_describe(const Options& options);
int command_selfcheck(const Options& options);
int command_validate(const Options& options);
int command_calibrate(const Options& options);
int command_curve(const Options& options);
int command_trace(const Options& options);
int command_list(const Options& options);
int command_help(const Options& options);

/// Help on a verb; on the whole program for "".
[[nodiscard]] std::string help_text(const std::string& verb);

/// From argv[1..] to the exit code; errors are printed here and nowhere else.
int run_program(const std::vector<std::string>& arguments);

}  // namespace rooftrace
