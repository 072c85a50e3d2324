#include "sim/app/validate_run.hpp"

#include <fmt/format.h>
#include <tbb/global_control.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <filesystem>
#include <mutex>

#include "sim/core/error.hpp"
#include "sim/core/text_file.hpp"

namespace rooftrace {
namespace {

namespace fs = std::filesystem;

const SuiteKind& kind_of(const std::string& path) {
  const std::string stem = fs::path(path).stem().string();
  std::vector<std::string> names;
  for (const SuiteKind& kind : suite_kinds()) {
    if (stem == kind.name) return kind;
    names.emplace_back(kind.name);
  }
  throw UserError(SourceLocation{path}, fmt::format("a suite's file name says its kind, and {} is none{} (kinds: {})", quoted_word(stem),
                                                    did_you_mean(stem, names), fmt::join(names, ", ")));
}

Suite load_suite(const std::string& path) {
  const SuiteKind& kind = kind_of(path);
  return parse_suite(path, kind.name, read_text_file(path, kSuiteLimit), kind.columns);
}

struct Task {
  const SuiteKind* kind;
  const SuiteRow* row;
  std::size_t number;
};

}  // namespace

std::vector<Suite> load_suites(const std::vector<std::string>& paths) {
  std::vector<Suite> suites;
  for (const std::string& path : paths) {
    std::error_code error;
    if (!fs::is_directory(path, error)) {
      suites.push_back(load_suite(path));
      continue;
    }
    std::vector<std::string> files;
    for (fs::directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
      if (it->path().extension() == ".csv") files.push_back(it->path().string());
    }
    if (error) throw UserError(SourceLocation{path}, "cannot be listed: " + error.message());
    if (files.empty()) throw UserError(SourceLocation{path}, "holds no suite (*.csv)");
    std::sort(files.begin(), files.end());
    for (const std::string& file : files) suites.push_back(load_suite(file));
  }
  return suites;
}

std::vector<ScoredRow> run_suites(const std::vector<Suite>& suites, const std::string& only_hardware, Bench& bench, unsigned threads,
                                  const std::function<void(std::size_t, std::size_t)>& progress) {
  std::vector<Task> tasks;
  for (const Suite& suite : suites) {
    const SuiteKind& kind = kind_of(suite.path);
    for (std::size_t i = 0; i < suite.rows.size(); ++i) {
      if (only_hardware.empty() || suite.rows[i].text("hardware") == only_hardware) tasks.push_back({&kind, &suite.rows[i], i + 1});
    }
  }
  std::vector<ScoredRow> rows(tasks.size());
  std::mutex mutex;
  std::size_t done = 0;
  const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, threads);
  tbb::task_arena arena(static_cast<int>(threads));
  arena.execute([&] {
    // One row at a time: rows differ in length by a factor of a thousand.
    tbb::parallel_for(
        tbb::blocked_range<std::size_t>(0, tasks.size(), 1),
        [&](const tbb::blocked_range<std::size_t>& range) {
          for (std::size_t i = range.begin(); i != range.end(); ++i) {
            rows[i] = score_row(*tasks[i].kind, *tasks[i].row, tasks[i].number, bench);
            const std::lock_guard lock(mutex);
            if (progress) progress(++done, tasks.size());
          }
        },
        tbb::simple_partitioner());
  });
  return rows;
}

}  // namespace rooftrace
