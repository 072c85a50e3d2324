// rooftrace pareto: which points of a sweep are worth having.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "sim/app/atomic_file.hpp"
#include "sim/app/commands.hpp"
#include "sim/app/console.hpp"
#include "sim/app/pareto.hpp"
#include "sim/app/sweep_file.hpp"
#include "sim/app/table.hpp"
#include "sim/core/error.hpp"

namespace rooftrace {
namespace {

using Json = nlohmann::ordered_json;

/// The stage that is asked for, or the first one that the first finished point has.
std::string stage_of(const Options& options, const SweepTable& table, const SweepFile& file) {
  const auto wanted = options.value("stage");
  if (wanted == "both") throw UserError("--stage: a frontier is of one stage, decode or prefill");
  const std::vector<std::string>& stages = file.stages();  // In the order of the points that have them.
  const auto found = wanted ? std::find(stages.begin(), stages.end(), *wanted) : stages.begin();
  if (table.count(PointStatus::done) > 0 && found != stages.end()) return *found;
  throw UserError(wanted ? fmt::format("--stage: no point of this sweep has a stage {}", *wanted) : "no point of this sweep is done");
}

std::vector<Goal> goals_of(const Options& options, const SweepTable& table, const SweepFile& file, const std::string& stage) {
  std::vector<Goal> goals;
  for (const char* option : {"max", "min"}) {
    std::stringstream words(options.value(option).value_or(""));
    for (std::string word; std::getline(words, word, ',');) goals.push_back(find_goal(table.spec, word, option == std::string("max")));
  }
  if (goals.empty()) throw UserError("what is good? Give --max COLUMN, --min COLUMN, or both");
  const SweepBlocks blocks = table.blocks();
  for (std::uint64_t b = 0; b < blocks.size(); ++b) {
    const SweepBlock block = blocks.block(b);
    fill_goals(goals, table.spec, block, file.read(block, point_ids(table, block)), stage);
  }
  return goals;
}

std::string report_text(const SweepTable& table, const std::vector<Goal>& goals, const std::vector<std::uint64_t>& frontier,
                        std::uint64_t compared, const std::string& stage) {
  std::vector<Table::Column> columns = {{"", "point"}};
  for (const Goal& goal : goals) columns.push_back({goal.most ? "most" : "least", goal.column});
  const std::vector<const SweepKey*> keys = table.spec.keys();
  for (const SweepKey* key : keys) columns.push_back({"", key->name});
  Table text(columns);
  for (const std::uint64_t point : frontier) {
    std::vector<std::string> row = {std::to_string(point)};
    for (const Goal& goal : goals) row.push_back(fmt::format("{:.6g}", goal.values[point]));
    const std::vector<std::size_t> at = table.spec.position(point);
    for (std::size_t axis = 0; axis < at.size(); ++axis) {
      for (const SweepKey& key : table.spec.axes[axis].keys) row.emplace_back(key.labels[at[axis]]);
    }
    text.row(std::move(row));
  }
  return fmt::format("{}: {} of {} points are on the frontier ({})\n\n{}", table.spec.title, frontier.size(), compared, stage, text.text());
}

std::string report_json(const SweepTable& table, const std::vector<Goal>& goals, const std::vector<std::uint64_t>& frontier,
                        std::uint64_t compared, const std::string& stage) {
  Json report = {{"format", "rooftrace-pareto"}, {"format_version", 1}, {"title", table.spec.title},
                 {"identity", table.identity},   {"stage", stage},      {"compared", compared}};
  report["goals"] = Json::array();
  for (const Goal& goal : goals) {
    report["goals"].push_back({{"column", goal.column}, {"goal", goal.most ? "max" : "min"}, {"units", goal.units}});
  }
  report["frontier"] = Json::array();
  for (const std::uint64_t point : frontier) {
    Json values, settings;
    for (const Goal& goal : goals) values[goal.column] = goal.values[point];
    const std::vector<std::size_t> at = table.spec.position(point);
    for (std::size_t axis = 0; axis < at.size(); ++axis) {
      for (const SweepKey& key : table.spec.axes[axis].keys) settings[key.key] = std::string(key.labels[at[axis]]);
    }
    report["frontier"].push_back({{"point", point}, {"values", values}, {"settings", settings}});
  }
  return report.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

int command_pareto(const Options& options) {
  if (options.arguments.empty()) throw UserError("which sweep? Give its file, as in \"rooftrace pareto sweep.h5 --max tokens_per_s\"");
  SweepTable table;
  const SweepFile file(options.arguments.front(), table, true);
  const std::string stage = stage_of(options, table, file);
  const std::vector<Goal> goals = goals_of(options, table, file, stage);
  const auto picture = options.value("output");
  if (picture && goals.size() < 2) throw UserError("--output: a picture needs two goals");
  const std::vector<std::uint64_t> frontier = pareto_frontier(goals);
  std::uint64_t compared = 0;
  for (std::uint64_t i = 0; i < table.status.size(); ++i) {
    bool whole = true;
    for (const Goal& goal : goals) whole = whole && std::isfinite(goal.values[i]);
    compared += whole ? 1 : 0;
  }
  if (compared == 0) throw UserError("no point has a number for every goal (times need fidelity des)");
  if (picture) write_file_atomically(*picture, pareto_svg(goals, frontier, table.spec.title));
  const bool json = options.value("format").value_or("text") == "json";
  print_out(json ? report_json(table, goals, frontier, compared, stage) : report_text(table, goals, frontier, compared, stage));
  return kDone;
}

}  // namespace rooftrace
