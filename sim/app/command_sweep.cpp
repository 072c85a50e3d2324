// rooftrace sweep: many points, one file.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <numeric>
#include <optional>
#include <thread>
#include <utility>

#include "sim/app/atomic_file.hpp"
#include "sim/app/commands.hpp"
#include "sim/app/console.hpp"
#include "sim/app/progress.hpp"
#include "sim/app/report_hdf5_sweep.hpp"
#include "sim/app/sha1.hpp"
#include "sim/app/stop_signals.hpp"
#include "sim/app/sweep_file.hpp"
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

/// The points of the shard that were not run yet, one after the other.
class ToDo {
 public:
  /// `order`: of the axes, slowest first.
  ToDo(const SweepTable& table, std::vector<std::size_t> order) : table_(table), order_(std::move(order)) {}
  [[nodiscard]] std::uint64_t count() const {
    ToDo all(table_, order_);
    std::uint64_t points = 0;
    while (all.next()) ++points;
    return points;
  }
  std::optional<std::uint64_t> next() {
    while (at_ < table_.status.size()) {
      const std::uint64_t point = point_in_order(table_.spec, order_, at_++);
      if (table_.shard.has(point) && table_.status[point] == PointStatus::not_run) return point;
    }
    return std::nullopt;
  }

 private:
  const SweepTable& table_;
  std::vector<std::size_t> order_;
  std::uint64_t at_ = 0;
};

/// A grid that computes the same numbers again and again is a mistake of the sweep more often than not.
void note_idle_axes(const PointRunner& runner, const Notes& notes) {
  for (const SweepAxis* axis : runner.idle_axes()) {
    notes.note(
        fmt::format("{}: axis \"{}\" changes nothing: the base overrides or never reads {} (a stage's own batch, context or prompt "
                    "goes before the common one)",
                    axis->keys.front().where.text(), axis->name, axis->keys.size() == 1 ? "its key" : "its keys"));
  }
}

/// The points to run, and how long they would take if all took as long as three of them.
int dry_run(const SweepTable& table, PointRunner& runner, unsigned threads) {
  constexpr std::size_t kPiece = 1 << 16;
  std::vector<std::size_t> as_written(table.spec.axes.size());
  std::iota(as_written.begin(), as_written.end(), std::size_t{0});
  ToDo todo(table, std::move(as_written));
  const std::uint64_t points = todo.count(), tried = std::min<std::uint64_t>(3, points);
  std::vector<std::uint64_t> chosen;
  std::string text;
  std::uint64_t number = 0;
  for (auto point = todo.next(); point; point = todo.next(), ++number) {
    text += fmt::format("{}{}\n", *point, point_text(table.spec, *point));
    if (text.size() > kPiece) print_out(std::exchange(text, ""));
    if (number == chosen.size() * (points - 1) / std::max<std::uint64_t>(tried - 1, 1)) chosen.push_back(*point);
  }
  text += fmt::format("{} of {} points", points, table.status.size());
  if (table.count(PointStatus::left_out) > 0) text += fmt::format(", {} left out by where", table.count(PointStatus::left_out));
  if (!chosen.empty()) {
    double seconds = 0;
    std::size_t failed = 0;
    for (const std::uint64_t point : chosen) {
      const auto start = std::chrono::steady_clock::now();
      failed += runner.run(point).status == PointStatus::failed ? 1 : 0;
      seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    }
    const double all = seconds / static_cast<double>(tried) * static_cast<double>(points) / threads;
    text += fmt::format("; about {} on {} threads (from {} points that were tried{})", duration_text(all), threads, tried,
                        failed > 0 ? fmt::format(", of which {} failed", failed) : "");
  }
  print_out(text + "\n");
  return kDone;
}

/// `read` gives the record of a point.
int report_end(const SweepTable& table, const Notes& notes, const std::function<PointRecord(std::uint64_t)>& read) {
  const std::uint64_t failed = table.count(PointStatus::failed);
  if (failed == 0) return kDone;
  const auto first = std::find(table.status.begin(), table.status.end(), PointStatus::failed) - table.status.begin();
  notes.note(fmt::format("{} of {} points failed; the first: {}", failed, failed + table.count(PointStatus::done),
                         read(static_cast<std::uint64_t>(first)).message));
  return kPointsFailed;
}

/// What a finished file of the same shard already holds; nothing when there is no such file.
std::optional<SweepFile> take_finished(const std::string& output, SweepTable& table) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(output, error)) return std::nullopt;
  SweepTable there;
  SweepFile file(output, there, true);
  if (there.identity != table.identity || there.shard.index != table.shard.index || there.shard.count != table.shard.count) {
    throw UserError(fmt::format("\"{}\" holds another sweep or another shard; remove it, or choose another output", output));
  }
  table.status = std::move(there.status);
  return file;
}

PointRecord read_point(const SweepFile& file, const SweepTable& table, std::uint64_t point) {
  const SweepBlocks blocks = table.blocks();
  std::uint64_t number = 0;
  SweepBlock block = blocks.block(0);
  while (point >= block.first + block.points) block = blocks.block(++number);
  return file.read(block, point_ids(table, block), true)[point - block.first];
}

/// Runs what the journal lacks; returns how many points are left because of a signal.
std::uint64_t run_rest(SweepTable& table, SweepJournal& journal, PointRunner& runner, unsigned threads, const StopSignals& signals,
                       bool quiet) {
  ToDo todo(table, run_order(table.spec));
  std::uint64_t left = todo.count();
  Progress progress(left, "points", quiet);
  const auto keep = [&](std::uint64_t point, PointRecord&& record) {
    journal.add(point, record);
    progress.piece(record.status == PointStatus::failed);
    --left;
  };
  run_points([&] { return todo.next(); }, threads, [&](std::uint64_t point) { return runner.run(point); }, keep,
             [&] { return signals.stop() != 0; });
  return left;
}

/// The records of a block from the journal.
std::vector<PointRecord> read_block(const SweepTable& table, const SweepJournal& journal, const SweepBlock& block) {
  std::vector<PointRecord> records(block.points);
  for (std::uint64_t i = 0; i < block.points; ++i) {
    const PointStatus status = table.status[block.first + i];
    if (status == PointStatus::done || status == PointStatus::failed) records[i] = journal.read(block.first + i);
  }
  return records;
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
  PointRunner runner(table.spec, paths, std::size_t{2} * threads + 2, options.value("reuse").value_or("on") == "on");
  table.identity = sha1(runner.identity_text());
  table.status.resize(table.spec.points());
  for (std::uint64_t i = 0; i < table.status.size(); ++i) {
    if (!where.takes(i)) table.status[i] = PointStatus::left_out;
  }
  const Notes notes(options.quiet);
  note_idle_axes(runner, notes);
  if (dry) return dry_run(table, runner, threads);

  check_writable(*output);
  const StopSignals signals;  // Before the first thread.
  const bool resume = options.value("resume").has_value();
  if (resume) {
    if (const std::optional<SweepFile> there = take_finished(*output, table)) {
      // Killed after its last step but one.
      if (std::filesystem::exists(*output + ".part")) SweepJournal(*output, table, resume).remove();
      notes.note(fmt::format("\"{}\" is complete already", *output));
      return report_end(table, notes, [&](std::uint64_t point) { return read_point(*there, table, point); });
    }
  }
  SweepJournal journal(*output, table, resume);
  if (const std::uint64_t left = run_rest(table, journal, runner, threads, signals, options.quiet); left > 0) {
    journal.sync();
    notes.note(fmt::format("stopped with {} points left; the others are in \"{}\", and --resume goes on", left, journal.path()));
    return signals.stop() == SIGINT ? kInterrupted : kTryAgain;
  }
  write_sweep_h5(*output, table, journal.names(), [&](const SweepBlock& block) { return read_block(table, journal, block); });
  journal.remove();
  notes.note("wrote " + *output);
  return report_end(table, notes, [&](std::uint64_t point) { return journal.read(point); });
}

}  // namespace rooftrace
