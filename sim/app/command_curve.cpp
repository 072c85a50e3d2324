// rooftrace curve: Q at HBM for every capacity of L2 from one pass over the trace.
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <future>
#include <thread>
#include <vector>

#include "sim/app/atomic_file.hpp"
#include "sim/app/commands.hpp"
#include "sim/app/console.hpp"
#include "sim/app/curve_report.hpp"
#include "sim/app/run_scenario.hpp"
#include "sim/core/error.hpp"

namespace rooftrace {
namespace {

constexpr unsigned kMaxThreads = 1024;
constexpr std::uint64_t kSmallest = 1ULL << 20;  ///< Below 1 MiB no GPU has its L2, and every loop fits or none does.
constexpr double kKneeShare = 0.01;
/// Where the real cache is asked: shares of the machine's own capacity.
constexpr std::array<double, 4> kTruthAt = {0.25, 0.5, 1, 2};

unsigned thread_count(const Options& options) {
  if (const auto text = options.value("threads")) return static_cast<unsigned>(integer_option("threads", *text, 1, kMaxThreads));
  return std::max(1U, std::thread::hardware_concurrency());
}

void add_rows(CurveReport& report, const L2Spec& l2) {
  report.knees = find_knees(report.curve, kSmallest, kKneeShare);
  report.capacities = curve_capacities(report.curve, kSmallest, 4 * l2.effective);
  report.capacities.push_back(report.curve.exact_capacity(l2.effective));
  for (const Knee& knee : report.knees) report.capacities.push_back(knee.capacity);
  std::sort(report.capacities.begin(), report.capacities.end());
  report.capacities.erase(std::unique(report.capacities.begin(), report.capacities.end()), report.capacities.end());
}

/// job(0) to job(count - 1), each once, begun in this order; what one throws comes out here when all workers are done.
template <class Job>
void run_jobs(std::size_t count, unsigned threads, const Job& job) {
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    for (std::size_t i = next++; i < count; i = next++) job(i);
  };
  std::vector<std::future<void>> others;
  for (std::size_t t = 1; t < std::min<std::size_t>(threads, count); ++t) others.push_back(std::async(std::launch::async, work));
  work();
  for (std::future<void>& other : others) other.get();
}

/// The curve and every run of the real cache are jobs of their own; they share only the traces, which nobody changes.
std::vector<CurveReport> run_all(const Scenario& scenario, unsigned threads) {
  const std::size_t stages = scenario.stages.size();
  constexpr std::size_t kJobs = 1 + kTruthAt.size();
  std::vector<Trace> traces;
  std::vector<CurveReport> reports(stages);
  for (std::size_t s = 0; s < stages; ++s) {
    traces.push_back(trace_workload(scenario, scenario.stages[s]));
    reports[s].stage = scenario.stages[s];
    reports[s].truth.resize(kTruthAt.size());
  }
  std::vector<double> seconds(stages * kJobs);
  const auto job = [&](std::size_t i) {
    const auto start = std::chrono::steady_clock::now();
    const std::size_t s = i % stages;
    const std::size_t j = i / stages;  // the curves first: they take longest
    if (j == 0) {
      reports[s].curve = miss_curve(scenario, traces[s], scenario.stages[s].stage);
    } else {
      const double capacity = static_cast<double>(scenario.machine.l2.effective) * kTruthAt[j - 1];
      reports[s].truth[j - 1] = truth_at(scenario, scenario.stages[s], traces[s], static_cast<std::uint64_t>(capacity));
    }
    seconds[i] = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  run_jobs(stages * kJobs, threads, job);
  for (std::size_t s = 0; s < stages; ++s) {
    for (std::size_t j = 1; j < kJobs; ++j) reports[s].truth_seconds += seconds[j * stages + s];
    add_rows(reports[s], scenario.machine.l2);
  }
  return reports;
}

}  // namespace

int command_curve(const Options& options) {
  const ConfigPaths paths = ConfigPaths::of_process(options.value("configs").value_or(""));
  const Scenario scenario = load_scenario(options, paths);
  const unsigned threads = thread_count(options);
  const auto output = options.value("output");
  if (output) check_writable(*output);

  const Notes notes(options.quiet);
  const std::vector<CurveReport> reports = run_all(scenario, threads);
  const CurveHeader header{options.command, &scenario};
  if (output) {
    write_file_atomically(*output, curve_svg(header, reports));
    notes.note("wrote " + *output);
  }
  if (!options.quiet) {
    print_out(options.value("format").value_or("text") == "json" ? curve_json(header, reports) : curve_text(header, reports));
  }
  return kDone;
}

}  // namespace rooftrace
