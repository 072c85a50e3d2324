// The folder of one submission: which sweep it is, in how many shards, its scripts, the jobs so far, and which shards are on disk.
//
//   submission.json   the plan            shards.sbatch merge.sbatch submit.sh   jobs   logs/
//   shards/shard-7.h5 (.part while it is being made)                             sweep.h5: the merged file
//
// Promises: a folder belongs to one sweep in one number of shards for ever; files appear whole; what is done is read from the files alone.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/app/slurm_queue.hpp"
#include "sim/app/slurm_scripts.hpp"

namespace rooftrace {

/// Makes the folder, its record and its scripts; UserError when the folder belongs to another sweep or another number of shards.
void write_slurm_folder(const SlurmPlan& plan);
/// What the folder's record says: sweep, program, shards, nodes. UserError when there is none.
[[nodiscard]] SlurmPlan read_slurm_folder(const std::string& folder);

/// A line of the file of jobs.
struct SubmittedJob {
  std::string id;
  bool merge = false;
  std::vector<std::uint64_t> tasks;  ///< Of an array.
};
[[nodiscard]] std::vector<SubmittedJob> submitted_jobs(const std::string& folder);

struct ShardState {
  bool done = false;
  std::uint64_t points = 0;  ///< Finished so far, when it is not done.
  SlurmJob job;              ///< The last one that Slurm knows of; its id is "" when there is none.

  [[nodiscard]] bool live() const { return !job.id.empty() && !job.ended(); }
};

struct SlurmStatus {
  std::vector<ShardState> shards;
  std::vector<SlurmJob> merges;      ///< Those that Slurm knows, oldest first.
  std::vector<std::string> trouble;  ///< What scontrol said instead of answering.
  bool merged = false;               ///< sweep.h5 is there, and no shard is younger.

  [[nodiscard]] std::vector<std::uint64_t> missing() const;  ///< Neither done nor waiting nor running.
  [[nodiscard]] bool live() const;                           ///< A shard or a merge waits or runs.
  [[nodiscard]] bool all_done() const;
};
[[nodiscard]] SlurmStatus slurm_status(const SlurmPlan& plan);

[[nodiscard]] std::string slurm_status_text(const SlurmPlan& plan, const SlurmStatus& status);
[[nodiscard]] std::string slurm_status_json(const SlurmPlan& plan, const SlurmStatus& status);

}  // namespace rooftrace
