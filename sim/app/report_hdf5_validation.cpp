// Rows in the root group, scores in the group "summary", knees of read curves in "knee": one dimension each, so that each opens as one
// dataset.
#include "sim/app/report_hdf5_validation.hpp"

#include <fmt/format.h>

#include "sim/app/report_hdf5_file.hpp"
#include "sim/app/sha1.hpp"
#include "sim/app/version.hpp"

namespace rooftrace {
namespace {

using Names = std::vector<std::string>;

template <typename Value, typename Item, typename Get>
std::vector<Value> column(const std::vector<Item>& items, const Get& get) {
  std::vector<Value> values;
  values.reserve(items.size());
  for (const Item& item : items) values.push_back(static_cast<Value>(get(item)));
  return values;
}

void write_provenance(h5::Group& root, const std::vector<ScoredRow>& rows, const Scores& scores, const ValidationOrigin& origin) {
  root.attribute("Conventions", "CF-1.8");
  root.attribute("title", "Validation: measured kernels and steps against the simulator");
  root.attribute("source", fmt::format("rooftrace {} ({})", version(), commit()));
  root.attribute("history", origin.command);
  root.attribute("schema", "rooftrace-validation/1");
  root.attribute("version", version());
  root.attribute("commit", commit());
  root.attribute("config", origin.machines);
  root.attribute("config_sha1", sha1(origin.machines));
  root.attribute("fidelity", origin.fidelity);
  root.attribute("suites", fmt::format("{}", fmt::join(origin.suites, "\n")));
  root.attribute("rows", static_cast<std::uint64_t>(rows.size()));
  root.attribute("rows_ok", static_cast<std::uint64_t>(scores.ok));
  root.attribute("rows_skipped", static_cast<std::uint64_t>(scores.skipped));
  root.attribute("rows_flagged", static_cast<std::uint64_t>(scores.flagged));
}

void write_rows(h5::Group& root, const std::vector<ScoredRow>& rows) {
  if (rows.empty()) return;  // No dimension of length 0: netCDF would call it unlimited.
  root.coordinate("row", rows.size(), "row of the suites, in their order");
  const auto text = [&](const char* name, const char* long_name, const auto& get) {
    root.texts(name, "row", column<std::string>(rows, get), long_name);
  };
  const auto number = [&](const char* name, const char* long_name, const auto& get) {
    root.variable(name, {"row"}, column<double>(rows, get), {"", long_name});
  };
  text("id", "name of the row in its suite", [](const ScoredRow& r) { return r.id; });
  text("kind", "suite", [](const ScoredRow& r) { return r.kind; });
  text("hardware", "GPU", [](const ScoredRow& r) { return r.hardware; });
  text("quantity", "what was measured; its unit is the end of its name", [](const ScoredRow& r) { return r.quantity; });
  number("measured", "measured value, in the unit of quantity", [](const ScoredRow& r) { return r.measured; });
  number("low", "lowest of several measurements", [](const ScoredRow& r) { return r.low; });
  number("high", "highest of several measurements", [](const ScoredRow& r) { return r.high; });
  number("simulated", "simulated value, in the unit of quantity", [](const ScoredRow& r) { return r.prediction.simulated; });
  number("bound", "closed-form bound that no machine beats", [](const ScoredRow& r) { return r.prediction.bound; });
  number("roofline_baseline", "plain roofline: operands once, datasheet peaks", [](const ScoredRow& r) { return r.prediction.roofline; });
  number("tool_baseline", "roofline at 0.8 of the peaks plus 3 us", [](const ScoredRow& r) { return r.prediction.tool; });
  number("wave", "blocks in lock-step waves (moe_gemm only)", [](const ScoredRow& r) { return r.prediction.wave; });
  number("rel_error", "simulated / measured - 1; for shares the difference", [](const ScoredRow& r) { return r.error; });
  text("status", "ok: scored; skipped: not simulated; flagged: known to be odd, not scored",
       [](const ScoredRow& r) { return name(r.status); });
  text("reason", "of a status other than ok", [](const ScoredRow& r) { return r.reason; });
  text("group", "rows of the suite that are scored together", [](const ScoredRow& r) { return r.prediction.group; });
  text("beyond_bound", "which value is better than the bound; empty: none", [](const ScoredRow& r) {
    return r.simulated_beyond_bound ? "simulated" : r.measured_beyond_bound ? "measured" : "";
  });
}

void write_errors(h5::Group& summary, const Scores& scores, const std::string& prefix, const char* whose,
                  const ErrorScore GroupScore::*member) {
  const auto number = [&](const char* name, const char* long_name, double ErrorScore::*field) {
    summary.variable(prefix + name, {"group"}, column<double>(scores.groups, [&](const GroupScore& g) { return g.*member.*field; }),
                     {"", fmt::format("{} {}", long_name, whose)});
  };
  number("median", "median absolute error of", &ErrorScore::median);
  number("mean", "mean absolute error of", &ErrorScore::mean);
  number("p90", "absolute error that nine of ten rows do not exceed, of", &ErrorScore::p90);
  number("max", "largest absolute error of", &ErrorScore::max);
  number("bias", "median signed error of", &ErrorScore::bias);
}

void write_summary(h5::Group summary, const Scores& scores) {
  const auto& groups = scores.groups;
  summary.coordinate(
      "group", column<std::string>(groups, [](const GroupScore& g) { return fmt::format("{}: {}, {}", g.kind, g.group, g.hardware); }),
      "suite, group of rows and GPU");
  const auto text = [&](const char* name, const char* long_name, const auto& get) {
    summary.texts(name, "group", column<std::string>(groups, get), long_name);
  };
  const auto count = [&](const char* name, const char* long_name, const auto& get) {
    summary.variable(name, {"group"}, column<std::uint64_t>(groups, get), {"1", long_name});
  };
  text("kind", "suite", [](const GroupScore& g) { return g.kind; });
  text("group_name", "group of rows, as in the rows' variable group", [](const GroupScore& g) { return g.group; });
  text("hardware", "GPU", [](const GroupScore& g) { return g.hardware; });
  text("goal", "median error aimed at", [](const GroupScore& g) { return g.goal; });
  text("error_is", "relative, or the difference of shares", [](const GroupScore& g) { return g.points ? "difference" : "relative"; });
  count("rows", "rows of the group, flagged ones not counted", [](const GroupScore& g) { return g.simulated.rows + g.only_bound; });
  count("flagged", "rows known to be odd, not scored", [](const GroupScore& g) { return g.flagged; });
  count("simulated_beyond_bound", "simulated values better than the bound", [](const GroupScore& g) { return g.simulated_beyond_bound; });
  count("measured_beyond_bound", "measured values better than the bound", [](const GroupScore& g) { return g.measured_beyond_bound; });
  write_errors(summary, scores, "", "the simulator", &GroupScore::simulated);
  summary.variable("rank", {"group"}, column<double>(groups, [](const GroupScore& g) { return g.simulated.rank; }),
                   {"", "Spearman's rank correlation of simulated with measured"});
  write_errors(summary, scores, "roofline_", "the plain roofline", &GroupScore::roofline);
  write_errors(summary, scores, "tool_", "the roofline at 0.8 of the peaks plus 3 us", &GroupScore::tool);
  write_errors(summary, scores, "wave_", "lock-step waves", &GroupScore::wave);
}

void write_knees(h5::Group group, const std::vector<Knee>& knees) {
  group.coordinate("gpu", column<std::string>(knees, [](const Knee& k) { return k.hardware; }), "GPU whose read curve has a knee");
  const auto bytes = [&](const char* name, const char* long_name, const auto& get) {
    group.variable(name, {"gpu"}, column<double>(knees, get), {"B", long_name});
  };
  bytes("measured", "size at which the measured rate falls through the mean of its plateaus",
        [](const Knee& k) { return k.measured.bytes; });
  bytes("measured_lower", "largest row's size below the measured knee", [](const Knee& k) { return k.measured.lower; });
  bytes("measured_upper", "smallest row's size above the measured knee", [](const Knee& k) { return k.measured.upper; });
  bytes("simulated", "the same of the simulated rate", [](const Knee& k) { return k.simulated.bytes; });
  group.variable("error", {"gpu"}, column<double>(knees, [](const Knee& k) { return k.error(); }), {"", "simulated / measured - 1"});
}

}  // namespace

std::string validation_h5(const std::vector<ScoredRow>& rows, const Scores& scores, const ValidationOrigin& origin) {
  return h5::build_file([&](h5::Group& root) {
    write_provenance(root, rows, scores, origin);
    write_rows(root, rows);
    if (!scores.groups.empty()) write_summary(root.child("summary"), scores);
    if (!scores.knees.empty()) write_knees(root.child("knee"), scores.knees);
  });
}

}  // namespace rooftrace
