// What the measuring programs of this folder share: errors, timing, and the one form of their output.
//
// A row is `kind,case,quantity,median,min,p90,repeats,unit,l2_state`; `case` is "key=value key=value". Times are of CUDA events around one
// launch, or, for launches under 50 us, around a graph of 20 launches and divided by 20. Before the first timed launch at least three ran.
// cold: launches go round buffers that together are more than twice the L2. warm: the same buffers again and again.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

namespace rooftrace::gpu {

inline void check(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  std::fprintf(stderr, "%s: %s\n", what, cudaGetErrorString(error));
  std::exit(1);
}

struct Timing {
  double median = 0;
  double min = 0;
  double p90 = 0;
  unsigned repeats = 0;
};

inline Timing summary(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  const std::size_t n = values.size();
  return {n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2, values.front(), values[(n - 1) * 9 / 10],
          static_cast<unsigned>(n)};
}

inline double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// A pair of events on one stream.
class EventTimer {
 public:
  explicit EventTimer(cudaStream_t stream) : stream_(stream) {
    check(cudaEventCreate(&begin_), "event");
    check(cudaEventCreate(&end_), "event");
  }
  ~EventTimer() {
    cudaEventDestroy(begin_);
    cudaEventDestroy(end_);
  }
  EventTimer(const EventTimer&) = delete;
  EventTimer& operator=(const EventTimer&) = delete;

  /// Seconds on the device that `work` takes once it is on the stream.
  template <typename Work>
  double operator()(const Work& work) {
    check(cudaEventRecord(begin_, stream_), "event");
    work();
    check(cudaEventRecord(end_, stream_), "event");
    check(cudaEventSynchronize(end_), "timed work");
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, begin_, end_), "event");
    return milliseconds * 1e-3;
  }

 private:
  cudaStream_t stream_;
  cudaEvent_t begin_ = nullptr;
  cudaEvent_t end_ = nullptr;
};

inline constexpr unsigned kWarmUps = 3;
inline constexpr unsigned kGraphLaunches = 20;
inline constexpr double kShort = 50e-6;

/// Seconds per launch(copy), copy going round 0 .. copies-1. 7 to 25 repeats, about `budget` seconds of device time.
template <typename Launch>
Timing time_launches(cudaStream_t stream, unsigned copies, const Launch& launch, double budget = 0.25) {
  EventTimer timer(stream);
  unsigned copy = 0;
  const auto once = [&] {
    launch(copy);
    copy = (copy + 1) % copies;
  };
  for (unsigned i = 0; i + 1 < kWarmUps; ++i) once();
  const double first = timer(once);
  const double each = std::max(first, 1e-6);
  const auto repeats = static_cast<unsigned>(std::clamp(budget / each, 7.0, 25.0));
  std::vector<double> times;
  if (first >= kShort) {
    for (unsigned i = 0; i < repeats; ++i) times.push_back(timer(once));
    return summary(times);
  }
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t ready = nullptr;
  check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), "graph");
  for (unsigned i = 0; i < std::max(kGraphLaunches, copies); ++i) once();
  check(cudaStreamEndCapture(stream, &graph), "graph");
  check(cudaGraphInstantiate(&ready, graph, 0), "graph");
  check(cudaGraphLaunch(ready, stream), "graph");
  for (unsigned i = 0; i < 25; ++i) {
    times.push_back(timer([&] { check(cudaGraphLaunch(ready, stream), "graph"); }) / std::max(kGraphLaunches, copies));
  }
  check(cudaGraphExecDestroy(ready), "graph");
  check(cudaGraphDestroy(graph), "graph");
  return summary(times);
}

inline void print_header() {
  std::printf("kind,case,quantity,median,min,p90,repeats,unit,l2_state\n");
}

inline void print_row(const std::string& kind, const std::string& what, const std::string& quantity, const Timing& t,
                      const std::string& unit, const std::string& state) {
  std::printf("%s,%s,%s,%.9g,%.9g,%.9g,%u,%s,%s\n", kind.c_str(), what.c_str(), quantity.c_str(), t.median, t.min, t.p90, t.repeats,
              unit.c_str(), state.c_str());
  std::fflush(stdout);  // What was measured is kept when the program is stopped.
}

/// Rates from times: the smallest time is the largest rate; `min` stays the best, `p90` what nine of ten repeats reach.
inline Timing rate_of(const Timing& seconds, double amount) {
  return {amount / seconds.median, amount / seconds.min, amount / seconds.p90, seconds.repeats};
}
inline Timing scaled(const Timing& t, double factor) {
  return {t.median * factor, t.min * factor, t.p90 * factor, t.repeats};
}

inline cudaDeviceProp properties() {
  cudaDeviceProp p{};
  check(cudaGetDeviceProperties(&p, 0), "device 0");
  return p;
}

template <class T>
T* allocate(std::uint64_t count) {
  void* at = nullptr;
  check(cudaMalloc(&at, count * sizeof(T)), "cudaMalloc");
  return static_cast<T*>(at);
}

}  // namespace rooftrace::gpu
