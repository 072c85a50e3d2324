#include "sim/app/trace_import.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <stdexcept>

#include "sim/app/atomic_file.hpp"
#include "sim/app/commands.hpp"
#include "sim/app/console.hpp"
#include "sim/app/run_stages.hpp"
#include "sim/app/version.hpp"
#include "sim/core/error.hpp"
#include "sim/core/units.hpp"
#include "traces/file/trace_writer.hpp"
#include "traces/import/gzip_source.hpp"
#include "traces/import/import_accelsim.hpp"
#include "traces/import/import_capture.hpp"
#include "traces/import/import_csv.hpp"
#include "traces/import/import_kineto.hpp"

namespace rooftrace {
namespace {

constexpr double kMostL1Bytes = 64.0 * 1024 * 1024;

ImportSummary accelsim(const std::string& path, const ImportOptions& options, TraceSink& sink) {
  return import_accelsim(path, options, sink);
}
ImportSummary kineto(const std::string& path, const ImportOptions& options, TraceSink& sink) {
  return import_kineto(*unpack_if_gzip(open_file(path)), options, sink);
}
ImportSummary rooftrace_capture(const std::string& path, const ImportOptions& options, TraceSink& sink) {
  return import_capture(open_seekable(path), options, sink);
}
ImportSummary csv(const std::string& path, const ImportOptions& options, TraceSink& sink) {
  return import_csv([&] { return open_file(path); }, options, sink);
}

struct Format {
  const char* word;
  ImportSummary (*read)(const std::string& path, const ImportOptions& options, TraceSink& sink);
};
constexpr std::array kFormats = {Format{"accelsim", accelsim}, Format{"kineto", kineto}, Format{"rooftrace-capture", rooftrace_capture},
                                 Format{"csv", csv}};

ImportOptions import_options(const Options& options) {
  ImportOptions out;
  if (const auto text = options.value("sms")) out.sms = static_cast<std::uint32_t>(integer_option("sms", *text, 1, 1024));
  if (const auto text = options.value("depth")) out.depth = static_cast<std::uint32_t>(integer_option("depth", *text, 1, 64));
  if (const auto text = options.value("l1")) {
    double bytes = 0;
    try {
      bytes = *text == "0" ? 0 : parse_quantity(*text, Dimension::bytes);
    } catch (const std::invalid_argument& error) {
      throw UserError(fmt::format("--l1: {}", error.what()));
    }
    if (bytes > kMostL1Bytes) throw UserError(fmt::format("--l1: {} is more than 64 MiB", quoted_word(*text)));
    out.l1_bytes = static_cast<std::uint64_t>(std::llround(bytes));
  }
  return out;
}

}  // namespace

std::vector<std::string> import_formats() {
  std::vector<std::string> words;
  for (const Format& format : kFormats) words.emplace_back(format.word);
  return words;
}

int import_trace(const Options& options) {
  std::string all;
  for (const std::string& word : import_formats()) all += (all.empty() ? "" : ", ") + word;
  const auto format = options.value("format");
  if (!format) throw UserError("trace import: which format? Give --format, one of " + all);
  const Format* chosen = nullptr;
  for (const Format& one : kFormats) {
    if (*format == one.word) chosen = &one;
  }
  if (chosen == nullptr) {
    throw UserError("--format: " + quoted_word(*format) + " is not one of " + all + did_you_mean(*format, import_formats()));
  }
  if (options.arguments.size() < 2) throw UserError("trace import: which file?");
  const std::string& input = options.arguments[1];
  const auto output = options.value("output");
  if (!output) throw UserError("trace import: where to? Give -o NAME.trace.h5");
  const ImportOptions import = import_options(options);

  ImportSummary summary;
  AtomicFile file(*output);
  with_threads(thread_count(options), [&] {
    const auto sink = make_trace_writer(file.temporary(), *output);
    sink->add_note("source", std::string("rooftrace ") + version());
    sink->add_note("command", options.command);
    sink->add_note("import.file", input);
    try {
      summary = chosen->read(input, import, *sink);
      for (const auto& [key, value] : summary.notes()) sink->add_note(key, value);
      sink->finish();
    } catch (const std::invalid_argument& error) {  // More than a trace file may hold.
      throw UserError({input}, error.what());
    } catch (const std::length_error& error) {  // Accesses scattered over more pages than are counted.
      throw UserError({input}, error.what());
    }
  });
  file.commit();
  if (!options.quiet) print_out(summary.text());
  Notes(options.quiet).note("wrote " + *output);
  return kDone;
}

}  // namespace rooftrace
