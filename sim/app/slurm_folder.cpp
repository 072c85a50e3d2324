#include "sim/app/slurm_folder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "sim/app/atomic_file.hpp"
#include "sim/core/error.hpp"

namespace rooftrace {
namespace {

namespace fs = std::filesystem;

constexpr const char* kRecord = "submission.json";
constexpr const char* kSchema = "rooftrace-slurm/1";

void make_folder(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error || !fs::is_directory(path)) {
    throw UserError(fmt::format("cannot make the folder \"{}\": {}", path, error ? error.message() : "a file has that name"));
  }
}

void write_script(const std::string& path, const std::string& text) {
  write_file_atomically(path, text);
  std::error_code ignored;  // Scripts are started through their interpreter; the permission is a convenience.
  fs::permissions(path, fs::perms::owner_exec | fs::perms::group_exec | fs::perms::others_exec, fs::perm_options::add, ignored);
}

/// Points in a journal: its lines after the first; one that is cut off does not count.
std::uint64_t journal_points(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  std::uint64_t lines = 0;
  for (std::string line; std::getline(stream, line);) lines += stream.eof() ? 0 : 1;
  return lines > 0 ? lines - 1 : 0;
}

void ask_about_jobs(const SlurmPlan& plan, SlurmStatus& status) {
  for (const SubmittedJob& submitted : submitted_jobs(plan.folder)) {
    const SlurmAnswer answer = ask_slurm(submitted.id, plan.folder + "/" + (submitted.merge ? kMergeScript : kShardsScript));
    if (!answer.trouble.empty()) status.trouble.push_back(fmt::format("{}: {}", submitted.id, answer.trouble));
    for (const SlurmJob& job : answer.jobs) {
      if (submitted.merge) status.merges.push_back(job);
      for (const std::uint64_t task : job.tasks) {
        if (task >= status.shards.size()) continue;
        ShardState& shard = status.shards[task];
        // A later submission may have ended already while an earlier one still runs.
        if (!shard.live() || !job.ended()) shard.job = job;
      }
    }
  }
}

}  // namespace

void write_slurm_folder(const SlurmPlan& plan) {
  const std::string record = plan.folder + "/" + kRecord;
  if (fs::exists(record)) {
    const SlurmPlan old = read_slurm_folder(plan.folder);
    if (old.sweep != plan.sweep || old.shards != plan.shards) {
      throw UserError(fmt::format("\"{}\" belongs to \"{}\" in {} shards; choose another --dir", plan.folder, old.sweep, old.shards));
    }
  }
  make_folder(plan.folder);
  make_folder(plan.folder + "/shards");
  make_folder(plan.folder + "/logs");
  const nlohmann::ordered_json json = {{"schema", kSchema},       {"sweep", plan.sweep},   {"program", plan.program},
                                       {"configs", plan.configs}, {"shards", plan.shards}, {"nodes", plan.nodes}};
  write_script(plan.folder + "/" + kShardsScript, slurm_shards_script(plan));
  write_script(plan.folder + "/" + kMergeScript, slurm_merge_script(plan));
  write_script(plan.folder + "/" + kSubmitScript, slurm_submit_script(plan));
  write_file_atomically(record, json.dump(2) + "\n");
}

SlurmPlan read_slurm_folder(const std::string& folder) {
  const std::string record = folder + "/" + kRecord;
  std::ifstream stream(record, std::ios::binary);
  if (!stream) throw UserError(fmt::format("\"{}\" is no folder of \"rooftrace slurm submit\": it holds no {}", folder, kRecord));
  SlurmPlan plan;
  plan.folder = folder;
  try {
    const nlohmann::json json = nlohmann::json::parse(stream);
    if (json.at("schema") != kSchema) throw UserError(fmt::format("{}: schema is not {}", record, kSchema));
    plan.sweep = json.at("sweep");
    plan.program = json.at("program");
    plan.configs = json.at("configs");
    plan.shards = json.at("shards");
    plan.nodes = json.at("nodes");
  } catch (const nlohmann::json::exception& error) {
    throw UserError(fmt::format("{}: {}", record, error.what()));
  }
  if (plan.shards == 0 || plan.shards > 1'000'000) throw UserError(record + ": shards is out of range");
  return plan;
}

std::vector<SubmittedJob> submitted_jobs(const std::string& folder) {
  std::vector<SubmittedJob> jobs;
  std::ifstream stream(folder + "/" + kJobsFile);
  for (std::string line; std::getline(stream, line);) {
    std::istringstream words(line);
    std::string kind, tasks;
    SubmittedJob job;
    words >> kind >> job.id >> tasks;
    job.merge = kind == "merge";
    job.tasks = array_tasks(tasks);
    const bool number = !job.id.empty() && job.id.find_first_not_of("0123456789") == std::string::npos;
    if (number && (job.merge || kind == "array")) jobs.push_back(job);
  }
  return jobs;
}

std::vector<std::uint64_t> SlurmStatus::missing() const {
  std::vector<std::uint64_t> numbers;
  for (std::size_t i = 0; i < shards.size(); ++i) {
    if (!shards[i].done && !shards[i].live()) numbers.push_back(i);
  }
  return numbers;
}

bool SlurmStatus::live() const {
  return std::any_of(shards.begin(), shards.end(), [](const ShardState& shard) { return shard.live(); }) ||
         std::any_of(merges.begin(), merges.end(), [](const SlurmJob& job) { return !job.ended(); });
}

bool SlurmStatus::all_done() const {
  return std::all_of(shards.begin(), shards.end(), [](const ShardState& shard) { return shard.done; });
}

SlurmStatus slurm_status(const SlurmPlan& plan) {
  SlurmStatus status;
  status.shards.resize(plan.shards);
  // Slurm first: a shard that ends in between is then done, not missing.
  ask_about_jobs(plan, status);
  std::error_code error;
  const fs::path merged = fs::path(plan.folder) / kMergedFile;
  status.merged = fs::exists(merged, error);
  const auto merged_at = status.merged ? fs::last_write_time(merged, error) : fs::file_time_type{};
  for (std::uint64_t i = 0; i < plan.shards; ++i) {
    const fs::path file = fs::path(plan.folder) / slurm_shard_file(i);
    ShardState& shard = status.shards[i];
    shard.done = fs::exists(file, error);
    if (!shard.done) shard.points = journal_points(file.string() + ".part");
    if (!shard.done || fs::last_write_time(file, error) > merged_at) status.merged = false;
  }
  return status;
}

}  // namespace rooftrace
