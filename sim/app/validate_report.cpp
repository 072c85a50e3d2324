#include "sim/app/validate_report.hpp"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "sim/app/table.hpp"
#include "sim/app/validate_knee.hpp"
#include "sim/core/error.hpp"

namespace rooftrace {
namespace {

using Json = nlohmann::ordered_json;

std::string cell(double share) {
  return std::isnan(share) ? "-" : fmt::format("{:.1f}", share * 100);
}
std::string fixed(double value) {
  return std::isnan(value) ? "-" : fmt::format("{:.3f}", value);
}
std::string plain(double value) {
  return std::isnan(value) ? "" : fmt::format("{:.9g}", value);
}
Json or_null(double value) {
  return std::isfinite(value) ? Json(value) : Json(nullptr);
}
/// Words of a suite's author, for a terminal: quoted_word's rules for what cannot be printed.
std::string printable(const std::string& word) {
  const std::string quoted = quoted_word(word);
  return quoted == "\"" + word + "\"" ? word : quoted;
}

Json score_json(const ErrorScore& s) {
  Json json;
  json["rows"] = s.rows;
  json["median"] = or_null(s.median);
  json["mean"] = or_null(s.mean);
  json["p90"] = or_null(s.p90);
  json["max"] = or_null(s.max);
  json["bias"] = or_null(s.bias);
  json["rank"] = or_null(s.rank);
  return json;
}

}  // namespace

std::string validation_text(const Scores& scores) {
  Table table({{"", "suite: rows"},
               {"", "GPU"},
               {"", "rows"},
               {"", "flagged"},
               {"", "goal"},
               {"absolute error in %", "median"},
               {"absolute error in %", "mean"},
               {"absolute error in %", "p90"},
               {"absolute error in %", "max"},
               {"", "bias"},
               {"", "rank"},
               {"median of baselines", "roofline"},
               {"median of baselines", "x0.8+3us"},
               {"median of baselines", "wave"},
               {"beyond bound", "sim."},
               {"beyond bound", "meas."}});
  std::string last;
  for (const GroupScore& g : scores.groups) {
    if (!last.empty() && last != g.kind) table.rule();
    last = g.kind;
    const ErrorScore& s = g.simulated;
    table.row({g.kind + ": " + printable(g.group), printable(g.hardware), std::to_string(s.rows + g.only_bound), std::to_string(g.flagged),
               g.goal.empty() ? "-" : g.goal, cell(s.median), cell(s.mean), cell(s.p90), cell(s.max), cell(s.bias), fixed(s.rank),
               cell(g.roofline.median), cell(g.tool.median), cell(g.wave.median), std::to_string(g.simulated_beyond_bound),
               std::to_string(g.measured_beyond_bound)});
  }
  std::string text = table.text();
  text += fmt::format("\n{} rows: {} scored, {} skipped, {} flagged; beyond the bound: {} simulated, {} measured.\n", scores.rows,
                      scores.ok, scores.skipped, scores.flagged, scores.simulated_beyond_bound, scores.measured_beyond_bound);
  for (const Knee& knee : scores.knees) {
    text += fmt::format("knee of {}: {:.1f} MB measured (between {:.3g} and {:.3g} MB), {:.1f} MB simulated: {:+.1f} % (goal {:.0f} %)\n",
                        printable(knee.hardware), knee.measured.bytes / 1e6, knee.measured.lower / 1e6, knee.measured.upper / 1e6,
                        knee.simulated.bytes / 1e6, knee.error() * 100, kKneeGoal * 100);
  }
  for (const SkipCount& skip : scores.skips) {
    text += fmt::format("skipped: {} {}, {} row{}: {}\n", skip.kind, printable(skip.hardware), skip.rows, skip.rows == 1 ? "" : "s",
                        skip.reason);
  }
  return text;
}

std::string validation_json(const Scores& scores) {
  Json json;
  json["schema"] = "rooftrace-validation";
  json["totals"] = {{"rows", scores.rows},
                    {"ok", scores.ok},
                    {"skipped", scores.skipped},
                    {"flagged", scores.flagged},
                    {"simulated_beyond_bound", scores.simulated_beyond_bound},
                    {"measured_beyond_bound", scores.measured_beyond_bound}};
  json["groups"] = Json::array();
  for (const GroupScore& g : scores.groups) {
    Json group;
    group["kind"] = g.kind;
    group["group"] = g.group;
    group["hardware"] = g.hardware;
    group["goal"] = g.goal;
    group["rows"] = g.simulated.rows + g.only_bound;
    group["flagged"] = g.flagged;
    group["error_is"] = g.points ? "difference" : "relative";
    group["simulated"] = score_json(g.simulated);
    group["roofline"] = score_json(g.roofline);
    group["roofline_0.8_3us"] = score_json(g.tool);
    group["wave"] = score_json(g.wave);
    group["simulated_beyond_bound"] = g.simulated_beyond_bound;
    group["measured_beyond_bound"] = g.measured_beyond_bound;
    json["groups"].push_back(std::move(group));
  }
  json["knees"] = Json::array();
  for (const Knee& k : scores.knees) {
    json["knees"].push_back({{"hardware", k.hardware},
                             {"measured_bytes", k.measured.bytes},
                             {"between_bytes", {k.measured.lower, k.measured.upper}},
                             {"simulated_bytes", k.simulated.bytes},
                             {"error", k.error()},
                             {"goal", kKneeGoal}});
  }
  json["skips"] = Json::array();
  for (const SkipCount& s : scores.skips) {
    json["skips"].push_back({{"kind", s.kind}, {"hardware", s.hardware}, {"rows", s.rows}, {"reason", s.reason}});
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string validation_rows(const std::vector<ScoredRow>& rows) {
  std::string text =
      "id,kind,hardware,quantity,measured,low,high,simulated,bound,roofline_baseline,rel_error,status,reason,group,tool_baseline,"
      "wave_baseline,beyond_bound\n";
  for (const ScoredRow& r : rows) {
    const Prediction& p = r.prediction;
    const char* beyond = r.simulated_beyond_bound ? "simulated" : r.measured_beyond_bound ? "measured" : "";
    text += fmt::format("{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}\n", csv_cell(r.id), r.kind, csv_cell(r.hardware),
                        csv_cell(r.quantity), plain(r.measured), plain(r.low), plain(r.high), plain(p.simulated), plain(p.bound),
                        plain(p.roofline), plain(r.error), name(r.status), csv_cell(r.reason), csv_cell(p.group), plain(p.tool),
                        plain(p.wave), beyond);
  }
  return text;
}

}  // namespace rooftrace
