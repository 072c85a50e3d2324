// rooftrace calibrate: constants of one machine from suites of measurements, and its file with their provenance.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <set>
#include <thread>

#include "sim/app/atomic_file.hpp"
#include "sim/app/calibrate_file.hpp"
#include "sim/app/calibrate_fit.hpp"
#include "sim/app/commands.hpp"
#include "sim/app/console.hpp"
#include "sim/app/table.hpp"
#include "sim/app/validate_run.hpp"
#include "sim/core/config.hpp"
#include "sim/core/error.hpp"
#include "sim/core/text_file.hpp"
#include "sim/machine/machine_load.hpp"

namespace rooftrace {
namespace {

namespace fs = std::filesystem;

std::string in_percent(double share) {
  return std::isnan(share) ? "-" : fmt::format("{:.1f}", share * 100);
}

std::string constants_text(const Calibration& result) {
  Table table({{"", "constant"}, {"", "before"}, {"", "after"}, {"", "note"}});
  for (const FittedKey& fitted : result.keys) {
    table.row({fitted.key->name, value_text(*fitted.key, fitted.before), value_text(*fitted.key, fitted.after),
               !fitted.matters  ? "no row depends on it"
               : fitted.moved() ? "-"
                                : "best as it is"});
  }
  return table.text();
}

std::string groups_text(const Calibration& result) {
  Table table({{"", "suite: rows"},
               {"", "rows"},
               {"median error in %", "before"},
               {"median error in %", "after"},
               {"p90 error in %", "before"},
               {"p90 error in %", "after"}});
  const Scores before = score_all(result.before), after = score_all(result.after);
  const auto row = [&](const std::string& name, const ErrorScore& a, const ErrorScore& b) {
    table.row({name, std::to_string(a.rows), in_percent(a.median), in_percent(b.median), in_percent(a.p90), in_percent(b.p90)});
  };
  for (std::size_t i = 0; i < before.groups.size() && i < after.groups.size(); ++i) {
    if (before.groups[i].simulated.rows == 0) continue;
    row(before.groups[i].kind + ": " + before.groups[i].group, before.groups[i].simulated, after.groups[i].simulated);
  }
  table.rule();
  row("all", all_errors(result.before), all_errors(result.after));
  std::string text = table.text();
  if (after.skipped + after.flagged != 0) {
    text += fmt::format("not fitted to: {} skipped and {} flagged rows (rooftrace validate says why)\n", after.skipped, after.flagged);
  }
  return text;
}

std::vector<NewValue> new_values(const Calibration& result, const std::vector<Suite>& suites) {
  std::set<std::string> kinds;
  for (const Suite& suite : suites) kinds.insert(suite.kind);
  const ErrorScore before = all_errors(result.before), after = all_errors(result.after);
  std::vector<NewValue> values;
  for (const FittedKey& fitted : result.keys) {
    if (!fitted.moved()) continue;
    values.push_back(
        {fitted.key->name, value_text(*fitted.key, fitted.after),
         fmt::format("calibrated: rooftrace calibrate, suites {}; {} rows; median error {} % -> {} %; was {}", fmt::join(kinds, ", "),
                     after.rows, in_percent(before.median), in_percent(after.median), value_text(*fitted.key, fitted.before))});
  }
  return values;
}

/// The file's new text, once it has been read as the machine it is meant to be.
std::string rewritten(const std::string& text, const std::string& source, const std::string& target, const Calibration& result,
                      const std::vector<Suite>& suites) {
  const std::string changed = with_values(text, source, new_values(result, suites));
  const ConfigDocument document = ConfigDocument::parse(changed, target);  // `extends` counts from the folder of the target.
  const MachineSpec machine = load_machine(document.root(), result.machine.name);
  for (const FittedKey& fitted : result.keys) {
    const double read = fitted.key->get(machine);
    if (std::abs(read - fitted.after) > 1e-9 * fitted.after)
      throw UserError(SourceLocation{target}, fmt::format("{} would not read back as fitted", fitted.key->name));
  }
  return changed;
}

/// What would be refused when the file is written is refused before hours of work are spent.
void check_rewritable(const std::string& text, const std::string& source, const std::string& target, const MachineSpec& machine,
                      const std::vector<const CalibrateKey*>& keys) {
  std::vector<NewValue> same;
  for (const CalibrateKey* key : keys) same.push_back({key->name, value_text(*key, key->get(machine)), "trial"});
  static_cast<void>(ConfigDocument::parse(with_values(text, source, same), target));
}

/// Only rows of this machine, wherever they stand.
std::size_t rows_of(const std::vector<Suite>& suites, const std::string& hardware) {
  std::size_t count = 0;
  for (const Suite& suite : suites) {
    for (const SuiteRow& row : suite.rows) count += row.text("hardware") == hardware ? 1 : 0;
  }
  return count;
}

}  // namespace

int command_calibrate(const Options& options) {
  if (options.arguments.empty())
    throw UserError("calibrate: name a machine, as in \"rooftrace calibrate h100-sxm --suite gemm.csv --fit sm.tensor_clock\"");
  if (options.suites.empty()) throw UserError("calibrate: name the measurements with --suite FILE.csv");
  if (!options.value("fit")) throw UserError("calibrate: name the constants with --fit KEY,...");
  ConfigPaths paths = ConfigPaths::of_process(options.value("configs").value_or(""));
  paths.remember_files();
  const unsigned threads = options.value("threads") ? static_cast<unsigned>(integer_option("threads", *options.value("threads"), 1, 1024))
                                                    : std::max(1U, std::thread::hardware_concurrency());
  const ConfigFile file = paths.find(ConfigKind::hardware, options.arguments.front());
  HardwareChoice choice = choose_hardware(options.arguments.front(), {}, paths);
  choice.machine.name = fs::path(file.path).stem().string();  // What rows call it.
  const std::vector<const CalibrateKey*> keys = keys_to_fit(*options.value("fit"), choice.machine);
  std::vector<std::string> files = options.suites;
  files.insert(files.end(), options.arguments.begin() + 1, options.arguments.end());
  const std::vector<Suite> suites = load_suites(files);
  if (rows_of(suites, choice.machine.name) == 0) {
    throw UserError(fmt::format("calibrate: the suites have no row for {}", quoted_word(choice.machine.name)));
  }
  const auto output = options.value("output");
  const std::string text = read_text_file(file.path);
  if (output) {
    check_writable(*output);
    check_rewritable(text, file.path, *output, choice.machine, keys);
  }

  const bool show = !options.quiet && isatty(STDERR_FILENO) != 0;
  const Calibration result = calibrate(
      choice.machine, keys,
      [&](const MachineSpec& machine) {
        Bench bench(paths, Fidelity::des);
        bench.use(machine);
        return run_suites(suites, machine.name, bench, threads, {});
      },
      [&](std::size_t evaluation, std::size_t most, const CalibrateKey* key, double value, double error) {
        if (!show) return;
        const std::string now = key == nullptr ? "as it is" : fmt::format("{} {}", key->name, value_text(*key, value));
        const std::string line =
            fmt::format("calibrate: {} of at most {} simulations, {}: median error {:.2f} %", evaluation, most, now, error * 100);
        std::fprintf(stderr, "\r%-100s", line.c_str());
      });
  if (show) std::fprintf(stderr, "\n");
  if (!options.quiet) {
    print_out(fmt::format("{}: {} simulations of {} rows\n\n{}\n{}", choice.machine.name, result.evaluations, result.before.size(),
                          constants_text(result), groups_text(result)));
  }
  const Notes notes(options.quiet);
  if (!output) {
    notes.note("nothing written (-o FILE.yaml writes the machine's file with these constants)");
    return kDone;
  }
  write_file_atomically(*output, rewritten(text, file.path, *output, result, suites));
  notes.note("wrote " + *output);
  return kDone;
}

}  // namespace rooftrace
