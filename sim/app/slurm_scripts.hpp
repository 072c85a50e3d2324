// The scripts that run a sweep on a Slurm cluster: a job array of shards, a merge that waits for it, and the submission of both.
//
// Promises: the scripts are text for people to read and change; every path in them is quoted for the shell, whatever it contains. A shard
// is told by its number in the array and its file by that number, never by a job id, so that any shard may run again at any time. They use
// sbatch and scontrol only. Not modeled: what a site wants beside this (accounts, memory, modules); that is `extra`, or an edited script.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace rooftrace {

struct SlurmPlan {
  std::string program;        ///< Absolute path of rooftrace, the same on every node.
  std::string sweep;          ///< Absolute path of SWEEP.yaml.
  std::string folder;         ///< Absolute; on a file system that every node sees.
  std::string configs;        ///< Absolute path for --configs, or "".
  std::uint64_t shards = 1;   ///< Numbered from 0.
  std::uint64_t nodes = 1;    ///< Shards that run at the same time at most.
  std::uint64_t threads = 0;  ///< Of one shard; 0: a whole node.
  std::string time;           ///< As sbatch --time takes it, or "".
  std::string partition;      ///< Or "".
  std::string extra;          ///< More options of sbatch, or "".
};

/// In `folder`.
inline constexpr const char* kShardsScript = "shards.sbatch";
inline constexpr const char* kMergeScript = "merge.sbatch";
inline constexpr const char* kSubmitScript = "submit.sh";
inline constexpr const char* kJobsFile = "jobs";  ///< One line for every job submitted: "array ID TASKS" or "merge ID".
inline constexpr const char* kMergedFile = "sweep.h5";

/// The result of one shard, relative to the folder.
[[nodiscard]] std::string slurm_shard_file(std::uint64_t shard);

[[nodiscard]] std::string slurm_shards_script(const SlurmPlan& plan);
[[nodiscard]] std::string slurm_merge_script(const SlurmPlan& plan);
/// Takes the tasks to submit as its argument ("3,7-9"); all without one.
[[nodiscard]] std::string slurm_submit_script(const SlurmPlan& plan);

/// The text that a shell reads as this one word.
[[nodiscard]] std::string shell_word(const std::string& text);

/// "0-2,7%4" or "0-6:2" -> the numbers; empty when it is none of that. The other way is array_expression (sweep_table.hpp).
[[nodiscard]] std::vector<std::uint64_t> array_tasks(const std::string& expression);

}  // namespace rooftrace
