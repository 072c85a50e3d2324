#include "sim/app/sweep_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <sstream>
#include <stdexcept>

#include "sim/app/report_hdf5_read.hpp"
#include "sim/app/report_hdf5_sweep.hpp"
#include "sim/core/error.hpp"

namespace rooftrace {
namespace {

using Shape = std::vector<std::uint64_t>;

SweepShard read_shard(const std::string& text) {
  SweepShard shard;
  char slash = 0;
  std::istringstream words(text);
  if (!(words >> shard.index >> slash >> shard.count) || slash != '/' || shard.count == 0) return {};
  return shard;
}

[[noreturn]] void fail_points(const std::string& path) {
  throw UserError(fmt::format("\"{}\": its points are not those of its sweep", path));
}

/// A shape with more dimensions behind the axes.
Shape behind(Shape axes, std::initializer_list<std::uint64_t> more) {
  axes.insert(axes.end(), more);
  return axes;
}

/// Every variable over the points as long as the sweep is, so that any block of it can be read.
bool fits(const h5::Reader& file, const SweepTable& table, std::size_t stages) {
  const Shape extent = table.blocks().extent();
  for (const char* name : {"status", "point_id", "message_id"}) {
    if (file.shape(name) != extent) return false;
  }
  if (stages == 0) return true;
  const Shape with_stage = behind(extent, {stages});
  for (const SweepColumn& column : kSweepColumns) {
    if (file.shape(column.name) != with_stage) return false;
  }
  return file.shape("binding") == with_stage && file.shape("q") == behind(with_stage, {kLevels, kTensorRoles});
}

}  // namespace

SweepFile::SweepFile(std::string path, SweepTable& table, bool statuses) : path_(std::move(path)) {
  const h5::Reader file(path_);
  const auto text = [&](const char* attribute) {
    try {
      return file.text("/", attribute);
    } catch (const std::runtime_error&) {
      throw UserError(fmt::format("\"{}\" is not the file of a sweep: it has no attribute \"{}\"", path_, attribute));
    }
  };
  if (const std::string schema = text("schema"); schema != kSweepSchema) {
    throw UserError(fmt::format("\"{}\" is not the file of a sweep: its schema is {}, not {}", path_, quoted_word(schema), kSweepSchema));
  }
  std::vector<std::string> more;
  std::istringstream lines(text("more_where"));
  for (std::string line; std::getline(lines, line);) more.push_back(line);
  table.spec = parse_sweep(ConfigDocument::parse(text("sweep"), path_), "", more);
  table.identity = text("identity");
  table.version = text("version");
  table.commit = text("commit");
  table.shard = read_shard(text("shard"));
  messages_ = file.strings("message");
  const std::vector<std::string> members = file.members("/");
  if (std::find(members.begin(), members.end(), "stage") != members.end()) stages_ = file.strings("stage");
  if (!fits(file, table, stages_.size())) fail_points(path_);
  table.status.assign(table.spec.points(), PointStatus::not_run);
  if (!statuses) return;
  const SweepBlocks blocks = table.blocks();
  for (std::uint64_t b = 0; b < blocks.size(); ++b) {
    const SweepBlock block = blocks.block(b);
    const auto status = file.part<std::uint8_t>("status", block.start, block.count);
    for (std::uint64_t i = 0; i < block.points; ++i) {
      if (status[i] >= kPointStatuses) fail_points(path_);
      table.status[block.first + i] = static_cast<PointStatus>(status[i]);
    }
  }
}

std::vector<PointRecord> SweepFile::read(const SweepBlock& block, const std::vector<std::uint64_t>& ids, bool headers) const {
  const h5::Reader file(path_);
  const auto status = file.part<std::uint8_t>("status", block.start, block.count);
  const auto found = file.part<std::uint64_t>("point_id", block.start, block.count);
  const auto message_ids = file.part<std::uint32_t>("message_id", block.start, block.count);
  std::vector<PointRecord> records(block.points);
  for (std::uint64_t i = 0; i < block.points; ++i) {
    if (status[i] >= kPointStatuses || message_ids[i] >= messages_.size() || found[i] != ids[i]) fail_points(path_);
    records[i].status = static_cast<PointStatus>(status[i]);
    records[i].message = messages_[message_ids[i]];
  }
  if (stages_.empty()) return records;
  const Shape start = behind(block.start, {0}), count = behind(block.count, {stages_.size()});
  constexpr std::size_t kBound = 2;
  const auto bounds = file.part<double>(kSweepColumns[kBound].name, start, count);
  std::vector<std::vector<double>> columns;
  std::vector<std::uint8_t> bindings;
  std::vector<double> q;
  if (!headers) {
    for (const SweepColumn& column : kSweepColumns) columns.push_back(file.part<double>(column.name, start, count));
    bindings = file.part<std::uint8_t>("binding", start, count);
    q = file.part<double>("q", behind(start, {0, 0}), behind(count, {kLevels, kTensorRoles}));
  }
  for (std::size_t i = 0; i < records.size(); ++i) {
    for (std::size_t s = 0; s < stages_.size(); ++s) {
      const std::size_t cell = i * stages_.size() + s;
      if (std::isnan(bounds[cell])) continue;  // Every stage that was run has a bound.
      StageNumbers& stage = records[i].stages.emplace_back();
      stage.stage = stages_[s];
      if (headers) continue;
      stage.binding = bindings[cell];
      for (std::size_t c = 0; c < columns.size(); ++c) stage.columns[c] = columns[c][cell];
      std::copy_n(q.begin() + static_cast<std::ptrdiff_t>(cell * kSweepBytes), kSweepBytes, stage.q.begin());
    }
  }
  return records;
}

std::vector<std::uint64_t> point_ids(const SweepTable& table, const SweepBlock& block) {
  std::vector<std::uint64_t> ids;
  ids.reserve(block.points);
  for (std::uint64_t i = 0; i < block.points; ++i) ids.push_back(point_id(table, block.first + i));
  return ids;
}

}  // namespace rooftrace
