// The table of measuring methods.
#include "sim/app/suite_protocol.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <string_view>

namespace rooftrace {
namespace {

struct Entry {
  std::string_view source;  ///< Part of the column `source`, in small letters there and here.
  Protocol protocol;
};

// aiconfigurator: its collector captures the operator in a CUDA graph, replays the graph six times and divides the interval between two
// events (collector/helper.py, collector/*/collect_attn.py, collect_gemm.py). The gap between replays: calibrated on the skinny GEMMs of
// one copy per graph, 8192 x 8192 in bf16, m = 1 to 16: 3.6 to 4.4 us on H100, and 3.5 us on A100 after its bandwidth; one value for all
// hosts.
constexpr double kReplayGap = 4e-6;

// From one kernel of a replayed operator to the next, as a share of the machine's gap. That one is calibrated on GEMMs alone and holds what
// a GEMM spends before its first load; the first kernel of a replay keeps it whole, so that GEMMs stay what they are. Calibrated: the
// smallest decode rows of vLLM's attention, 1 x 256 (18.3 us on A100 for four kernels, 12.3 us on H100 for three), less what is
// simulated: 1.5 of 3.5 us and 0.7 of 2.3; the mean of the two shares.
constexpr double kWithinGraph = 0.37;

// LLMCompass: wall clock around one call and a synchronisation (software_model/*.py); gelu and layernorm are compiled functions, softmax is
// an eager call. Calibrated on the smallest row of softmax (13.1 us) and of gelu (48.2 us), A100, less the simulated kernel.
constexpr double kEagerCall = 8e-6;
constexpr double kCompiledCall = 43e-6;

// vidur's collectives: each rank's host launches eleven all-reduces one by one through torch.distributed under the profiler, and the median
// duration of rank 0's kernels is written down, of three tries (vidur/profiling/collectives/collectives_wrapper.py; its CUDA graphs are
// switched off there). A kernel ends when the last rank has launched its own, so while rank 0's host is ahead of another a message that is
// shorter than the interval between two launches takes that interval, whatever it carries; where rank 0 is the slowest host its kernels
// show no wait. Which of the two a row shows is chance: three tries of one row say 10 to 59 us. The interval: 61 us, the median of the five
// smallest messages of its two machines (7, 10, 61, 62, 66 us); 35 to 70 us of host per call elsewhere (pytorch pull request 147820).
constexpr double kProfiledLaunch = 61e-6;

constexpr std::array kEntries{
    Entry{"aiconfigurator",
          {.per_replay = kReplayGap,
           .within_graph = kWithinGraph,
           .attention_writes_kv = true,
           .attention_calls_varlen = true,
           .rotates_weights = true}},
    Entry{"llmcompass", {.eager_call = kEagerCall, .compiled_call = kCompiledCall, .repeats_buffers = true}},
    // vidur's GEMMs: kernel times of the profiler, PyTorch 2 with the cuBLAS of CUDA 12.1 (assumed from the date of its H100 profiles).
    Entry{"vidur", {.launch_interval = kProfiledLaunch, .gemm_library = GemmLibrary::of_2023}},
    // Azure's GEMMs are cuBLASLt's own, operands initialised in fp8 or fp4 (Benchmarks/GEMMCublasLt.py).
    Entry{"azure", {.narrow_operands = true}},
};

constexpr Protocol kPlain{};

}  // namespace

const Protocol& protocol_of(const SuiteRow& row) {
  if (!row.has("source")) return kPlain;
  std::string source = row.text("source");
  std::transform(source.begin(), source.end(), source.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const auto found =
      std::find_if(kEntries.begin(), kEntries.end(), [&](const Entry& e) { return source.find(e.source) != std::string::npos; });
  return found == kEntries.end() ? kPlain : found->protocol;
}

double weight_copies(std::uint64_t l2_bytes, std::uint64_t weight_bytes) {
  const double copies = std::ceil(static_cast<double>(l2_bytes) / static_cast<double>(std::max<std::uint64_t>(weight_bytes, 1)));
  return std::clamp(copies, 1.0, 5.0);
}

}  // namespace rooftrace
