#include "sim/app/curve_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "sim/app/table.hpp"
#include "sim/app/version.hpp"
#include "sim/core/units.hpp"

namespace rooftrace {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMostClasses = 6;  ///< Columns of the text; the other classes add up in one.
constexpr std::size_t kMostKnees = 16;   ///< In the text: the largest.

std::string bytes_text(std::uint64_t bytes) {
  return si_whole(bytes, "B", 4);
}
std::string capacity_text(std::uint64_t bytes) {
  return format_binary_bytes(static_cast<double>(bytes), 4);
}

std::string stage_text(const WorkloadOptions& stage) {
  if (stage.stage == Stage::decode) return fmt::format("decode: batch {}, context {}", stage.batch, stage.context);
  return fmt::format("prefill: batch {}, prompt {}", stage.batch, stage.prompt);
}

/// Classes whose bytes depend most on the capacity, in the order of the enum.
std::vector<KernelClass> shown_classes(const CurveReport& report) {
  std::vector<KernelClass> classes = report.curve.classes();
  const auto range = [&](KernelClass c) {
    return report.curve.at(report.capacities.front(), c).total() - report.curve.at(report.capacities.back(), c).total();
  };
  if (classes.size() <= kMostClasses) return classes;
  std::stable_sort(classes.begin(), classes.end(), [&](KernelClass a, KernelClass b) { return range(a) > range(b); });
  classes.resize(kMostClasses);
  std::sort(classes.begin(), classes.end());
  return classes;
}

std::string row_name(const CurveReport& report, std::uint64_t capacity, std::uint64_t own) {
  const bool knee = std::any_of(report.knees.begin(), report.knees.end(), [&](const Knee& k) { return k.capacity == capacity; });
  return capacity_text(capacity) + (capacity == own ? " (machine)" : "") + (knee ? " knee" : "");
}

std::string points_table(const CurveReport& report, std::uint64_t own) {
  const std::vector<KernelClass> classes = shown_classes(report);
  const bool others = classes.size() < report.curve.classes().size();
  std::vector<Table::Column> columns = {{"", "L2 capacity"}, {"Q HBM", "all"}, {"Q HBM", "read"}, {"Q HBM", "written"}};
  for (const KernelClass c : classes) columns.push_back({"Q HBM by class", std::string(name(c))});
  if (others) columns.push_back({"Q HBM by class", "others"});
  Table table(columns);
  for (const std::uint64_t capacity : report.capacities) {
    const HbmBytes all = report.curve.at(capacity);
    std::vector<std::string> cells = {row_name(report, capacity, own), bytes_text(all.total()), bytes_text(all.fetched),
                                      bytes_text(all.written)};
    std::uint64_t rest = all.total();
    for (const KernelClass c : classes) {
      const std::uint64_t bytes = report.curve.at(capacity, c).total();
      rest -= bytes;
      cells.push_back(bytes_text(bytes));
    }
    if (others) cells.push_back(bytes_text(rest));
    table.row(std::move(cells));
  }
  return table.text("  ");
}

std::string knees_text(const CurveReport& report) {
  if (report.knees.empty()) return "  knees: none (no sharp drop of 1 % of Q or more)\n";
  std::vector<Knee> knees = report.knees;
  std::stable_sort(knees.begin(), knees.end(), [](const Knee& a, const Knee& b) { return a.saved > b.saved; });
  const std::size_t left_out = knees.size() - std::min(knees.size(), kMostKnees);
  knees.resize(knees.size() - left_out);
  std::stable_sort(knees.begin(), knees.end(), [](const Knee& a, const Knee& b) { return a.capacity < b.capacity; });
  const double whole = static_cast<double>(report.curve.at(report.capacities.front()).total());
  std::string out = fmt::format("  knees (share of Q at {}): from this capacity on, what fits\n", capacity_text(report.capacities.front()));
  for (const Knee& knee : knees) {
    out += fmt::format("  {:>12}  saves {:>9} ({:>6})  {}\n", capacity_text(knee.capacity), bytes_text(knee.saved),
                       percent(static_cast<double>(knee.saved) / whole), describe(knee));
  }
  if (left_out != 0) out += fmt::format("  and {} smaller ones (--format json has all)\n", left_out);
  return out;
}

std::string signed_percent(std::uint64_t value, std::uint64_t reference) {
  if (reference == 0) return value == 0 ? "0.00 %" : "-";
  return fmt::format("{:+.2f} %", (static_cast<double>(value) / static_cast<double>(reference) - 1) * 100);
}

std::string truth_text(const CurveReport& report, const L2Spec& l2) {
  std::string out = fmt::format("  distance from the truth: the machine's own L2 ({} ways, {}, {}) with other numbers of sets\n", l2.ways,
                                name(l2.hash), name(l2.policy));
  Table table({{"", "L2 capacity"},
               {"", "sets"},
               {"Q HBM", "curve"},
               {"Q HBM", "real cache"},
               {"real - curve", "all"},
               {"real - curve", "read"},
               {"real - curve", "written"}});
  for (const TruthPoint& point : report.truth) {
    const HbmBytes curve = report.curve.at(point.capacity);
    table.row({capacity_text(point.capacity), std::to_string(point.sets), bytes_text(curve.total()), bytes_text(point.bytes.total()),
               signed_percent(point.bytes.total(), curve.total()), signed_percent(point.bytes.fetched, curve.fetched),
               signed_percent(point.bytes.written, curve.written)});
  }
  return out + table.text("  ");
}

void put(Json& out, const std::string& prefix, const HbmBytes& bytes) {
  out[prefix + "read_bytes"] = bytes.fetched;
  out[prefix + "write_bytes"] = bytes.written;
}

Json json_of(const CurveReport& report) {
  Json out;
  out["stage"] = name(report.stage.stage);
  out["batch"] = report.stage.batch;
  out[report.stage.stage == Stage::decode ? "context" : "prompt"] =
      report.stage.stage == Stage::decode ? report.stage.context : report.stage.prompt;
  out["last_change_bytes"] = report.curve.last_change();
  out["points"] = Json::array();
  for (const std::uint64_t capacity : report.capacities) {
    Json point;
    point["capacity_bytes"] = capacity;
    put(point, "", report.curve.at(capacity));
    for (const KernelClass c : report.curve.classes()) put(point["classes"][std::string(name(c))], "", report.curve.at(capacity, c));
    out["points"].push_back(std::move(point));
  }
  out["knees"] = Json::array();
  for (const Knee& knee : report.knees) {
    out["knees"].push_back({{"capacity_bytes", knee.capacity},
                            {"kernel_class", name(knee.kernel_class)},
                            {"role", name(knee.role)},
                            {"scope", knee.scope == ReuseScope::same_kernel ? "same_kernel" : "earlier_kernel"},
                            {"direction", knee.writes ? "write" : "read"},
                            {"saved_bytes", knee.saved}});
  }
  out["truth"] = Json::array();
  for (const TruthPoint& point : report.truth) {
    Json entry;
    entry["capacity_bytes"] = point.capacity;
    entry["sets"] = point.sets;
    put(entry, "", point.bytes);
    put(entry, "curve_", report.curve.at(point.capacity));
    out["truth"].push_back(std::move(entry));
  }
  return out;
}

}  // namespace

std::string curve_text(const CurveHeader& header, const std::vector<CurveReport>& reports) {
  const Scenario& scenario = *header.scenario;
  const MachineSpec& machine = scenario.machine;
  const WorkloadOptions& first = scenario.stages.front();
  std::string out;
  out += fmt::format("machine   {} ({}), L2 {} effective\n", machine.name, machine.title, capacity_text(machine.l2.effective));
  out += fmt::format("model     {}, {} layers, weights {}, KV {}, TP {}\n", scenario.model.name, scenario.model.layers, name(first.weights),
                     name(first.kv), first.tp);
  out += fmt::format("curve     L2 as one fully associative LRU set of {} B lines with {} B sectors, any capacity; start {}\n",
                     machine.l2.line, machine.l2.sector, scenario.warm ? "warm" : "cold");
  out +=
      "counted   Q HBM = sectors fetched for loads and atomics, booked on the class that asks, + dirty sectors written back, booked on\n";
  out += "          the class that wrote them; what is dirty when the stage ends stays in L2 and is not counted\n";
  for (const CurveReport& report : reports) {
    out += "\n" + stage_text(report.stage) + "\n\n";
    out += points_table(report, report.curve.exact_capacity(machine.l2.effective)) + "\n";
    out += knees_text(report) + "\n";
    out += truth_text(report, machine.l2) + "\n";
    out += fmt::format("  took {} for the curve (every layer), {} for {} runs of the real cache\n", si(report.curve.wall_seconds, "s", 3),
                       si(report.truth_seconds, "s", 3), report.truth.size());
  }
  return out;
}

std::string curve_json(const CurveHeader& header, const std::vector<CurveReport>& reports) {
  const Scenario& scenario = *header.scenario;
  Json out;
  out["format"] = "rooftrace-curve";
  out["format_version"] = 1;
  out["rooftrace_version"] = version();
  out["rooftrace_commit"] = commit();
  out["command"] = header.command;
  out["config"] = scenario.config;
  out["hardware"] = scenario.machine.name;
  out["model"] = scenario.model.name;
  out["level"] = "l2";
  out["line_bytes"] = scenario.machine.l2.line;
  out["sector_bytes"] = scenario.machine.l2.sector;
  out["l2_effective_bytes"] = scenario.machine.l2.effective;
  out["stages"] = Json::array();
  for (const CurveReport& report : reports) out["stages"].push_back(json_of(report));
  return out.dump(2) + "\n";
}

}  // namespace rooftrace
