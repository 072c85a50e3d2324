// How many records per second go into a trace file, and come out of it? A record is an access with its share of a step. Goals, one core: 15
// million written (compression included), 30 million read; the counter `of_goal` is the ratio. Sizes: stored bytes per record.
//
// The trace is a decode and a prefill GEMM of Llama-3.1-8B's FFN on an H100 (two accesses a step), then attention over a KV cache of
// shuffled pages (many accesses a step): regular and irregular addresses.
#include <benchmark/benchmark.h>
#include <tbb/global_control.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>

#include "sim/app/run_scenario.hpp"
#include "sim/app/scenario.hpp"
#include "traces/file/save_trace.hpp"
#include "traces/file/trace_file.hpp"
#include "traces/file/trace_writer.hpp"

namespace rooftrace {
namespace {

constexpr double kWriteGoal = 15e6, kReadGoal = 30e6;

/// A folder that goes away.
class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "rooftrace-bench-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary folder");
    path_ = pattern;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  [[nodiscard]] std::string file() const { return path_ / "bench.trace.h5"; }

 private:
  std::filesystem::path path_;
};

/// Steps in memory, so that making them is not timed.
class Recorded final : public BlockProgram {
 public:
  explicit Recorded(const Kernel& kernel) : blocks_(kernel.grid) {
    for (std::uint32_t b = 0; b < kernel.grid; ++b) {
      blocks_[b].resize(kernel.program->steps(b));
      for (std::uint32_t s = 0; s < blocks_[b].size(); ++s) kernel.program->fill(b, s, blocks_[b][s]);
    }
  }
  [[nodiscard]] std::uint32_t steps(std::uint32_t block) const override { return static_cast<std::uint32_t>(blocks_[block].size()); }
  void fill(std::uint32_t, std::uint32_t, Step&) const override { throw std::logic_error("not for replay"); }
  [[nodiscard]] const Step& at(std::uint32_t block, std::uint32_t step) const { return blocks_[block][step]; }

 private:
  std::vector<std::vector<Step>> blocks_;
};

Trace trace_of(const std::string& stage, const std::string& kernels, const std::string& batch) {
  const std::vector<std::string> line = {"simulate", "--hardware", "h100-sxm", "--model", "llama-3.1-8b",  "--stage",
                                         stage,      "--batch",    batch,      "--set",   "model.layers=1"};
  const Scenario scenario = load_scenario(parse_options(line), ConfigPaths::of_process(""));
  Trace trace = trace_workload(scenario, scenario.stages.front());
  std::erase_if(trace.kernels, [&](const Kernel& kernel) { return name(kernel.kernel_class) != kernels; });
  for (Kernel& kernel : trace.kernels) kernel.waits_for.clear();
  return trace;
}

/// The kernels of one layer, `layers` times, each time an arena further up: what is replayed fits the host's caches, what is written does
/// not repeat.
std::uint64_t write(const Trace& trace, const std::vector<Recorded>& recorded, std::uint32_t layers, const std::string& path) {
  std::uint64_t accesses = 0;
  const auto sink = make_trace_writer(path);
  sink->begin_stage({});
  Step moved;
  for (std::uint64_t i = 0; i < layers * trace.kernels.size(); ++i) {
    const std::size_t k = i % trace.kernels.size();
    const std::uint64_t up = i / trace.kernels.size() * kFrameBytes;
    sink->begin_kernel(trace.kernels[k]);
    for (std::uint32_t b = 0; b < trace.kernels[k].grid; ++b) {
      for (std::uint32_t s = 0; s < recorded[k].steps(b); ++s) {
        const Step& step = recorded[k].at(b, s);
        moved.loads = step.loads;
        moved.stores = step.stores;
        for (Access& access : moved.loads) access.address += up;
        for (Access& access : moved.stores) access.address += up;
        sink->add_step(b, s, moved.loads, step.work, moved.stores);
        accesses += step.loads.size() + step.stores.size();
      }
    }
    sink->end_kernel();
  }
  sink->end_stage();
  sink->finish();
  return accesses;
}

std::vector<Recorded> record(const Trace& trace) {
  std::vector<Recorded> out;
  for (const Kernel& kernel : trace.kernels) out.emplace_back(kernel);
  return out;
}

void count(benchmark::State& state, std::uint64_t records, double goal, std::uint64_t bytes) {
  const auto all = static_cast<double>(records) * static_cast<double>(state.iterations());
  state.counters["records"] = benchmark::Counter(all, benchmark::Counter::kIsRate);
  state.counters["of_goal"] = benchmark::Counter(all / goal, benchmark::Counter::kIsRate);
  state.counters["bytes_a_record"] = static_cast<double>(bytes) / static_cast<double>(records);
}

void write_records(benchmark::State& state, const std::string& stage, const std::string& kernels, const std::string& batch,
                   std::uint32_t layers) {
  const tbb::global_control one(tbb::global_control::max_allowed_parallelism, 1);
  const Folder folder;
  const Trace trace = trace_of(stage, kernels, batch);
  const std::vector<Recorded> recorded = record(trace);
  std::uint64_t accesses = 0;
  for (auto _ : state) accesses = write(trace, recorded, layers, folder.file());
  count(state, accesses, kWriteGoal, std::filesystem::file_size(folder.file()));
}

void read_records(benchmark::State& state, const std::string& stage, const std::string& kernels, const std::string& batch,
                  std::uint32_t layers) {
  const tbb::global_control one(tbb::global_control::max_allowed_parallelism, 1);
  const Folder folder;
  const Trace trace = trace_of(stage, kernels, batch);
  const std::uint64_t accesses = write(trace, record(trace), layers, folder.file());
  for (auto _ : state) {
    const TraceFile file = open_trace_file(folder.file());
    Step step;
    std::uint64_t sum = 0;
    for (const Kernel& kernel : file.stages.front().trace.kernels) {
      for (std::uint32_t b = 0; b < kernel.grid; ++b) {
        const std::uint32_t steps = kernel.program->steps(b);
        for (std::uint32_t s = 0; s < steps; ++s) {
          step.clear();
          kernel.program->fill(b, s, step);
          sum += step.loads.size() + step.stores.size();
        }
      }
    }
    if (sum != accesses) throw std::logic_error("records were lost");
  }
  count(state, accesses, kReadGoal, std::filesystem::file_size(folder.file()));
}

BENCHMARK_CAPTURE(write_records, decode_gemm, "decode", "ffn_up", "1", 96)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(write_records, prefill_gemm, "prefill", "ffn_up", "1", 16)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(write_records, paged_attention, "decode", "attention", "64", 16)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(read_records, decode_gemm, "decode", "ffn_up", "1", 96)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(read_records, prefill_gemm, "prefill", "ffn_up", "1", 16)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(read_records, paged_attention, "decode", "attention", "64", 16)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace rooftrace

BENCHMARK_MAIN();
