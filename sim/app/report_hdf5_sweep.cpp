#include "sim/app/report_hdf5_sweep.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <stdexcept>

#include "analysis/roofline.hpp"
#include "sim/app/report_hdf5_disk.hpp"
#include "sim/app/report_hdf5_stage.hpp"

namespace rooftrace {
namespace {

constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();
using Names = std::vector<std::string>;

std::vector<std::int64_t> whole_numbers(const SweepKey& key) {
  return {key.numbers.begin(), key.numbers.end()};
}

/// Numbers or texts of a key along an axis that is there already.
void write_key(h5::Group& root, const std::string& axis, const SweepKey& key) {
  if (!key.numeric) {
    root.texts(key.name, axis, key.labels.all(), key.key);
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
      root.coordinate(axis.name, first.labels.all(), first.key);
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

/// The variables over the points, open until the last block is there.
class PointVariables {
 public:
  PointVariables(h5::Group& root, const SweepTable& table, const SweepNames& names, const SweepBlocks& blocks)
      : table_(table), stages_(names.stages()) {
    Names over;
    for (const SweepAxis& axis : table.spec.axes) over.push_back(axis.name);
    std::vector<std::uint64_t> chunk = blocks.chunk();
    const Names messages = names.messages();
    for (std::uint32_t i = 0; i < messages.size(); ++i) message_ids_.emplace(messages[i], i);
    root.coordinate("message", messages, "why points failed; the first is no message");
    status_.push_back(root.flag_slabs("status", over, chunk, h5::enum_names<PointStatus>(kPointStatuses), "what became of the point"));
    status_.push_back(root.slabs("point_id", over, h5::Element::u64, chunk, {"", "hash of the point and its sweep"}));
    status_.push_back(root.slabs("message_id", over, h5::Element::u32, chunk, {"", "index into the dimension message"}));
    if (stages_.empty()) return;  // No point was run: no dimension of length 0, netCDF would call it unlimited.
    root.coordinate("stage", stages_, "stage of the model");
    root.coordinate("level", h5::enum_names<LevelId>(kLevels), "level of the memory hierarchy");
    root.coordinate("role", h5::enum_names<TensorRole>(kTensorRoles), "role of the tensor that the bytes belong to");
    over.emplace_back("stage");
    chunk.push_back(stages_.size());
    for (const SweepColumn& column : kSweepColumns) {
      columns_.push_back(root.slabs(column.name, over, h5::Element::f64, chunk, {column.units, column.long_name}));
    }
    Names words = h5::enum_names<Resource>(kResources);
    words.emplace_back("none");
    binding_.push_back(
        root.flag_slabs("binding", over, chunk, words, "pipe or level that the stage's total demand keeps busy the longest"));
    over.emplace_back("level");
    over.emplace_back("role");
    chunk.push_back(kLevels);
    chunk.push_back(kTensorRoles);
    q_.push_back(
        root.slabs("q", over, h5::Element::f64, chunk, {"byte", "Q: bytes that crossed the boundary of the level, both directions"}));
  }

  void write(const SweepBlock& block, const std::vector<PointRecord>& records) {
    std::vector<std::uint8_t> status;
    std::vector<std::uint64_t> ids;
    std::vector<std::uint32_t> messages;
    for (std::uint64_t i = 0; i < block.points; ++i) {
      status.push_back(static_cast<std::uint8_t>(table_.status[block.first + i]));
      ids.push_back(point_id(table_, block.first + i));
      messages.push_back(message_ids_.at(records[i].message));
    }
    status_[0].write(block.start, block.count, status);
    status_[1].write(block.start, block.count, ids);
    status_[2].write(block.start, block.count, messages);
    if (!stages_.empty()) write_numbers(block, records);
  }

 private:
  /// Values over the block's points and stages, `width` per stage.
  template <typename T, typename Get>
  std::vector<T> over_stages(const std::vector<PointRecord>& records, std::size_t width, T missing, Get get) const {
    std::vector<T> values(records.size() * stages_.size() * width, missing);
    for (std::size_t i = 0; i < records.size(); ++i) {
      for (const StageNumbers& stage : records[i].stages) {
        const auto at = static_cast<std::size_t>(std::find(stages_.begin(), stages_.end(), stage.stage) - stages_.begin());
        if (at == stages_.size()) throw std::logic_error("a stage that was not noted");
        get(stage, values.data() + (i * stages_.size() + at) * width);
      }
    }
    return values;
  }

  void write_numbers(const SweepBlock& block, const std::vector<PointRecord>& records) {
    std::vector<std::uint64_t> start = block.start, count = block.count;
    start.push_back(0);
    count.push_back(stages_.size());
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      columns_[c].write(start, count,
                        over_stages<double>(records, 1, kMissing, [c](const StageNumbers& s, double* out) { *out = s.columns[c]; }));
    }
    binding_[0].write(start, count, over_stages<std::uint8_t>(records, 1, kResources, [](const StageNumbers& s, std::uint8_t* out) {
                        *out = s.binding;
                      }));
    start.insert(start.end(), {0, 0});
    count.insert(count.end(), {kLevels, kTensorRoles});
    q_[0].write(start, count, over_stages<double>(records, kSweepBytes, kMissing, [](const StageNumbers& s, double* out) {
                  std::copy(s.q.begin(), s.q.end(), out);
                }));
  }

  const SweepTable& table_;
  Names stages_;
  std::map<std::string, std::uint32_t> message_ids_;
  std::vector<h5::Slabs> status_;  ///< And point_id and message_id.
  std::vector<h5::Slabs> columns_, binding_, q_;
};

}  // namespace

void write_sweep_h5(const std::string& path, const SweepTable& table, const SweepNames& names, const BlockSource& source) {
  const SweepBlocks blocks = table.blocks();
  h5::write_file(path, [&](h5::Group& root) {
    root.attribute("Conventions", "CF-1.8");
    root.attribute("title", table.spec.title);
    root.attribute("source", fmt::format("rooftrace {} ({})", table.version, table.commit));
    root.attribute("schema", kSweepSchema);
    root.attribute("version", table.version);
    root.attribute("commit", table.commit);
    root.attribute("sweep", table.spec.text);
    root.attribute("more_where", fmt::format("{}", fmt::join(table.spec.more_where, "\n")));
    root.attribute("identity", table.identity);
    root.attribute("shard", fmt::format("{}/{}", table.shard.index, table.shard.count));  // "0/1": all of it
    write_axes(root, table.spec);
    PointVariables points(root, table, names, blocks);
    for (std::uint64_t b = 0; b < blocks.size(); ++b) {
      const SweepBlock block = blocks.block(b);
      points.write(block, source(block));
    }
  });
}

}  // namespace rooftrace
