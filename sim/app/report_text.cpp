// The pages of report_text.hpp: header, per stage two tables by kernel class, the stage's figures and its HBM bytes.
//
// Promises: prints only what analysis/summary.hpp computed. Not modeled: single kernels (see report_json and result.h5).
#include "sim/app/report_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "analysis/summary.hpp"
#include "sim/app/peaks.hpp"
#include "sim/app/table.hpp"

namespace rooftrace {
namespace {

constexpr std::array kAllLevels = {LevelId::l2, LevelId::hbm, LevelId::nvlink, LevelId::pcie};
constexpr std::array kBothDirections = {Direction::read, Direction::write};

std::string title(Resource resource) {
  constexpr std::array<const char*, kResources> titles = {"tensor", "CUDA", "SFU", "L2", "HBM", "NVLink", "PCIe"};
  return titles[static_cast<std::size_t>(resource)];
}

std::string title(LevelId level) {
  return title(resource_of(level));
}

std::string title(const std::optional<Resource>& resource) {
  return resource ? title(*resource) : "-";
}

std::string time_text(Time time) {
  return si(to_seconds(time), "s", 4);
}

/// Types that the run's kernels feed to the tensor pipe; bf16 if there are none, so that the ridge has a pi.
std::set<DataType> tensor_types(const RunResult& result) {
  std::set<DataType> types;
  for (const StageResult& stage : result.stages) {
    for (const KernelRecord& kernel : stage.kernels) {
      if (kernel.work[static_cast<std::size_t>(Pipe::tensor)] > 0) types.insert(kernel.tensor_type);
    }
  }
  if (types.empty()) types.insert(DataType::bf16);
  return types;
}

std::string header(const RunResult& result, const Peaks& peaks) {
  std::string pi = "pi (peak)     ";
  std::string ridge = "ridge pi/beta";
  for (DataType type : tensor_types(result)) {
    const double rate = peaks.pi(Pipe::tensor, type);
    pi += fmt::format("tensor {} {}, ", name(type), si(rate, "FLOP/s", 4));
    ridge += fmt::format("{} {}:", ridge.size() > 13 ? ";" : "", name(type));
    for (LevelId level : kAllLevels) {
      if (peaks.beta_of(level) <= 0) continue;
      ridge += fmt::format("{} {} {}", ridge.back() == ':' ? "" : ",", title(level), number(rate / peaks.beta_of(level), 3));
    }
  }
  pi += fmt::format("CUDA {}, SFU {}", si(peaks.cuda, "FLOP/s", 4), si(peaks.sfu, "op/s", 4));
  const auto beta = [&](LevelId level) { return title(level) + " " + si(peaks.beta_of(level), "B/s", 4); };

  std::string out;
  out += fmt::format("machine       {} ({})\n", result.hardware, result.machine.title);
  out += fmt::format("model         {}, weights {}, KV {}, TP {}\n", result.model, result.weights, result.kv, result.tp);
  out += fmt::format("run           fidelity {}, layers {}, start {}, contention {}\n", name(result.fidelity), result.layers,
                     result.start_state, result.contention);
  out += pi + "\n";
  out += fmt::format("beta (peak)   {}, {} (reads and writes together); {}, {} (each way)\n", beta(LevelId::l2), beta(LevelId::hbm),
                     beta(LevelId::nvlink), beta(LevelId::pcie));
  out += ridge + " FLOP/B\n";
  if (result.tp > 1) {
    out += fmt::format("per GPU       W, Q and I are those of one of the {} GPUs, which all do the same; tokens/s are the group's\n",
                       result.tp);
  }
  out +=
      "legend        W tensor + CUDA FLOP; Q bytes (read: towards the SMs); I = W/Q; ceiling = min(pi, I*beta); binds: longest of W/pi, "
      "Q/beta = bound\n"
      "              on time; reached = bound/simulated; a link's I takes the busier direction; SFU: special-function ops, not in W; "
      "\"-\": none\n";
  return out;
}

std::string traffic_table(const StageSummary& stage) {
  std::vector<Table::Column> columns = {{"", "kernel class"}, {"", "kernels"}, {"", "W"}, {"", "SFU"}};
  for (LevelId level : kAllLevels) {
    const std::string group = fmt::format("Q {}", title(level));
    columns.push_back({group, "read"});
    columns.push_back({group, "written"});
  }
  Table table(columns);
  const auto row = [&](std::string first, const KernelSum& sum) {
    std::vector<std::string> cells = {std::move(first), std::to_string(sum.kernels), si(sum.demand.flop(), "FLOP", 4),
                                      si(sum.demand.work[static_cast<std::size_t>(Pipe::sfu)], "op", 4)};
    for (LevelId level : kAllLevels) {
      for (Direction direction : kBothDirections) cells.push_back(si_whole(sum.q.total(level, direction), "B", 4));
    }
    table.row(std::move(cells));
  };
  for (const KernelSum& sum : stage.classes) row(std::string(name(sum.kernel_class)), sum);
  table.rule();
  row("all", stage.total);
  return table.text("  ");
}

std::string roofline_table(const StageSummary& stage) {
  std::vector<Table::Column> columns = {{"", "kernel class"}};
  for (LevelId level : kAllLevels) columns.push_back({"I (FLOP/B)", title(level)});
  for (LevelId level : kAllLevels) columns.push_back({"ceiling (FLOP/s)", title(level)});
  for (const char* last : {"binds", "I<=pi/beta", "bound", "simulated", "reached"}) columns.push_back({"", last});
  Table table(columns);
  const auto row = [&](std::string first, const KernelSum& sum, double bound, Time simulated) {
    const Roofline& roof = sum.roofline;
    std::vector<std::string> cells = {std::move(first)};
    for (LevelId level : kAllLevels) cells.push_back(number(roof.level(level).intensity, 3));
    for (LevelId level : kAllLevels) cells.push_back(roof.level(level).bytes == 0 ? "-" : si(roof.level(level).ceiling, "", 3));
    cells.push_back(title(roof.binding));
    cells.push_back(!roof.binding ? "-" : is_level(*roof.binding) ? "yes" : "no");
    cells.push_back(si(bound, "s", 4));
    cells.push_back(time_text(simulated));
    cells.push_back(simulated > 0 ? percent(bound / to_seconds(simulated)) : "-");
    table.row(std::move(cells));
  };
  for (const KernelSum& sum : stage.classes) row(std::string(name(sum.kernel_class)), sum, sum.bound, sum.simulated);
  table.rule();
  row("stage", stage.total, stage.bound, stage.latency);
  return table.text("  ");
}

std::string hbm_table(const ByteCounts& q) {
  const std::uint64_t all = q.total(LevelId::hbm);
  if (all == 0) return "";
  std::vector<Cause> causes = {Cause::compulsory, Cause::refetch, Cause::write_back};
  if (q.by_cause(LevelId::hbm, Cause::requested) > 0) causes.insert(causes.begin(), Cause::requested);
  std::vector<Table::Column> columns = {{"", "HBM bytes"}, {"", "read"}, {"", "written"}};
  for (Cause cause : causes) columns.push_back({"cause", cause == Cause::write_back ? "write-back" : std::string(name(cause))});
  columns.push_back({"", "share"});
  Table table(columns);
  const auto row = [&](std::string first, std::size_t role_begin, std::size_t role_end) {
    std::array<std::uint64_t, kDirections> by_direction{};
    std::array<std::uint64_t, kCauses> by_cause{};
    for (std::size_t role = role_begin; role < role_end; ++role) {
      for (std::size_t direction = 0; direction < kDirections; ++direction) {
        for (std::size_t cause = 0; cause < kCauses; ++cause) {
          const std::uint64_t bytes = q.bytes[static_cast<std::size_t>(LevelId::hbm)][role][direction][cause];
          by_direction[direction] += bytes;
          by_cause[cause] += bytes;
        }
      }
    }
    const std::uint64_t sum = by_direction[0] + by_direction[1];
    if (sum == 0) return;
    std::vector<std::string> cells = {std::move(first)};
    for (std::uint64_t bytes : by_direction) cells.push_back(si_whole(bytes, "B", 4));
    for (Cause cause : causes) cells.push_back(si_whole(by_cause[static_cast<std::size_t>(cause)], "B", 4));
    cells.push_back(percent(static_cast<double>(sum) / static_cast<double>(all)));
    table.row(std::move(cells));
  };
  for (std::size_t role = 0; role < kTensorRoles; ++role) row(std::string(name(static_cast<TensorRole>(role))), role, role + 1);
  table.rule();
  row("all", 0, kTensorRoles);
  return table.text("  ");
}

std::string figures(const StageSummary& stage) {
  std::string out;
  const auto limit = [&](const std::optional<Resource>& resource, const Demand& demand) -> std::string {
    if (!resource) return "nothing to do";
    if (!is_level(*resource)) return fmt::format("{} pipe at its peak", title(*resource));
    const auto level = static_cast<LevelId>(static_cast<int>(*resource) - kPipes);
    return fmt::format("{} compulsory through {}", si_whole(demand.serial_bytes(level), "B", 4), title(level));
  };
  const auto rate = [](const std::optional<double>& value) { return value ? number(*value, 4) : "-"; };
  const auto reached = [](const std::optional<double>& share) {
    return share ? fmt::format(", {} reached", percent(*share)) : std::string();
  };
  const std::string bound_from =
      stage.bound_resource ? fmt::format("all kernels' demand on {}", title(*stage.bound_resource)) : "longest path of kernel bounds";
  out += fmt::format("  latency      {:>9} simulated, {:>9} bound ({}){}\n", time_text(stage.latency), si(stage.bound, "s", 4), bound_from,
                     reached(stage.bound_reached()));
  out += fmt::format("  tokens/s     {:>9} simulated, {:>9} ceiling ({}){}\n", rate(stage.tokens_per_second()),
                     rate(stage.ceiling_tokens_per_second()), limit(stage.ceiling_binding, stage.compulsory),
                     reached(stage.ceiling_reached()));
  const std::optional<double> hits = stage.total.hit_rate();
  out += fmt::format("  L2 hit rate  {:>9}", hits ? percent(*hits) : "-");
  if (hits) out += " of the sectors loaded";
  const std::uint64_t fabric = stage.total.cache.fabric_bytes;
  if (fabric > 0) out += fmt::format("; {} crossed between L2 partitions", si_whole(fabric, "B", 4));
  out += "\n";
  return out;
}

std::string stage_heading(const RunResult& result, const StageResult& stage) {
  std::string length;
  if (stage.stage == Stage::decode) length = fmt::format(", context {}", stage.length);
  if (stage.stage == Stage::prefill) length = fmt::format(", prompt {}", stage.length);
  return fmt::format("{}: batch {}{}, {} token{}{}\n", name(stage.stage), stage.batch, length, stage.tokens, stage.tokens == 1 ? "" : "s",
                     result.tp > 1 ? ", per GPU" : "");
}

}  // namespace

std::string report_text(const RunResult& result) {
  const Peaks peaks = peaks_of(result.machine);
  std::string out = header(result, peaks);
  std::vector<StageSummary> stages;
  for (const StageResult& stage : result.stages) {
    stages.push_back(summarize(stage.kernels, peaks, stage.tokens, stage.latency));
    const StageSummary& summary = stages.back();
    out += fmt::format("\n{}\n", stage_heading(result, stage));
    out += traffic_table(summary) + "\n" + roofline_table(summary) + "\n" + figures(summary);
    const std::string hbm = hbm_table(summary.total.q);
    if (!hbm.empty()) out += fmt::format("\n{}", hbm);
  }
  if (stages.size() > 1) {
    const StepSummary step = whole_step(stages, peaks);
    out += fmt::format("\nall stages one after the other: {} simulated, {} bound, {} binds overall\n", time_text(step.latency),
                       si(step.bound, "s", 4), title(step.roofline.binding));
  }
  return out;
}

}  // namespace rooftrace
