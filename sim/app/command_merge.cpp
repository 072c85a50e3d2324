// rooftrace merge: the shards of a sweep, put together and checked.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "sim/app/atomic_file.hpp"
#include "sim/app/commands.hpp"
#include "sim/app/console.hpp"
#include "sim/app/report_hdf5_sweep.hpp"
#include "sim/app/sweep_journal.hpp"
#include "sim/core/error.hpp"

namespace rooftrace {
namespace {

/// Takes over what `table` lacks. The same point in two files is fine as long as both say the same.
void add(SweepTable& table, SweepTable&& other, const std::string& first, const std::string& path) {
  if (other.identity != table.identity) {
    throw UserError(fmt::format("\"{}\" and \"{}\" are not of the same sweep, files and version; nothing is merged", first, path));
  }
  for (std::size_t i = 0; i < table.points.size(); ++i) {
    PointRecord& mine = table.points[i];
    PointRecord& theirs = other.points[i];
    if (theirs.status == PointStatus::not_run) continue;
    if (mine.status == PointStatus::not_run) {
      mine = std::move(theirs);
    } else if (record_text(mine) != record_text(theirs)) {
      throw UserError(fmt::format("\"{}\" gives point {} other numbers than a file before it; nothing is merged", path, i));
    }
  }
}

std::string missing_text(const SweepTable& table, const std::vector<std::uint64_t>& missing, const std::set<std::uint32_t>& counts) {
  std::string text = fmt::format("{} of {} points are missing", missing.size(), table.points.size());
  if (counts.size() != 1) return text + ": " + array_expression(missing);
  const std::uint32_t count = *counts.begin();
  std::set<std::uint64_t> shards;
  for (const std::uint64_t point : missing) shards.insert(point % count);
  const std::string list = array_expression({shards.begin(), shards.end()});
  return text + fmt::format(": shards {} of {}; run them again, as in --array={}", list, count, list);
}

}  // namespace

int command_merge(const Options& options) {
  const auto output = options.value("output");
  if (options.arguments.empty()) throw UserError("which shards? Give their files, as in \"rooftrace merge shards/*.h5 -o sweep.h5\"");
  if (!output) throw UserError("--output: where should the result go? Add -o sweep.h5");
  check_writable(*output);
  const std::string& first = options.arguments.front();
  SweepTable table = read_sweep_h5(first);
  std::set<std::uint32_t> counts = {table.shard.count};
  for (std::size_t i = 1; i < options.arguments.size(); ++i) {
    SweepTable other = read_sweep_h5(options.arguments[i]);
    counts.insert(other.shard.count);
    add(table, std::move(other), first, options.arguments[i]);
  }
  std::vector<std::uint64_t> missing;
  for (std::uint64_t i = 0; i < table.points.size(); ++i) {
    if (table.points[i].status == PointStatus::not_run) missing.push_back(i);
  }
  if (!missing.empty()) {
    print_error(missing_text(table, missing, counts));
    return kPointsMissing;
  }
  table.shard = {};
  write_file_atomically(*output, sweep_h5(table));
  const Notes notes(options.quiet);
  const std::uint64_t failed = table.count(PointStatus::failed);
  notes.note(fmt::format("wrote {}: {} points done, {} failed, {} left out", *output, table.count(PointStatus::done), failed,
                         table.count(PointStatus::left_out)));
  return failed > 0 ? kPointsFailed : kDone;
}

}  // namespace rooftrace
