// Copies between host and device by size: pinned memory each way and both ways at once, and pageable memory.
#include "validation/gpu/measure.hpp"

namespace {

using namespace rooftrace::gpu;

constexpr std::uint64_t kMost = 256ULL << 20;

void report(const char* direction, const char* memory, std::uint64_t bytes, const Timing& seconds, double ways) {
  print_row("transfer", std::string("path=pcie direction=") + direction + " host_memory=" + memory + " bytes=" + std::to_string(bytes),
            "bandwidth_GBps", rate_of(seconds, ways * static_cast<double>(bytes) * 1e-9), "GB/s", "cold");
}

}  // namespace

int main() {
  print_header();
  void* pinned_in = nullptr;
  void* pinned_out = nullptr;
  check(cudaMallocHost(&pinned_in, kMost), "pinned memory");
  check(cudaMallocHost(&pinned_out, kMost), "pinned memory");
  std::vector<char> pageable(kMost, 1);
  std::fill_n(static_cast<char*>(pinned_in), kMost, 1);
  auto* const in = allocate<char>(kMost);
  auto* const out = allocate<char>(kMost);
  cudaStream_t stream = nullptr;
  cudaStream_t back = nullptr;
  check(cudaStreamCreate(&stream), "stream");
  check(cudaStreamCreate(&back), "stream");
  cudaEvent_t forked = nullptr;
  cudaEvent_t joined = nullptr;
  check(cudaEventCreateWithFlags(&forked, cudaEventDisableTiming), "event");
  check(cudaEventCreateWithFlags(&joined, cudaEventDisableTiming), "event");
  for (std::uint64_t bytes = 1024; bytes <= kMost; bytes *= 2) {
    // One event pair per copy, not a graph: a graph would hide the start of each copy.
    EventTimer timer(stream);
    const auto timed = [&](const auto& copy) {
      std::vector<double> times;
      for (unsigned i = 0; i < kWarmUps; ++i) timer(copy);
      for (unsigned i = 0; i < (bytes < (64U << 20) ? 25U : 7U); ++i) times.push_back(timer(copy));
      return summary(times);
    };
    report("h2d", "pinned", bytes, timed([&] { check(cudaMemcpyAsync(in, pinned_in, bytes, cudaMemcpyHostToDevice, stream), "h2d"); }), 1);
    report("d2h", "pinned", bytes, timed([&] { check(cudaMemcpyAsync(pinned_out, out, bytes, cudaMemcpyDeviceToHost, stream), "d2h"); }),
           1);
    report("bidirectional", "pinned", bytes, timed([&] {
             check(cudaEventRecord(forked, stream), "event");
             check(cudaStreamWaitEvent(back, forked, 0), "event");
             check(cudaMemcpyAsync(in, pinned_in, bytes, cudaMemcpyHostToDevice, stream), "h2d");
             check(cudaMemcpyAsync(pinned_out, out, bytes, cudaMemcpyDeviceToHost, back), "d2h");
             check(cudaEventRecord(joined, back), "event");
             check(cudaStreamWaitEvent(stream, joined, 0), "event");
           }),
           2);
    report("h2d", "pageable", bytes,
           timed([&] { check(cudaMemcpyAsync(in, pageable.data(), bytes, cudaMemcpyHostToDevice, stream), "h2d"); }), 1);
  }
  return 0;
}
