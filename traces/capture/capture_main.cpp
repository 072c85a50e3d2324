// rooftrace-capture-cpu (and, compiled by nvcc, rooftrace-capture): runs one case and writes what its warps did to global memory.
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

#include "traces/capture/cases.hpp"

namespace {

using rooftrace::capture::Capture;
using rooftrace::capture::CapturedKernel;
using rooftrace::capture::CaptureError;
using rooftrace::capture::Source;

// A relative error above this is a wrong kernel: bf16 outputs are rounded by at most 2^-9, weights of attention once more.
constexpr double kWrong = 1e-2;

constexpr const char* kHelp = R"(usage: rooftrace-capture-cpu list
       rooftrace-capture-cpu CASE [SIZE=NUMBER]... [-o FILE.rtcap] [--capacity RECORDS] [--sample N]
       rooftrace-capture-cpu compare ONE.rtcap OTHER.rtcap

Runs a kernel of traces/capture with its tracing policy, checks its result against fp64, prints what it moved and writes the records.

  -o FILE.rtcap        the capture, for `rooftrace trace import --format rooftrace-capture`; without it nothing is written
  --capacity RECORDS   room per warp (default 65536); more are counted, not kept, and the capture is marked incomplete
  --sample N           capture only blocks 0, N, 2N ...

compare says whether two captures hold the same accesses to the same named memory, wherever that lay; clocks and SMs are left out. So a
capture from a GPU can be held against this program's of the same case.

Exit codes: 0; 1: the kernel's result is wrong, or the captures differ; 2: a mistake in the command.
)";

struct Arguments {
  std::string name;
  std::string out;
  rooftrace::capture::Sizes sizes;
  rooftrace::capture::CaptureOptions options;
};

std::uint64_t number_of(const std::string& text, const std::string& what) {
  if (text.empty() || text.size() > 18 || text.find_first_not_of("0123456789") != std::string::npos) {
    throw CaptureError(what + ": \"" + text + "\" is not a whole number");
  }
  return std::stoull(text);
}

Arguments parse(const std::vector<std::string>& words) {
  Arguments arguments;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word == "-o" || word == "--capacity" || word == "--sample") {
      if (i + 1 == words.size()) throw CaptureError(word + " needs a value");
      const std::string& value = words[++i];
      if (word == "-o") {
        arguments.out = value;
        continue;
      }
      const std::uint64_t number = number_of(value, word);
      if (number == 0 || number > (1U << 24)) throw CaptureError(word + ": 1 to 16777216");
      (word == "--sample" ? arguments.options.block_sample : arguments.options.capacity) = static_cast<std::uint32_t>(number);
    } else if (word.find('=') != std::string::npos) {
      const std::string value = word.substr(word.find('=') + 1);
      arguments.sizes[word.substr(0, word.find('='))] = number_of(value, word);
    } else if (word[0] == '-' || !arguments.name.empty()) {
      throw CaptureError("unexpected \"" + word + "\"; see --help");
    } else {
      arguments.name = word;
    }
  }
  if (arguments.name.empty()) throw CaptureError("which case? `list` names them");
  return arguments;
}

void list() {
  for (const auto& kind : rooftrace::capture::case_kinds()) {
    std::printf("%-16s %s;", kind.name.c_str(), kind.what.c_str());
    for (const auto& [key, value] : kind.sizes) std::printf(" %s=%llu", key.c_str(), static_cast<unsigned long long>(value));
    std::printf("\n");
  }
}

int run(const Arguments& arguments) {
  const auto chosen = rooftrace::capture::make_case(arguments.name, arguments.sizes);
  rooftrace::capture::Device device;
  Capture capture = rooftrace::capture::new_capture();
  chosen->prepare(device, 1);
  device.capture_into(&capture, arguments.options);
  chosen->launch(device, 0);
  device.synchronize();
  device.capture_into(nullptr);
  const double error = chosen->error(device);
  capture.allocations = device.allocations();
  if (capture.source == Source::cpu_shim) rebase(capture);
  capture.note = "producer: rooftrace-capture\ncase: " + arguments.name;
  for (const auto& [key, value] : arguments.sizes) capture.note += " " + key + "=" + std::to_string(value);
  capture.note += "\n";

  for (const CapturedKernel& kernel : capture.kernels) {
    const rooftrace::capture::Totals totals = totals_of(kernel);
    std::printf("%-14s %u x %u x %u blocks: %llu records, %llu dropped; %llu B loaded, %llu B stored, %llu FLOP marked\n",
                kernel.name.c_str(), kernel.entry.grid[0], kernel.entry.grid[1], kernel.entry.grid[2],
                static_cast<unsigned long long>(totals.records), static_cast<unsigned long long>(totals.dropped),
                static_cast<unsigned long long>(totals.load_bytes), static_cast<unsigned long long>(totals.store_bytes),
                static_cast<unsigned long long>(totals.flop));
    if (totals.dropped > 0) std::fprintf(stderr, "warning: %s: the capture is incomplete; a larger --capacity?\n", kernel.name.c_str());
  }
  std::printf("relative error against fp64: %.2e\n", error);
  if (!(error < kWrong)) {
    std::fprintf(stderr, "the result of %s is wrong; nothing written\n", arguments.name.c_str());
    return 1;
  }
  if (!arguments.out.empty()) write_capture(arguments.out, capture);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const std::vector<std::string> words(argv + 1, argv + argc);
    if (words.empty() || words[0] == "--help" || words[0] == "-h") {
      std::fputs(kHelp, words.empty() ? stderr : stdout);
      return words.empty() ? 2 : 0;
    }
    if (words[0] == "list") {
      list();
      return 0;
    }
    if (words[0] == "compare") {
      if (words.size() != 3) throw CaptureError("compare needs two files");
      const std::string what = difference(rooftrace::capture::read_capture(words[1]), rooftrace::capture::read_capture(words[2]));
      std::printf("%s\n", what.empty() ? "the same" : what.c_str());
      return what.empty() ? 0 : 1;
    }
    return run(parse(words));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
