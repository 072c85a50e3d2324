// rooftrace validate: suites of measurements in, errors out.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <optional>
#include <set>
#include <sstream>
#include <thread>

#include "sim/app/atomic_file.hpp"
#include "sim/app/commands.hpp"
#include "sim/app/config_paths.hpp"
#include "sim/app/console.hpp"
#include "sim/app/report_hdf5_validation.hpp"
#include "sim/app/sha1.hpp"
#include "sim/app/validate_picture.hpp"
#include "sim/app/validate_report.hpp"
#include "sim/app/validate_run.hpp"
#include "sim/core/error.hpp"
#include "sim/core/names.hpp"
#include "sim/core/text_file.hpp"

namespace rooftrace {
namespace {

namespace fs = std::filesystem;

/// validation/suites beside the folder of configs.
std::vector<std::string> default_suites(const ConfigPaths& paths) {
  for (const std::string& folder : paths.folders()) {
    const fs::path suites = fs::path(folder).parent_path() / "validation" / "suites";
    std::error_code error;
    if (fs::is_directory(suites, error)) return {suites.string()};
  }
  throw UserError("validate: no validation/suites beside the configs; name a suite with --suite FILE.csv or --suite DIR");
}

/// Creates the folder, unless it is there.
void make_folder(const std::string& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error || !fs::is_directory(folder, error)) throw UserError(SourceLocation{folder}, "this folder cannot be made");
  check_writable((fs::path(folder) / "gemm.svg").string());  // Any of the names.
}

ValidationOrigin origin_of(const Options& options, const std::vector<Suite>& suites, const std::vector<ScoredRow>& rows, Bench& bench) {
  ValidationOrigin origin{options.command, std::string(name(bench.fidelity())), {}, ""};
  for (const Suite& suite : suites) origin.suites.push_back(suite.path + " " + sha1(read_text_file(suite.path, kSuiteLimit)));
  std::set<std::string> machines;
  for (const ScoredRow& row : rows) {
    if (row.status != RowStatus::skipped) machines.insert(row.hardware);
  }
  for (const std::string& machine : machines) {
    origin.machines += machine + ":\n";
    std::istringstream lines(bench.machine_text(machine));
    for (std::string line; std::getline(lines, line);) origin.machines += "  " + line + "\n";
  }
  return origin;
}

}  // namespace

int command_validate(const Options& options) {
  const ConfigPaths paths = ConfigPaths::of_process(options.value("configs").value_or(""));
  const unsigned threads = options.value("threads") ? static_cast<unsigned>(integer_option("threads", *options.value("threads"), 1, 1024))
                                                    : std::max(1U, std::thread::hardware_concurrency());
  const Fidelity fidelity = fidelity_from(options.value("fidelity").value_or("des")).value_or(Fidelity::des);
  const std::string hardware = options.value("hardware").value_or("");
  const auto rows_file = options.value("rows");
  const std::vector<Suite> suites = load_suites(options.suites.empty() ? default_suites(paths) : options.suites);
  const auto report_file = options.value("output");
  const auto plots = options.value("plots");
  if (rows_file) check_writable(*rows_file);
  if (report_file) check_writable(*report_file);
  if (plots) make_folder(*plots);

  std::optional<Contention> contention;  // else as each kind of row needs it
  if (const auto word = options.value("contention")) contention = *word == "slices" ? Contention::slices : Contention::pooled;
  Bench bench(paths, fidelity, contention, layers_from(options.value("layers").value_or("sample")));
  const bool show = !options.quiet && isatty(STDERR_FILENO) != 0;
  const std::vector<ScoredRow> rows = run_suites(suites, hardware, bench, threads, [&](std::size_t done, std::size_t all) {
    if (show) std::fprintf(stderr, "\rvalidate: %zu of %zu rows%s", done, all, done == all ? "\n" : "");
  });
  if (rows.empty() && !hardware.empty()) throw UserError("--hardware: no suite has a row for " + quoted_word(hardware));

  if (rows_file) {
    write_file_atomically(*rows_file, validation_rows(rows));
    Notes(options.quiet).note("wrote " + *rows_file);
  }
  const Scores scores = score_all(rows);
  if (report_file) {
    write_file_atomically(*report_file, validation_h5(rows, scores, origin_of(options, suites, rows, bench)));
    Notes(options.quiet).note("wrote " + *report_file);
  }
  if (plots) {
    const std::vector<Picture> pictures = validation_pictures(rows);
    for (const Picture& picture : pictures) write_file_atomically((fs::path(*plots) / picture.file).string(), picture.svg);
    Notes(options.quiet).note(fmt::format("wrote {} pictures into {}", pictures.size(), *plots));
  }
  if (!options.quiet) print_out(options.value("format").value_or("text") == "json" ? validation_json(scores) : validation_text(scores));
  return kDone;
}

}  // namespace rooftrace
