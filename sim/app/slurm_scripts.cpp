#include "sim/app/slurm_scripts.hpp"

#include <fmt/format.h>

#include <charconv>
#include <filesystem>
#include <sstream>

namespace rooftrace {
namespace {

std::string directives(const SlurmPlan& plan, const std::string& what) {
  std::string text = fmt::format("#SBATCH --job-name=rooftrace-{}\n#SBATCH --nodes=1\n#SBATCH --ntasks=1\n", what);
  if (!plan.partition.empty()) text += "#SBATCH --partition=" + plan.partition + "\n";
  if (!plan.extra.empty()) text += "#SBATCH " + plan.extra + "\n";
  return text;
}

std::string sweep_options(const SlurmPlan& plan) {
  std::string text = "--threads " + (plan.threads == 0 ? std::string("\"$SLURM_CPUS_ON_NODE\"") : std::to_string(plan.threads));
  if (!plan.configs.empty()) text += " --configs " + shell_word(plan.configs);
  return text;
}

bool read_integer(std::string_view text, std::uint64_t& value) {
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return !text.empty() && error == std::errc{} && stop == text.data() + text.size();
}

}  // namespace

std::string slurm_shard_file(std::uint64_t shard) {
  return fmt::format("shards/shard-{}.h5", shard);
}

std::string shell_word(const std::string& text) {
  std::string word = "'";
  for (const char c : text) word += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return word + "'";
}

std::string slurm_shards_script(const SlurmPlan& plan) {
  std::string text = fmt::format("#!/bin/bash\n# One shard of {}; the task's number in the array says which.\n", plan.sweep);
  text += directives(plan, "sweep");
  text += plan.threads == 0 ? "#SBATCH --exclusive\n" : fmt::format("#SBATCH --cpus-per-task={}\n", plan.threads);
  if (!plan.time.empty()) text += "#SBATCH --time=" + plan.time + "\n";
  text += "#SBATCH --output=logs/shard-%a.log\n";
  text += R"(#SBATCH --open-mode=append
#SBATCH --requeue                  # A shard whose node is lost starts again on another one.
#SBATCH --signal=B:USR1@90         # 90 s before the time limit: finish the points at hand, start again.

task=$SLURM_ARRAY_TASK_ID
cancelled=
)";
  text += fmt::format("cd {} || exit 2\n", shell_word(plan.folder));
  text += fmt::format("{} sweep {} --shard \"$task/{}\" -o \"shards/shard-$task.h5\" --resume {} &\n", shell_word(plan.program),
                      shell_word(plan.sweep), plan.shards, sweep_options(plan));
  text += R"(sweep=$!
trap 'signalled=yes; kill -TERM "$sweep" 2>/dev/null' USR1
trap 'signalled=yes; cancelled=yes; kill -TERM "$sweep" 2>/dev/null' TERM
while signalled=; wait "$sweep"; code=$?; [ -n "$signalled" ] && [ "$code" -gt 128 ]; do :; done   # A signal ends wait, not the sweep.

# 75: unfinished, but everything so far is on disk. Not after scancel; and ten times at most, should it never get anywhere.
if [ "$code" = 75 ] && [ -z "$cancelled" ] && [ "${SLURM_RESTART_COUNT:-0}" -lt 10 ]; then
  scontrol requeue "${SLURM_ARRAY_JOB_ID}_$task"
fi
exit "$code"
)";
  return text;
}

std::string slurm_merge_script(const SlurmPlan& plan) {
  std::string text =
      fmt::format("#!/bin/bash\n# All shards of {} into one file. Runs when the array has ended, however it ended.\n", plan.sweep);
  text += directives(plan, "merge");
  text += "#SBATCH --output=logs/merge.log\n#SBATCH --open-mode=append\n\n";
  text += fmt::format("cd {} || exit 2\nexec {} merge shards/shard-*.h5 -o {}\n", shell_word(plan.folder), shell_word(plan.program),
                      kMergedFile);
  return text;
}

std::string slurm_submit_script(const SlurmPlan& plan) {
  std::string text =
      "#!/bin/sh\n# Submits shards, and a merge for when they have ended. Arguments: the shards, as in 3,7-9; without: all.\n";
  text += fmt::format("set -eu\ncd {}\n", shell_word(plan.folder));
  text += fmt::format("tasks=${{1:-0-{}}}\n", plan.shards - 1);
  text += fmt::format("array=$(sbatch --parsable --array=\"$tasks%{}\" \"$PWD/{}\")\n", plan.nodes, kShardsScript);
  text += fmt::format("array=${{array%%;*}}   # \"ID;CLUSTER\" where there are several clusters.\necho \"array $array $tasks\" >> {}\n",
                      kJobsFile);
  text += fmt::format("merge=$(sbatch --parsable --dependency=\"afterany:$array\" \"$PWD/{}\")\n", kMergeScript);
  text += fmt::format("merge=${{merge%%;*}}\necho \"merge $merge\" >> {}\n", kJobsFile);
  text += "echo \"submitted: shards $tasks as job $array, the merge as job $merge\"\n";
  return text;
}

std::vector<std::uint64_t> array_tasks(const std::string& expression) {
  std::vector<std::uint64_t> tasks;
  std::stringstream parts(expression.substr(0, expression.find('%')));
  for (std::string part; std::getline(parts, part, ',');) {
    const std::size_t colon = part.find(':');
    std::uint64_t step = 1, first = 0, last = 0;
    if (colon != std::string::npos && (!read_integer(part.substr(colon + 1), step) || step == 0)) return {};
    const std::string range = part.substr(0, colon);
    const std::size_t dash = range.find('-');
    if (!read_integer(range.substr(0, dash), first)) return {};
    last = first;
    if (dash != std::string::npos && !read_integer(range.substr(dash + 1), last)) return {};
    constexpr std::uint64_t kMost = 10'000'000;  // More than any Slurm takes: not what we wrote.
    if (last > kMost) return {};
    for (std::uint64_t task = first; task <= last; task += step) tasks.push_back(task);
  }
  return tasks;
}

}  // namespace rooftrace
