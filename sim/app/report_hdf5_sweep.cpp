#include "sim/app/report_hdf5_sweep.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <sstream>

#include "analysis/roofline.hpp"
#include "sim/app/report_hdf5_file.hpp"
#include "sim/app/report_hdf5_read.hpp"
#include "sim/app/report_hdf5_stage.hpp"
#include "sim/core/error.hpp"

namespace rooftrace {
namespace {

constexpr const char* kSchema = "rooftrace-sweep/1";
constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();
using Names = std::vector<std::string>;

std::vector<std::int64_t> whole_numbers(const SweepKey& key) {
  return {key.numbers.begin(), key.numbers.end()};
}

/// Numbers or texts of a key along an axis that is there already.
void write_key(h5::Group& root, const std::string& axis, const SweepKey& key) {
  if (!key.numeric) {
    root.texts(key.name, axis, key.labels, key.key);
  } else if (key.whole) {
    root.variable(key.name, {axis}, whole_numbers(key), {key.units, key.key});
  } else {
    root.variable(key.name, {axis}, key.numbers, {key.units, key.key});
  }
}

void write_axes(h5::Group& root, const SweepSpec& spec) {
  std::string beside;
  for (const SweepAxis& axis : spec.axes) {
    const SweepKey& first = axis.keys.front();
    if (spec.sampled) {
      root.coordinate(axis.name, axis.size(), "point of the sample");
    } else if (!first.numeric) {
      root.coordinate(axis.name, first.labels, first.key);
    } else if (first.whole) {
      root.coordinate(axis.name, whole_numbers(first), {first.units, first.key});
    } else {
      root.coordinate(axis.name, first.numbers, {first.units, first.key});
    }
    for (const SweepKey& key : axis.keys) {
      if (&key == &first && !spec.sampled) continue;
      write_key(root, axis.name, key);
      beside += (beside.empty() ? "" : " ") + key.name;
    }
  }
  if (!beside.empty()) root.attribute("coordinates", beside);
}

/// Every stage of any point, in order of first appearance.
Names stage_names(const std::vector<PointRecord>& points) {
  Names names;
  for (const PointRecord& record : points) {
    for (const StageNumbers& stage : record.stages) {
      if (std::find(names.begin(), names.end(), stage.stage) == names.end()) names.push_back(stage.stage);
    }
  }
  return names;
}

void write_status(h5::Group& root, const SweepTable& table, const Names& over) {
  std::vector<std::uint8_t> status;
  std::vector<std::uint64_t> ids;
  std::vector<std::uint32_t> message_ids;
  Names messages = {""};
  std::map<std::string, std::uint32_t> known = {{"", 0}};
  for (std::uint64_t i = 0; i < table.points.size(); ++i) {
    const PointRecord& record = table.points[i];
    status.push_back(static_cast<std::uint8_t>(record.status));
    ids.push_back(point_id(table, i));
    const auto [entry, fresh] = known.emplace(record.message, static_cast<std::uint32_t>(messages.size()));
    if (fresh) messages.push_back(record.message);
    message_ids.push_back(entry->second);
  }
  root.coordinate("message", messages, "why points failed; the first is no message");
  root.flags("status", over, status, h5::enum_names<PointStatus>(kPointStatuses), "what became of the point");
  root.variable("point_id", over, ids, {"", "hash of the point and its sweep"});
  root.variable("message_id", over, message_ids, {"", "index into the dimension message"});
}

/// Values over points and stages, `width` per stage.
template <typename T, typename Get>
std::vector<T> over_stages(const SweepTable& table, const Names& stages, std::size_t width, T missing, Get get) {
  std::vector<T> values(table.points.size() * stages.size() * width, missing);
  for (std::size_t i = 0; i < table.points.size(); ++i) {
    for (const StageNumbers& stage : table.points[i].stages) {
      const auto at = static_cast<std::size_t>(std::find(stages.begin(), stages.end(), stage.stage) - stages.begin());
      get(stage, values.data() + (i * stages.size() + at) * width);
    }
  }
  return values;
}

void write_numbers(h5::Group& root, const SweepTable& table, Names over) {
  const Names stages = stage_names(table.points);
  if (stages.empty()) return;  // No point was run: no dimension of length 0, netCDF would call it unlimited.
  root.coordinate("stage", stages, "stage of the model");
  root.coordinate("level", h5::enum_names<LevelId>(kLevels), "level of the memory hierarchy");
  root.coordinate("role", h5::enum_names<TensorRole>(kTensorRoles), "role of the tensor that the bytes belong to");
  over.emplace_back("stage");
  for (std::size_t c = 0; c < kSweepColumns.size(); ++c) {
    root.variable(kSweepColumns[c].name, over,
                  over_stages<double>(table, stages, 1, kMissing, [c](const StageNumbers& s, double* out) { *out = s.columns[c]; }),
                  {kSweepColumns[c].units, kSweepColumns[c].long_name});
  }
  Names words = h5::enum_names<Resource>(kResources);
  words.emplace_back("none");
  root.flags("binding", over,
             over_stages<std::uint8_t>(table, stages, 1, kResources, [](const StageNumbers& s, std::uint8_t* out) { *out = s.binding; }),
             words, "pipe or level that the stage's total demand keeps busy the longest");
  over.emplace_back("level");
  over.emplace_back("role");
  root.variable("q", over,
                over_stages<double>(table, stages, kSweepBytes, kMissing,
                                    [](const StageNumbers& s, double* out) { std::copy(s.q.begin(), s.q.end(), out); }),
                {"byte", "Q: bytes that crossed the boundary of the level, both directions"});
}

void read_numbers(const h5::Reader& file, std::vector<PointRecord>& points) {
  const Names stages = file.strings("stage");
  std::vector<std::vector<double>> columns;
  for (const SweepColumn& column : kSweepColumns) columns.push_back(file.values<double>(column.name));
  const auto bindings = file.values<std::uint8_t>("binding");
  const auto q = file.values<double>("q");
  for (std::size_t i = 0; i < points.size(); ++i) {
    for (std::size_t s = 0; s < stages.size(); ++s) {
      const std::size_t cell = i * stages.size() + s;
      if (std::isnan(columns[2][cell])) continue;  // Every stage that was run has a bound.
      StageNumbers& stage = points[i].stages.emplace_back();
      stage.stage = stages[s];
      stage.binding = bindings[cell];
      for (std::size_t c = 0; c < columns.size(); ++c) stage.columns[c] = columns[c][cell];
      std::copy_n(q.begin() + static_cast<std::ptrdiff_t>(cell * kSweepBytes), kSweepBytes, stage.q.begin());
    }
  }
}

SweepShard read_shard(const std::string& text) {
  SweepShard shard;
  char slash = 0;
  std::istringstream words(text);
  if (!(words >> shard.index >> slash >> shard.count) || slash != '/' || shard.count == 0) return {};
  return shard;
}

}  // namespace

std::string sweep_h5(const SweepTable& table) {
  return h5::build_file([&](h5::Group& root) {
    root.attribute("Conventions", "CF-1.8");
    root.attribute("title", table.spec.title);
    root.attribute("source", fmt::format("rooftrace {} ({})", table.version, table.commit));
    root.attribute("schema", kSchema);
    root.attribute("version", table.version);
    root.attribute("commit", table.commit);
    root.attribute("sweep", table.spec.text);
    root.attribute("more_where", fmt::format("{}", fmt::join(table.spec.more_where, "\n")));
    root.attribute("identity", table.identity);
    root.attribute("shard", fmt::format("{}/{}", table.shard.index, table.shard.count));  // "0/1": all of it
    write_axes(root, table.spec);
    Names over;
    for (const SweepAxis& axis : table.spec.axes) over.push_back(axis.name);
    write_status(root, table, over);
    write_numbers(root, table, over);
  });
}

SweepTable read_sweep_h5(const std::string& path) {
  const h5::Reader file(path);
  SweepTable table;
  const auto text = [&](const char* attribute) {
    try {
      return file.text("/", attribute);
    } catch (const std::runtime_error&) {
      throw UserError(fmt::format("\"{}\" is not the file of a sweep: it has no attribute \"{}\"", path, attribute));
    }
  };
  if (const std::string schema = text("schema"); schema != kSchema) {
    throw UserError(fmt::format("\"{}\" is not the file of a sweep: its schema is {}, not {}", path, quoted_word(schema), kSchema));
  }
  std::vector<std::string> more;
  std::istringstream lines(text("more_where"));
  for (std::string line; std::getline(lines, line);) more.push_back(line);
  table.spec = parse_sweep(ConfigDocument::parse(text("sweep"), path), "", more);
  table.identity = text("identity");
  table.version = text("version");
  table.commit = text("commit");
  table.shard = read_shard(text("shard"));
  const auto status = file.values<std::uint8_t>("status");
  const auto ids = file.values<std::uint64_t>("point_id");
  const auto message_ids = file.values<std::uint32_t>("message_id");
  const Names messages = file.strings("message");
  table.points.resize(table.spec.points());
  bool sound = status.size() == table.points.size() && ids.size() == status.size() && message_ids.size() == status.size();
  for (std::uint64_t i = 0; sound && i < status.size(); ++i) {
    sound = status[i] < kPointStatuses && message_ids[i] < messages.size() && ids[i] == point_id(table, i);
    if (!sound) break;
    table.points[i].status = static_cast<PointStatus>(status[i]);
    table.points[i].message = messages[message_ids[i]];
  }
  if (!sound) throw UserError(fmt::format("\"{}\": its points are not those of its sweep", path));
  const Names members = file.members("/");
  if (std::find(members.begin(), members.end(), "stage") != members.end()) read_numbers(file, table.points);
  return table;
}

}  // namespace rooftrace
