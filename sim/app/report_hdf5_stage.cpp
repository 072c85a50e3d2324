// The variables of a stage, table by table. The order of the calls is the order in the file and in analysis/README.md.
#include "sim/app/report_hdf5_stage.hpp"

#include <array>
#include <cstring>
#include <limits>
#include <map>
#include <optional>
#include <span>

#include "analysis/summary.hpp"

namespace rooftrace::h5 {
namespace {

constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t kCells = sizeof(ByteCounts) / sizeof(std::uint64_t);
static_assert(kCells == std::size_t{kLevels} * kTensorRoles * kDirections * kCauses, "ByteCounts is the plain array that is stored");

using Names = std::vector<std::string>;
using Kernels = std::vector<KernelRecord>;

/// One value per row, in the order of the rows.
template <typename Rows, typename Value>
auto column(const Rows& rows, Value value) {
  std::vector<decltype(value(*rows.begin()))> result;
  result.reserve(rows.size());
  for (const auto& row : rows) result.push_back(value(row));
  return result;
}

/// `width` values per row.
template <typename T, typename Rows, typename Values>
std::vector<T> table(const Rows& rows, std::size_t width, Values values) {
  std::vector<T> result(rows.size() * width);
  std::size_t i = 0;
  for (const auto& row : rows) values(row, std::span<T>(result).subspan(width * i++, width));
  return result;
}

std::vector<std::uint64_t> byte_table(const Kernels& kernels, ByteCounts KernelRecord::*counts) {
  return table<std::uint64_t>(kernels, kCells, [&](const KernelRecord& kernel, std::span<std::uint64_t> cells) {
    std::memcpy(cells.data(), (kernel.*counts).bytes.data(), kCells * sizeof(std::uint64_t));
  });
}

void copy_bytes(const Demand& demand, std::span<std::uint64_t> cells) {
  std::size_t i = 0;
  for (const auto& level : demand.bytes) {
    for (const std::uint64_t bytes : level) cells[i++] = bytes;
  }
}

/// Resource as a flag: its value, or one past the last where there is none.
std::uint8_t binding_flag(const std::optional<Resource>& binding) {
  return static_cast<std::uint8_t>(binding ? static_cast<int>(*binding) : kResources);
}
Names binding_words(const char* otherwise) {
  Names words = enum_names<Resource>(kResources);
  words.emplace_back(otherwise);
  return words;
}

double ratio(std::optional<double> value) {
  return value.value_or(kMissing);
}

void write_dimensions(Group& group, const Kernels& kernels) {
  group.coordinate("kernel", kernels.size(), "kernel, in order of issue");
  group.coordinate("level", enum_names<LevelId>(kLevels), "level of the memory hierarchy");
  group.coordinate("role", enum_names<TensorRole>(kTensorRoles), "role of the tensor that the bytes belong to");
  group.coordinate("direction", enum_names<Direction>(kDirections), "direction seen from the GPU: read is towards the SMs");
  group.coordinate("cause", enum_names<Cause>(kCauses), "why the bytes moved");
  group.coordinate("pipe", enum_names<Pipe>(kPipes), "pipe that does work");
  group.coordinate("class", enum_names<KernelClass>(kKernelClasses), "kernel class");
}

/// Kernels share few labels: a table of the distinct ones, in order of first appearance, and an index into it.
void write_labels(Group& group, const Kernels& kernels) {
  std::map<std::string, std::int32_t> known;
  Names labels;
  const auto ids = column(kernels, [&](const KernelRecord& kernel) {
    const auto [entry, fresh] = known.emplace(kernel.label, static_cast<std::int32_t>(labels.size()));
    if (fresh) labels.push_back(kernel.label);
    return entry->second;
  });
  group.coordinate("label", labels, "distinct kernel labels");
  group.variable("label_id", {"kernel"}, ids, {"", "index into the dimension label"});
}

void write_identity(Group& group, const Kernels& kernels) {
  const Names by_kernel = {"kernel"};
  const auto flag = [](auto value) { return static_cast<std::uint8_t>(value); };
  write_labels(group, kernels);
  group.flags("class_id", by_kernel, column(kernels, [&](const KernelRecord& k) { return flag(k.kernel_class); }),
              enum_names<KernelClass>(kKernelClasses), "kernel class, an index into the dimension class");
  group.variable("layer", by_kernel, column(kernels, [](const KernelRecord& k) { return k.layer; }),
                 {"", "layer of the model; -1 belongs to no layer"});
  group.variable("stream", by_kernel, column(kernels, [](const KernelRecord& k) { return k.stream; }), {"", "stream"});
  group.variable("grid", by_kernel, column(kernels, [](const KernelRecord& k) { return k.grid; }), {"1", "thread blocks"});
  group.variable("blocks_per_sm", by_kernel, column(kernels, [](const KernelRecord& k) { return k.blocks_per_sm; }),
                 {"1", "thread blocks resident on one SM at a time"});
  group.flags("tensor_type", by_kernel, column(kernels, [&](const KernelRecord& k) { return flag(k.tensor_type); }),
              enum_names<DataType>(kDataTypes), "data type of the tensor pipe");
  group.flags("replicated", by_kernel, column(kernels, [&](const KernelRecord& k) { return flag(k.replicated); }),
              {"simulated", "replicated"}, "whether the kernel was simulated or copied from an identical layer");
}

/// Edges of the kernel graph as a list of pairs. A trace without waits has no dimension of length 0: netCDF would call it unlimited.
void write_edges(Group& group, const Kernels& kernels) {
  std::vector<std::uint32_t> waiting;
  std::vector<std::uint32_t> waited_for;
  for (std::size_t i = 0; i < kernels.size(); ++i) {
    for (const std::uint32_t earlier : kernels[i].waits_for) {
      waiting.push_back(static_cast<std::uint32_t>(i));
      waited_for.push_back(earlier);
    }
  }
  if (waiting.empty()) return;
  group.coordinate("edge", waiting.size(), "dependence between two kernels, beside the order of a stream");
  group.variable("edge_kernel", {"edge"}, waiting, {"", "kernel that waits"});
  group.variable("edge_waits_for", {"edge"}, waited_for, {"", "kernel that it waits for"});
}

void write_counts(Group& group, const Kernels& kernels) {
  const Names by_kernel = {"kernel"};
  const Names by_cell = {"kernel", "level", "role", "direction", "cause"};
  const auto work = [](const KernelRecord& k, std::span<double> cells) { std::copy(k.work.begin(), k.work.end(), cells.begin()); };
  group.variable("q", by_cell, byte_table(kernels, &KernelRecord::q), {"byte", "Q: bytes that crossed the boundary of the level"});
  group.variable("compulsory", by_cell, byte_table(kernels, &KernelRecord::compulsory),
                 {"byte", "bytes that no cache and no schedule can avoid (closed form)"});
  group.variable("work", {"kernel", "pipe"}, table<double>(kernels, kPipes, work),
                 {"1", "W: FLOP (tensor, cuda), special-function operations (sfu)"});
  group.variable("sectors_read", by_kernel, column(kernels, [](const KernelRecord& k) { return k.cache.sectors_read; }),
                 {"1", "32-byte sectors that loads asked of L2"});
  group.variable("sectors_hit", by_kernel, column(kernels, [](const KernelRecord& k) { return k.cache.sectors_hit; }),
                 {"1", "of these, found in L2"});
  group.variable("fabric_bytes", by_kernel, column(kernels, [](const KernelRecord& k) { return k.cache.fabric_bytes; }),
                 {"byte", "bytes that crossed between L2 partitions"});
}

void write_times(Group& group, const Kernels& kernels, bool timed) {
  const auto seconds = [timed](Time time) { return timed ? to_seconds(time) : kMissing; };
  group.variable("start", {"kernel"}, column(kernels, [&](const KernelRecord& k) { return seconds(k.start); }),
                 {"s", "time of launch, all waits over, since the start of the run"});
  group.variable("end", {"kernel"}, column(kernels, [&](const KernelRecord& k) { return seconds(k.end); }),
                 {"s", "time when the last block and the last byte were through"});
}

/// The columns of a roofline over rows that have one each. `prefix` tells the table by class from that by kernel.
void write_rooflines(Group& group, const std::string& prefix, const std::string& row,
                     const std::vector<std::optional<Roofline>>& rooflines) {
  using Row = std::optional<Roofline>;
  const auto levels = [](double LevelRoofline::*value) {
    return [value](const Row& roofline, std::span<double> cells) {
      for (std::size_t i = 0; i < kLevels; ++i) cells[i] = roofline ? roofline->levels[i].*value : kMissing;
    };
  };
  const auto memory_bound = [](const Row& roofline, std::span<std::uint8_t> cells) {
    for (std::size_t i = 0; i < kLevels; ++i) cells[i] = roofline && roofline->levels[i].memory_bound ? 1 : 0;
  };
  group.variable(prefix + "pi", {row}, column(rooflines, [](const Row& r) { return r ? r->pi : kMissing; }),
                 {"s-1", "peak FLOP/s of the pipes for this mix of work"});
  group.variable(prefix + "intensity", {row, "level"}, table<double>(rooflines, kLevels, levels(&LevelRoofline::intensity)),
                 {"byte-1", "I = W/Q: operational intensity, FLOP/byte; infinite where nothing crossed the level"});
  group.variable(prefix + "ceiling", {row, "level"}, table<double>(rooflines, kLevels, levels(&LevelRoofline::ceiling)),
                 {"s-1", "min(pi, I beta): FLOP/s that the level allows"});
  group.flags(prefix + "memory_bound", {row, "level"}, table<std::uint8_t>(rooflines, kLevels, memory_bound), {"no", "yes"},
              "whether I <= pi/beta at the level");
  group.flags(prefix + "binding", {row}, column(rooflines, [](const Row& r) { return binding_flag(r ? r->binding : std::nullopt); }),
              binding_words("none"), "pipe or level that takes the longest");
  group.variable(prefix + "bound_time", {row}, column(rooflines, [](const Row& r) { return r ? r->bound : kMissing; }),
                 {"s", "roofline bound on time"});
}

void write_classes(Group& group, const StageSummary& summary, bool timed) {
  std::vector<KernelSum> sums(kKernelClasses);
  for (const KernelSum& sum : summary.classes) sums[static_cast<std::size_t>(sum.kernel_class)] = sum;
  const auto work = [](const KernelSum& s, std::span<double> cells) {
    std::copy(s.demand.work.begin(), s.demand.work.end(), cells.begin());
  };
  const auto bytes = [](const KernelSum& s, std::span<std::uint64_t> cells) { copy_bytes(s.demand, cells); };
  group.variable("class_kernels", {"class"}, column(sums, [](const KernelSum& s) { return s.kernels; }), {"1", "kernels of the class"});
  group.variable("class_q", {"class", "level", "direction"}, table<std::uint64_t>(sums, std::size_t{kLevels} * kDirections, bytes),
                 {"byte", "Q of the class, over roles and causes"});
  group.variable("class_work", {"class", "pipe"}, table<double>(sums, kPipes, work), {"1", "W of the class"});
  group.variable("class_time", {"class"}, column(sums, [&](const KernelSum& s) { return timed ? to_seconds(s.simulated) : kMissing; }),
                 {"s", "sum over kernels of end - start"});
  group.variable("class_kernel_bounds", {"class"}, column(sums, [](const KernelSum& s) { return s.bound; }),
                 {"s", "sum over kernels of their roofline bounds"});
  write_rooflines(group, "class_", "class",
                  column(sums, [](const KernelSum& s) { return s.kernels > 0 ? std::optional<Roofline>(s.roofline) : std::nullopt; }));
}

void write_totals(Group& group, const StageResult& stage, const StageSummary& summary, bool timed) {
  const auto bytes = [](const Demand& demand) {
    return table<std::uint64_t>(std::array{demand}, std::size_t{kLevels} * kDirections, copy_bytes);
  };
  const Work& work = summary.total.demand.work;
  group.variable("total_q", {"level", "direction"}, bytes(summary.total.demand), {"byte", "Q of the stage"});
  group.variable("total_compulsory", {"level", "direction"}, bytes(summary.compulsory), {"byte", "compulsory bytes of the stage"});
  group.variable("total_work", {"pipe"}, std::vector<double>(work.begin(), work.end()), {"1", "W of the stage"});
  group.scalar("batch", stage.batch, {"1", "sequences"});
  group.scalar("length", stage.length, {"1", "tokens of each sequence: in the cache (decode) or in the prompt (prefill)"});
  group.scalar("tokens", summary.tokens, {"1", "tokens made (decode) or taken in (prefill), all GPUs together"});
  group.scalar("latency", timed ? to_seconds(summary.latency) : kMissing, {"s", "simulated time of the stage"});
  group.scalar("bound", summary.bound, {"s", "roofline bound on the latency, given the bytes that moved"});
  group.scalar("longest_path", to_seconds(summary.longest_path), {"s", "longest path of roofline bounds through the kernel graph"});
  group.flags("bound_from", {}, {binding_flag(summary.bound_resource)}, binding_words("longest_path"),
              "what makes the bound: the longest path, or the total demand on a pipe or level");
  group.scalar("ceiling_time", summary.ceiling, {"s", "roofline bound on the latency with compulsory bytes only"});
  group.flags("ceiling_binding", {}, {binding_flag(summary.ceiling_binding)}, binding_words("none"),
              "pipe or level that sets ceiling_time");
  group.scalar("tokens_per_s", ratio(summary.tokens_per_second()), {"s-1", "tokens per second"});
  group.scalar("ceiling_tokens_per_s", ratio(summary.ceiling_tokens_per_second()), {"s-1", "tokens per second at ceiling_time"});
  group.scalar("bound_reached", ratio(summary.bound_reached()), {"1", "bound / latency"});
  group.scalar("ceiling_reached", ratio(summary.ceiling_reached()), {"1", "ceiling_time / latency"});
}

}  // namespace

void write_stage(Group& group, const StageResult& stage, const Peaks& peaks, bool timed) {
  const StageSummary summary = summarize(stage.kernels, peaks, stage.tokens, timed ? stage.latency : 0);
  write_dimensions(group, stage.kernels);
  write_identity(group, stage.kernels);
  write_edges(group, stage.kernels);
  write_counts(group, stage.kernels);
  write_times(group, stage.kernels, timed);
  write_rooflines(group, "", "kernel", column(stage.kernels, [&](const KernelRecord& k) {
                    return std::optional<Roofline>(roofline(demand_of(k, peaks), peaks));
                  }));
  write_classes(group, summary, timed);
  write_totals(group, stage, summary, timed);
}

}  // namespace rooftrace::h5
