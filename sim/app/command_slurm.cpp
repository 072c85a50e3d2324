// rooftrace slurm submit: a sweep as a job array and a merge. rooftrace slurm status: what is done, what is missing, what Slurm says.
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>

#include "sim/app/commands.hpp"
#include "sim/app/console.hpp"
#include "sim/app/slurm_folder.hpp"
#include "sim/app/sweep_table.hpp"
#include "sim/core/error.hpp"

namespace rooftrace {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMostShards = 100'000;  ///< Slurm itself takes MaxArraySize - 1, 1000 where nobody changed it.
constexpr std::uint64_t kMostThreads = 1024;

/// Absolute, without a trailing slash, and fit for a line of a script.
std::string absolute(const std::string& path) {
  for (const char c : path) {
    if (static_cast<unsigned char>(c) < ' ') throw UserError(quoted_word(path) + " holds a control character; Slurm's scripts cannot");
  }
  const fs::path full = fs::absolute(path).lexically_normal();
  return full.filename().empty() && full.has_relative_path() ? full.parent_path().string() : full.string();
}

/// A word that goes into a #SBATCH line as it is.
std::string plain_option(const Options& options, const std::string& name, const std::string& also) {
  const std::string text = options.value(name).value_or("");
  for (const char c : text) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!letter && also.find(c) == std::string::npos)
      throw UserError("--" + name + ": " + quoted_word(text) + " is nothing that sbatch takes");
  }
  return text;
}

std::string extra_option(const Options& options) {
  const std::string text = options.value("sbatch").value_or("");
  if (text.empty()) return text;
  if (text.front() != '-' || text.find('\n') != std::string::npos) {
    throw UserError("--sbatch: " + quoted_word(text) + " is no list of options; write for example --sbatch='--account=mine --mem=8G'");
  }
  return text;
}

/// Where the configs are that a job must see, too: it may start without this environment.
std::string configs_of(const Options& options) {
  if (const auto configs = options.value("configs")) return absolute(*configs);
  const char* environment = std::getenv("ROOFTRACE_CONFIGS");
  return environment == nullptr || *environment == '\0' ? "" : absolute(environment);
}

SlurmPlan plan_of(const Options& options) {
  if (options.arguments.size() < 2)
    throw UserError("slurm submit: which sweep? Write for example: rooftrace slurm submit SWEEP.yaml --nodes 4");
  SlurmPlan plan;
  plan.sweep = absolute(options.arguments[1]);
  const auto nodes = options.value("nodes");
  if (!nodes) throw UserError("slurm submit: --nodes is missing: how many nodes may work at the same time?");
  plan.nodes = integer_option("nodes", *nodes, 1, kMostShards);
  plan.shards = plan.nodes;
  if (const auto shards = options.value("shards")) plan.shards = integer_option("shards", *shards, 1, kMostShards);
  if (const auto threads = options.value("threads")) plan.threads = integer_option("threads", *threads, 1, kMostThreads);
  plan.time = plain_option(options, "time", ":-");
  plan.partition = plain_option(options, "partition", "_-.,");
  plan.extra = extra_option(options);
  plan.configs = configs_of(options);
  plan.folder = absolute(options.value("dir").value_or(fs::path(plan.sweep).stem().string() + "-slurm"));
  plan.program = fs::read_symlink("/proc/self/exe").string();
  return plan;
}

int submit(const Options& options) {
  const SlurmPlan plan = plan_of(options);
  // A sweep that cannot be read should not wait in a queue first.
  const SweepSpec spec = parse_sweep(ConfigDocument::load(plan.sweep), fs::path(plan.sweep).parent_path().string(), {});
  if (plan.shards > spec.points()) {
    throw UserError(fmt::format("--shards: the sweep has {} points only, fewer than {} shards", spec.points(), plan.shards));
  }
  const std::vector<std::pair<const char*, std::string>> scripts = {
      {kShardsScript, slurm_shards_script(plan)}, {kMergeScript, slurm_merge_script(plan)}, {kSubmitScript, slurm_submit_script(plan)}};
  if (options.value("dry-run")) {
    for (const auto& [file, text] : scripts) print_out(fmt::format("==> {}/{} <==\n{}\n", plan.folder, file, text));
    return kDone;
  }
  write_slurm_folder(plan);
  const SlurmStatus before = slurm_status(plan);
  if (before.live()) {
    throw UserError(fmt::format("jobs of \"{}\" still wait or run; \"rooftrace slurm status {}\" says which", plan.folder, plan.folder));
  }
  std::string command = "sh " + shell_word(plan.folder + "/" + kSubmitScript);
  const std::vector<std::uint64_t> missing = before.missing();
  if (missing.empty()) throw UserError(fmt::format("every shard in \"{}\" is done already", plan.folder));
  if (missing.size() < plan.shards) command += " " + shell_word(array_expression(missing));
  const ShellOutput output = run_shell(command);
  if (output.code != 0) {
    const std::string said = output.text.substr(0, output.text.find('\n'));
    throw UserError(output.code == 127 ? "there is no sbatch on this machine; the scripts are in \"" + plan.folder + "\""
                                       : fmt::format("sbatch: {} (the scripts are in \"{}\")", said, plan.folder));
  }
  if (!options.quiet) {
    print_out(fmt::format("{}\"rooftrace slurm status {}\" says how far they are; the result will be {}/{}\n", output.text, plan.folder,
                          plan.folder, kMergedFile));
  }
  return kDone;
}

int status(const Options& options) {
  if (options.arguments.size() < 2) throw UserError("slurm status: of which folder? Its name follows: rooftrace slurm status DIR");
  const SlurmPlan plan = read_slurm_folder(absolute(options.arguments[1]));
  const SlurmStatus now = slurm_status(plan);
  if (!options.quiet) {
    print_out(options.value("format").value_or("text") == "json" ? slurm_status_json(plan, now) : slurm_status_text(plan, now));
  }
  return now.merged ? kDone : kTryAgain;
}

}  // namespace

int command_slurm(const Options& options) {
  const std::vector<std::string> words = {"submit", "status"};
  if (options.arguments.empty()) throw UserError("slurm what? One of submit, status");
  const std::string& word = options.arguments.front();
  if (word == words[0]) return submit(options);
  if (word == words[1]) return status(options);
  throw UserError("slurm: " + quoted_word(word) + " is not one of submit, status" + did_you_mean(word, words));
}

}  // namespace rooftrace
