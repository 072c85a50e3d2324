#include "sim/app/slurm_queue.hpp"

#include <fmt/format.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <sstream>
#include <stdexcept>

#include "sim/app/slurm_scripts.hpp"

namespace rooftrace {
namespace {

/// The value of " KEY=" up to the next blank, or to `end` when that is given (paths may hold blanks).
std::string field(const std::string& line, const std::string& key, const std::string& end = " ") {
  const std::string padded = " " + line + " ";
  const std::size_t at = padded.find(" " + key + "=");
  if (at == std::string::npos) return "";
  const std::size_t begin = at + key.size() + 2;
  const std::size_t stop = padded.find(end, begin);
  std::string value = padded.substr(begin, stop == std::string::npos ? std::string::npos : stop - begin);
  if (value == "(null)" || value == "None") value.clear();
  return value;
}

SlurmJob parse_line(const std::string& line) {
  SlurmJob job;
  const std::string array = field(line, "ArrayJobId");
  const std::string tasks = field(line, "ArrayTaskId");
  job.tasks = array_tasks(tasks);
  job.id = array.empty() ? field(line, "JobId") : array;
  if (job.tasks.size() == 1) job.id += "_" + std::to_string(job.tasks.front());
  job.state = field(line, "JobState");
  job.reason = field(line, "Reason");
  job.nodes = field(line, "NodeList");
  job.exit = field(line, "ExitCode");
  job.command = field(line, "Command", " WorkDir=");
  const std::vector<std::uint64_t> restarts = array_tasks(field(line, "Restarts"));
  if (restarts.size() == 1) job.restarts = restarts.front();
  return job;
}

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

}  // namespace

bool SlurmJob::ended() const {
  static const std::vector<std::string> states = {"BOOT_FAIL", "CANCELLED",     "COMPLETED", "DEADLINE", "FAILED",
                                                  "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED", "REVOKED",  "TIMEOUT"};
  return std::find(states.begin(), states.end(), state) != states.end();
}

std::string SlurmJob::text() const {
  std::string text = id + " " + state;
  if (!nodes.empty()) text += " on " + nodes;
  if (ended() && !exit.empty() && exit != "0:0") text += ", exit " + exit;
  if (!reason.empty() && !ended()) text += " (" + reason + ")";
  if (restarts > 0) text += fmt::format(", restarts {}", restarts);
  return text;
}

std::vector<SlurmJob> parse_slurm_jobs(const std::string& text) {
  std::vector<SlurmJob> jobs;
  std::stringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("JobId=", 0) == 0) jobs.push_back(parse_line(line));
  }
  return jobs;
}

ShellOutput run_shell(const std::string& command) {
  const std::string merged = "{ " + command + "\n} 2>&1";
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(merged.c_str(), "re"), [](FILE*) { return 0; });
  if (!pipe) throw std::runtime_error("cannot start /bin/sh");
  ShellOutput output;
  std::array<char, 4096> block{};
  for (std::size_t n = 0; (n = fread(block.data(), 1, block.size(), pipe.get())) > 0;) output.text.append(block.data(), n);
  const int status = pclose(pipe.get());
  output.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return output;
}

SlurmAnswer ask_slurm(const std::string& job, const std::string& script) {
  SlurmAnswer answer;
  const ShellOutput output = run_shell("scontrol --oneliner show job " + shell_word(job));
  if (output.code != 0) {
    answer.trouble = output.code == 127 ? "there is no scontrol on this machine" : first_line(output.text);
    return answer;
  }
  answer.jobs = parse_slurm_jobs(output.text);
  std::erase_if(answer.jobs, [&](const SlurmJob& found) { return found.command != script; });
  if (answer.jobs.empty()) answer.trouble = "job " + job + " is somebody else's by now";
  return answer;
}

}  // namespace rooftrace
