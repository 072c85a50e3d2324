// rooftrace validate: suites of measurements in, errors out.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <thread>

#include "sim/app/atomic_file.hpp"
#include "sim/app/commands.hpp"
#include "sim/app/config_paths.hpp"
#include "sim/app/console.hpp"
#include "sim/app/validate_report.hpp"
#include "sim/app/validate_run.hpp"
#include "sim/core/error.hpp"
#include "sim/core/names.hpp"

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

}  // namespace

int command_validate(const Options& options) {
  const ConfigPaths paths = ConfigPaths::of_process(options.value("configs").value_or(""));
  const unsigned threads = options.value("threads") ? static_cast<unsigned>(integer_option("threads", *options.value("threads"), 1, 1024))
                                                    : std::max(1U, std::thread::hardware_concurrency());
  const Fidelity fidelity = fidelity_from(options.value("fidelity").value_or("des")).value_or(Fidelity::des);
  const std::string hardware = options.value("hardware").value_or("");
  const auto rows_file = options.value("rows");
  const std::vector<Suite> suites = load_suites(options.suites.empty() ? default_suites(paths) : options.suites);
  if (rows_file) check_writable(*rows_file);

  const Contention contention = options.value("contention").value_or("pooled") == "slices" ? Contention::slices : Contention::pooled;
  Bench bench(paths, fidelity, contention);
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
  if (!options.quiet) print_out(options.value("format").value_or("text") == "json" ? validation_json(scores) : validation_text(scores));
  return kDone;
}

}  // namespace rooftrace
