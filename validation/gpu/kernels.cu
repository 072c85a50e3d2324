// The kernels of traces/capture on a GPU: timed, counted, run under a profiler, or traced.
//
//   kernels time SET SECONDS       times, after a check against fp64          SET: gemm, llm, profile, trace
//   kernels counters SET SECONDS   hardware counters through CUPTI, cold; then warm where the data fits the L2
//   kernels profile cold|warm      each case of the profile set once between cudaProfilerStart and cudaProfilerStop, for ncu
//   kernels trace FOLDER SECONDS   one .rtcap per case of the trace set
// SECONDS: no new case is begun after that many. Rows as in measure.hpp; a case whose result is wrong is not timed but reported on stderr,
// and the program ends with 1.
#include <cuda_profiler_api.h>

#include "traces/capture/gpu.cu"
#include "validation/gpu/counters.hpp"
#include "validation/gpu/kernel_sets.hpp"
#include "validation/gpu/measure.hpp"
#include "validation/gpu/metrics.hpp"

namespace {

using namespace rooftrace::gpu;
using namespace rooftrace::capture;

constexpr double kWrong = 1e-2;
constexpr double kMostBytes = 40e9;
constexpr double kBudget = 0.1;  ///< Seconds of device time per timing: hundreds of cases fit into a step.

std::string text_of(const KernelCase& c) {
  std::string text = "kernel=" + c.name;
  for (const auto& [key, value] : c.sizes) text += " " + key + "=" + std::to_string(value);
  return c.variant.empty() ? text : text + " variant=" + c.variant;
}

std::vector<KernelCase> set_named(const std::string& name) {
  const bool hopper = properties().major == 9;
  if (name == "gemm") return gemm_set(hopper);
  if (name == "llm") return llm_set();
  if (name == "profile") return profile_set(hopper);
  if (name == "trace") return trace_set(hopper);
  std::fprintf(stderr, "no set \"%s\"; there are: gemm llm profile trace\n", name.c_str());
  std::exit(2);
}

double bytes_of(const Case& c) {
  return static_cast<double>(c.cost().read_bytes + c.cost().write_bytes);
}

/// Copies that make a round longer than twice the L2.
unsigned copies_for(const Case& c) {
  const double round = 2.0 * properties().l2CacheSize;
  return static_cast<unsigned>(std::clamp(round / bytes_of(c) + 1, 1.0, 64.0));
}

bool fits(const Case& c, unsigned copies) {
  std::size_t free = 0;
  std::size_t total = 0;
  check(cudaMemGetInfo(&free, &total), "memory");
  const double needed = bytes_of(c) * 1.5 * copies;  // Half as much again for partial sums, tables and alignment.
  return needed < kMostBytes && needed < 0.8 * static_cast<double>(free);
}

/// Writes twice the L2, so that nothing of the case is left in it.
class Flush {
 public:
  Flush() : bytes_(2ULL * static_cast<std::uint64_t>(properties().l2CacheSize)), at_(allocate<char>(bytes_)) {}
  ~Flush() { cudaFree(at_); }
  Flush(const Flush&) = delete;
  Flush& operator=(const Flush&) = delete;
  void operator()() const {
    check(cudaMemset(at_, 1, bytes_), "flush");
    check(cudaDeviceSynchronize(), "flush");
  }

 private:
  std::uint64_t bytes_;
  char* at_;
};

/// Does `work(case, device)` for every case of a set until the time is up. Answers whether all results were right.
template <typename Work>
bool for_each_case(const std::vector<KernelCase>& set, double seconds, bool rotate, const Work& work) {
  const double end = seconds_now() + seconds;
  bool right = true;
  std::size_t done = 0;
  for (const KernelCase& each : set) {
    if (seconds_now() > end) {
      std::fprintf(stderr, "time is up: %zu of %zu cases done\n", done, set.size());
      break;
    }
    ++done;
    try {
      const auto made = make_case(each.name, each.sizes);
      const unsigned copies = rotate ? copies_for(*made) : 1;
      if (!fits(*made, copies)) {
        std::fprintf(stderr, "skipped, more than 40 GB or than is free: %s\n", text_of(each).c_str());
        continue;
      }
      Device device;
      made->prepare(device, copies);
      made->launch(device, 0);
      device.synchronize();
      const double error = made->error(device);
      if (!(error < kWrong)) {
        std::fprintf(stderr, "WRONG, relative error %g: %s\n", error, text_of(each).c_str());
        right = false;
        continue;
      }
      work(each, *made, device, copies);
    } catch (const CaptureError& error) {
      std::fprintf(stderr, "%s: %s\n", text_of(each).c_str(), error.what());
      right = false;
    }
  }
  return right;
}

bool time_set(const std::string& name, double seconds) {
  print_header();
  const auto time_one = [](const KernelCase& each, Case& made, Device& device, unsigned copies) {
    const auto launch = [&](unsigned copy) { made.launch(device, copy); };
    print_row("kernel", text_of(each), "time_us", scaled(time_launches(device.stream(), copies, launch, kBudget), 1e6), "us", "cold");
    if (copies > 2)
      print_row("kernel", text_of(each), "time_us", scaled(time_launches(device.stream(), 1, launch, kBudget), 1e6), "us", "warm");
  };
  const std::vector<KernelCase> set = set_named(name);
  bool right = for_each_case(set, seconds, true, time_one);
  // The first case once more at the end: how far the card has drifted.
  KernelCase again = set.front();
  again.variant = "repeated";
  return for_each_case({again}, 5, true, time_one) && right;
}

bool count_set(const std::string& name, double seconds) {
  print_header();
  check(cudaFree(nullptr), "context");
  Counters cold(two_pass_metrics());
  if (!cold.available()) {
    std::fprintf(stderr, "no counters: %s\n", cold.why().c_str());
    return false;
  }
  const Flush flush;
  bool counted = true;
  const auto count = [&](const std::vector<KernelCase>& set, double time, Counters& counters, bool warm) {
    return for_each_case(set, time, false, [&](const KernelCase& each, Case& made, Device& device, unsigned) {
      if (warm && bytes_of(made) > 1.5 * properties().l2CacheSize) return;
      const auto work = [&] {
        made.launch(device, 0);
        device.synchronize();
      };
      const std::vector<double> values =
          counters.measure(warm ? std::function<void()>(work) : std::function<void()>(std::cref(flush)), work);
      for (std::size_t i = 0; i < values.size(); ++i) {
        print_row("counter", text_of(each), counters.metrics()[i], {values[i], values[i], values[i], 1}, "", warm ? "warm" : "cold");
      }
      if (values.empty()) {
        std::fprintf(stderr, "%s: %s\n", text_of(each).c_str(), counters.why().c_str());
        counted = false;
      }
    });
  };
  const std::vector<KernelCase> set = set_named(name);
  const bool right_cold = count(set, seconds * 0.8, cold, false);
  const bool right_warm = count(set, seconds * 0.2, cold, true);
  return right_cold && right_warm && counted;
}

bool profile_set_once(bool warm) {
  const Flush flush;
  return for_each_case(set_named("profile"), 1e9, false, [&](const KernelCase& each, Case& made, Device& device, unsigned) {
    std::printf("%s\n", text_of(each).c_str());  // The order of the kernels in the profiler's output.
    std::fflush(stdout);
    if (!warm) flush();
    check(cudaProfilerStart(), "profiler");
    made.launch(device, 0);
    device.synchronize();
    check(cudaProfilerStop(), "profiler");
  });
}

bool trace_all(const std::string& folder, double seconds) {
  const std::vector<KernelCase> set = set_named("trace");
  unsigned number = 0;
  return for_each_case(set, seconds, false, [&](const KernelCase& each, Case& made, Device& device, unsigned) {
    Capture capture = new_capture();
    CaptureOptions options;
    options.capacity = 8192;
    device.capture_into(&capture, options);
    made.launch(device, 0);
    device.synchronize();
    device.capture_into(nullptr);
    capture.allocations = device.allocations();
    capture.note = "producer: rooftrace kernels\ncase: " + text_of(each) + "\n";
    const std::string path = folder + "/" + std::to_string(number++) + "_" + each.name + ".rtcap";
    write_capture(path, capture);
    for (const CapturedKernel& kernel : capture.kernels) {
      const Totals totals = totals_of(kernel);
      std::printf("%s %s: %llu records, %llu dropped, %llu B loaded, %llu B stored\n", path.c_str(), kernel.name.c_str(),
                  static_cast<unsigned long long>(totals.records), static_cast<unsigned long long>(totals.dropped),
                  static_cast<unsigned long long>(totals.load_bytes), static_cast<unsigned long long>(totals.store_bytes));
    }
  });
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  const std::string verb = words.empty() ? "" : words[0];
  if ((verb == "time" || verb == "counters" || verb == "trace") && words.size() == 3) {
    const double seconds = std::atof(words[2].c_str());
    return (verb == "time"       ? time_set(words[1], seconds)
            : verb == "counters" ? count_set(words[1], seconds)
                                 : trace_all(words[1], seconds))
               ? 0
               : 1;
  }
  if (verb == "profile" && words.size() == 2) return profile_set_once(words[1] == "warm") ? 0 : 1;
  std::fprintf(stderr, "usage: kernels time SET SECONDS | counters SET SECONDS | profile cold|warm | trace FOLDER SECONDS\n");
  return 2;
}
