// rooftrace merge: the shards of a sweep, put together and checked.
#include <fmt/format.h>

#include <set>
#include <utility>
#include <vector>

#include "sim/app/atomic_file.hpp"
#include "sim/app/commands.hpp"
#include "sim/app/console.hpp"
#include "sim/app/report_hdf5_sweep.hpp"
#include "sim/app/sweep_file.hpp"
#include "sim/app/sweep_journal.hpp"
#include "sim/core/error.hpp"

namespace rooftrace {
namespace {

/// Files of one sweep.
struct Shards {
  SweepTable table;  ///< Of the whole sweep: which points are there.
  SweepNames names;
  std::vector<SweepFile> files;
  std::set<std::uint32_t> counts;  ///< Into how many shards the sweep was cut.
};

Shards open_shards(const std::vector<std::string>& paths) {
  Shards shards;
  for (const std::string& path : paths) {
    SweepTable other;
    SweepTable& table = shards.files.empty() ? shards.table : other;
    shards.files.emplace_back(path, table, false);
    shards.counts.insert(table.shard.count);
    if (table.identity == shards.table.identity) continue;
    throw UserError(fmt::format("\"{}\" and \"{}\" are not of the same sweep, files and version; nothing is merged", paths.front(), path));
  }
  return shards;
}

/// Which points there are, and the names that they use.
void look_through(Shards& shards) {
  const SweepBlocks blocks = shards.table.blocks();
  for (std::uint64_t b = 0; b < blocks.size(); ++b) {
    const SweepBlock block = blocks.block(b);
    const std::vector<std::uint64_t> ids = point_ids(shards.table, block);
    for (const SweepFile& file : shards.files) {
      const std::vector<PointRecord> records = file.read(block, ids, true);
      for (std::uint64_t i = 0; i < block.points; ++i) {
        PointStatus& status = shards.table.status[block.first + i];
        if (records[i].status == PointStatus::not_run || status != PointStatus::not_run) continue;
        status = records[i].status;
        shards.names.note(block.first + i, records[i]);
      }
    }
  }
}

/// The same point in two files is fine as long as both say the same.
std::vector<PointRecord> join(const Shards& shards, const SweepBlock& block) {
  std::vector<PointRecord> records(block.points);
  const std::vector<std::uint64_t> ids = point_ids(shards.table, block);
  for (const SweepFile& file : shards.files) {
    std::vector<PointRecord> others = file.read(block, ids);
    for (std::uint64_t i = 0; i < block.points; ++i) {
      PointRecord& mine = records[i];
      PointRecord& theirs = others[i];
      if (theirs.status == PointStatus::not_run) continue;
      if (mine.status == PointStatus::not_run) {
        mine = std::move(theirs);
      } else if (record_text(mine) != record_text(theirs)) {
        throw UserError(
            fmt::format("\"{}\" gives point {} other numbers than a file before it; nothing is merged", file.path(), block.first + i));
      }
    }
  }
  return records;
}

std::string missing_text(const Shards& shards) {
  const std::vector<PointStatus>& status = shards.table.status;
  std::vector<std::uint64_t> numbers;  // Of points, or of the shards that have them.
  std::set<std::uint64_t> indices;
  const bool alike = shards.counts.size() == 1;
  const std::uint32_t count = *shards.counts.begin();
  for (std::uint64_t i = 0; i < status.size(); ++i) {
    if (status[i] != PointStatus::not_run) continue;
    if (alike) {
      indices.insert(i % count);
    } else {
      numbers.push_back(i);
    }
  }
  numbers.insert(numbers.end(), indices.begin(), indices.end());
  const std::string text = fmt::format("{} of {} points are missing", shards.table.count(PointStatus::not_run), status.size());
  const std::string list = array_expression(numbers);
  if (!alike) return text + ": " + list;
  return text + fmt::format(": shards {} of {}; run them again, as in --array={}", list, count, list);
}

}  // namespace

int command_merge(const Options& options) {
  const auto output = options.value("output");
  if (options.arguments.empty()) throw UserError("which shards? Give their files, as in \"rooftrace merge shards/*.h5 -o sweep.h5\"");
  if (!output) throw UserError("--output: where should the result go? Add -o sweep.h5");
  check_writable(*output);
  Shards shards = open_shards(options.arguments);
  look_through(shards);
  SweepTable& table = shards.table;
  if (table.count(PointStatus::not_run) > 0) {
    print_error(missing_text(shards));
    return kPointsMissing;
  }
  table.shard = {};
  write_sweep_h5(*output, table, shards.names, [&](const SweepBlock& block) { return join(shards, block); });
  const Notes notes(options.quiet);
  const std::uint64_t failed = table.count(PointStatus::failed);
  notes.note(fmt::format("wrote {}: {} points done, {} failed, {} left out", *output, table.count(PointStatus::done), failed,
                         table.count(PointStatus::left_out)));
  return failed > 0 ? kPointsFailed : kDone;
}

}  // namespace rooftrace
