// The status of a submission as text and as JSON.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "sim/app/slurm_folder.hpp"
#include "sim/app/sweep_table.hpp"

namespace rooftrace {
namespace {

constexpr std::uint64_t kListed = 64;  ///< Shards told one by one at most; those that are done go first.

std::string word_of(const ShardState& shard) {
  if (shard.done) return "done";
  if (!shard.live()) return "missing";
  return shard.job.state == "PENDING" ? "waiting" : "running";
}

std::string line_of(std::uint64_t number, const ShardState& shard) {
  std::string line = fmt::format("  shard {}: {}", number, word_of(shard));
  if (shard.points > 0) line += fmt::format(", {} points so far", shard.points);
  if (!shard.job.id.empty()) line += "; job " + shard.job.text();
  return line + "\n";
}

}  // namespace

std::string slurm_status_text(const SlurmPlan& plan, const SlurmStatus& status) {
  std::map<std::string, std::uint64_t> counts;
  for (const ShardState& shard : status.shards) ++counts[word_of(shard)];
  std::string summary;
  for (const char* word : {"done", "running", "waiting", "missing"}) {
    if (counts[word] > 0) summary += fmt::format("{}{} {}", summary.empty() ? "" : ", ", counts[word], word);
  }
  std::string text = fmt::format("sweep: {}\nshards: {} ({})\n", plan.sweep, plan.shards, summary);
  std::uint64_t listed = 0, left = 0;
  for (std::uint64_t i = 0; i < plan.shards; ++i) {
    if (status.shards[i].done && plan.shards > kListed) continue;
    if (listed++ < kListed) {
      text += line_of(i, status.shards[i]);
    } else {
      ++left;
    }
  }
  if (left > 0) text += fmt::format("  and {} more that are not done\n", left);
  for (const SlurmJob& job : status.merges) text += "merge: job " + job.text() + "\n";
  for (const std::string& trouble : status.trouble) text += "slurm: job " + trouble + "\n";
  text += status.merged ? fmt::format("merged: {}/{}\n", plan.folder, kMergedFile) : "merged: not yet\n";
  const std::vector<std::uint64_t> missing = status.missing();
  const bool merging = std::any_of(status.merges.begin(), status.merges.end(), [](const SlurmJob& job) { return !job.ended(); });
  if (!missing.empty()) {
    const std::string expression = array_expression(missing);
    text +=
        fmt::format("missing: {}\nresubmit them with: sh {} {}\n", expression, shell_word(plan.folder + "/" + kSubmitScript), expression);
  } else if (status.all_done() && !status.merged && !merging) {
    text += fmt::format("merge with: bash {}\n", shell_word(plan.folder + "/" + kMergeScript));
  }
  return text;
}

std::string slurm_status_json(const SlurmPlan& plan, const SlurmStatus& status) {
  nlohmann::ordered_json shards = nlohmann::ordered_json::array();
  const auto job_json = [](const SlurmJob& job) {
    return nlohmann::ordered_json{{"id", job.id},       {"state", job.state}, {"reason", job.reason},
                                  {"nodes", job.nodes}, {"exit", job.exit},   {"restarts", job.restarts}};
  };
  for (std::uint64_t i = 0; i < plan.shards; ++i) {
    const ShardState& shard = status.shards[i];
    nlohmann::ordered_json entry = {{"shard", i}, {"status", word_of(shard)}, {"file", slurm_shard_file(i)}};
    if (!shard.done) entry["points"] = shard.points;
    if (!shard.job.id.empty()) entry["job"] = job_json(shard.job);
    shards.push_back(std::move(entry));
  }
  nlohmann::ordered_json merges = nlohmann::ordered_json::array();
  for (const SlurmJob& job : status.merges) merges.push_back(job_json(job));
  const nlohmann::ordered_json json = {{"sweep", plan.sweep},
                                       {"folder", plan.folder},
                                       {"shards", std::move(shards)},
                                       {"merges", std::move(merges)},
                                       {"trouble", status.trouble},
                                       {"merged", status.merged},
                                       {"missing", array_expression(status.missing())}};
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace rooftrace
