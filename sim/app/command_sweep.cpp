// rooftrace sweep: many points, one file.
#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <filesystem>
#include <thread>

#include "sim/app/atomic_file.hpp"
#include "sim/app/commands.hpp"
#include "sim/app/console.hpp"
#include "sim/app/progress.hpp"
#include "sim/app/report_hdf5_sweep.hpp"
#include "sim/app/sha1.hpp"
#include "sim/app/stop_signals.hpp"
#include "sim/app/sweep_journal.hpp"
#include "sim/app/sweep_run.hpp"
#include "sim/app/sweep_where.hpp"
#include "sim/app/version.hpp"
#include "sim/core/error.hpp"

namespace rooftrace {
namespace {

constexpr unsigned kMaxThreads = 1024;

SweepShard read_shard(const Options& options) {
  SweepShard shard;
  const auto text = options.value("shard");
  if (!text) return shard;
  const std::size_t slash = text->find('/');
  if (slash == std::string::npos) throw UserError("--shard: " + quoted_word(*text) + " is not of the form i/n, as in 0/4");
  shard.count = static_cast<std::uint32_t>(integer_option("shard", text->substr(slash + 1), 1, 1'000'000));
  shard.index = static_cast<std::uint32_t>(integer_option("shard", text->substr(0, slash), 0, 1'000'000));
  if (shard.index >= shard.count) {
    throw UserError(fmt::format("--shard: there is no shard {} of {}; the first is 0/{}, the last {}/{}", shard.index, shard.count,
                                shard.count, shard.count - 1, shard.count));
  }
  return shard;
}

std::string point_text(const SweepSpec& spec, std::uint64_t point) {
  const std::vector<std::size_t> at = spec.position(point);
  std::string text;
  for (std::size_t i = 0; i < at.size(); ++i) {
    for (const SweepKey& key : spec.axes[i].keys) text += fmt::format("  {}={}", key.name, key.labels[at[i]]);
  }
  return text;
}

/// The points to run, and how long they would take if all took as long as three of them.
int dry_run(const SweepTable& table, const std::vector<std::uint64_t>& todo, PointRunner& runner, unsigned threads) {
  std::string text;
  for (const std::uint64_t point : todo) text += fmt::format("{}{}\n", point, point_text(table.spec, point));
  text += fmt::format("{} of {} points", todo.size(), table.points.size());
  if (table.count(PointStatus::left_out) > 0) text += fmt::format(", {} left out by where", table.count(PointStatus::left_out));
  if (!todo.empty()) {
    double seconds = 0;
    const std::size_t tried = std::min<std::size_t>(3, todo.size());
    std::size_t failed = 0;
    for (std::size_t i = 0; i < tried; ++i) {
      const auto start = std::chrono::steady_clock::now();
      failed += runner.run(todo[i * (todo.size() - 1) / std::max<std::size_t>(tried - 1, 1)]).status == PointStatus::failed ? 1 : 0;
      seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    }
    const double all = seconds / static_cast<double>(tried) * static_cast<double>(todo.size()) / threads;
    text += fmt::format("; about {} on {} threads (from {} points that were tried{})", duration_text(all), threads, tried,
                        failed > 0 ? fmt::format(", of which {} failed", failed) : "");
  }
  print_out(text + "\n");
  return kDone;
}

int report_end(const SweepTable& table, const Notes& notes) {
  const std::uint64_t failed = table.count(PointStatus::failed);
  if (failed == 0) return kDone;
  for (const PointRecord& record : table.points) {
    if (record.status != PointStatus::failed) continue;
    notes.note(fmt::format("{} of {} points failed; the first: {}", failed, failed + table.count(PointStatus::done), record.message));
    break;
  }
  return kPointsFailed;
}

/// What a finished file of the same shard already holds; false when there is no such file.
bool take_finished(const std::string& output, SweepTable& table) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(output, error)) return false;
  SweepTable there = read_sweep_h5(output);
  if (there.identity != table.identity || there.shard.index != table.shard.index || there.shard.count != table.shard.count) {
    throw UserError(fmt::format("\"{}\" holds another sweep or another shard; remove it, or choose another output", output));
  }
  table.points = std::move(there.points);
  return true;
}

std::vector<std::uint64_t> not_run(const SweepTable& table) {
  std::vector<std::uint64_t> points;
  for (std::uint64_t i = 0; i < table.points.size(); ++i) {
    if (table.shard.has(i) && table.points[i].status == PointStatus::not_run) points.push_back(i);
  }
  return points;
}

}  // namespace

int command_sweep(const Options& options) {
  if (options.arguments.empty()) throw UserError("which sweep? Give its file, as in \"rooftrace sweep SWEEP.yaml -o sweep.h5\"");
  const bool dry = options.value("dry-run").has_value();
  const auto output = options.value("output");
  if (!output && !dry) throw UserError("--output: where should the result go? Add -o sweep.h5, or --dry-run");
  const std::string& file = options.arguments.front();
  const ConfigPaths paths = ConfigPaths::of_process(options.value("configs").value_or(""));
  std::vector<std::string> filters;
  if (const auto filter = options.value("where")) filters.push_back(*filter);
  const auto text = options.value("threads");
  const unsigned threads =
      text ? static_cast<unsigned>(integer_option("threads", *text, 1, kMaxThreads)) : std::max(1U, std::thread::hardware_concurrency());

  SweepTable table;
  table.shard = read_shard(options);
  table.spec = parse_sweep(ConfigDocument::load(file), std::filesystem::path(file).parent_path().string(), filters);
  table.version = version();
  table.commit = commit();
  const SweepWhere where(table.spec);
  PointRunner runner(table.spec, paths, std::size_t{2} * threads + 2);
  table.identity = sha1(runner.identity_text());
  table.points.resize(table.spec.points());
  for (std::uint64_t i = 0; i < table.points.size(); ++i) {
    if (!where.takes(i)) table.points[i].status = PointStatus::left_out;
  }
  if (dry) return dry_run(table, not_run(table), runner, threads);

  check_writable(*output);
  const StopSignals signals;  // Before the first thread.
  const Notes notes(options.quiet);
  const bool resume = options.value("resume").has_value();
  if (resume && take_finished(*output, table)) {
    // Killed after its last step but one.
    if (std::filesystem::exists(*output + ".part")) SweepJournal(*output, table, resume).remove();
    notes.note(fmt::format("\"{}\" is complete already", *output));
    return report_end(table, notes);
  }
  SweepJournal journal(*output, table, resume);
  const std::vector<std::uint64_t> todo = not_run(table);
  std::size_t finished = 0;
  {
    Progress progress(todo.size(), "points", options.quiet);
    const auto keep = [&](std::uint64_t point, PointRecord&& record) {
      journal.add(point, record);
      progress.piece(record.status == PointStatus::failed);
      table.points[point] = std::move(record);
      ++finished;
    };
    run_points(
        todo, threads, [&](std::uint64_t point) { return runner.run(point); }, keep, [&] { return signals.stop() != 0; });
  }
  if (finished < todo.size()) {
    journal.sync();
    notes.note(
        fmt::format("stopped with {} points left; the others are in \"{}\", and --resume goes on", todo.size() - finished, journal.path()));
    return signals.stop() == SIGINT ? kInterrupted : kTryAgain;
  }
  write_file_atomically(*output, sweep_h5(table));
  journal.remove();
  notes.note("wrote " + *output);
  return report_end(table, notes);
}

}  // namespace rooftrace
