// What Slurm says about jobs, asked through `scontrol show job`: no accounting database (sacct) is needed.
//
// Promises: asking changes nothing and a cluster that does not answer is no error, its words are kept; a job id that Slurm gave to another
// script meanwhile (ids start again when a controller lost its last seconds) is not taken for ours. Slurm forgets a job some minutes after
// its end (MinJobAge): what is done is therefore read from files, never from here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace rooftrace {

struct SlurmJob {
  std::string id;                    ///< "12_3"; "12" for a group that waits, or for a job that is no array.
  std::vector<std::uint64_t> tasks;  ///< Numbers in the array.
  std::string state;                 ///< "RUNNING"
  std::string reason;                ///< Why it waits; "" when there is none.
  std::string nodes, exit;           ///< "n2"; "0:9" is killed by signal 9.
  std::uint64_t restarts = 0;
  std::string command;  ///< Path of its script.

  [[nodiscard]] bool ended() const;  ///< And Slurm will not start it again by itself.
  [[nodiscard]] std::string text() const;
};

struct SlurmAnswer {
  std::vector<SlurmJob> jobs;
  std::string trouble;  ///< What scontrol said instead; "" when it answered.
};

/// All jobs of this id whose script is `script`.
[[nodiscard]] SlurmAnswer ask_slurm(const std::string& job, const std::string& script);

/// The output of `scontrol --oneliner show job`.
[[nodiscard]] std::vector<SlurmJob> parse_slurm_jobs(const std::string& text);

struct ShellOutput {
  int code = 0;
  std::string text;  ///< Standard output and standard error.
};
/// Runs a command line in /bin/sh.
[[nodiscard]] ShellOutput run_shell(const std::string& command);

}  // namespace rooftrace
