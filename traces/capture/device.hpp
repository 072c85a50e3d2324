// Where a case (cases.hpp) runs: a CUDA device under nvcc, the shim elsewhere. Named memory, launches, and the capture of launches.
//
// A launch names the kernel twice, with NoTrace and with WarpTrace; the device takes the second while it captures. Memory is 256-byte
// aligned, its size rounded up to 256 B in the allocation table. Errors of CUDA are CaptureError with CUDA's own words.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "traces/capture/capture_file.hpp"
#include "traces/capture/hopper.hpp"
#include "traces/capture/trace.hpp"

#ifdef __CUDACC__
#include <cuda_runtime.h>
#endif

namespace rooftrace::capture {

struct LaunchShape {
  std::string name;
  unsigned grid_x = 1;
  unsigned grid_y = 1;
  unsigned grid_z = 1;
  unsigned threads = 1;
  std::size_t shared_bytes = 0;
};

struct CaptureOptions {
  std::uint32_t capacity = 65536;  ///< Records per warp of a captured block.
  std::uint32_t block_sample = 1;
};

/// Values in [-1, 1) that depend on the seed and the index only; the same on every device and in the references.
RT_HOST_DEVICE float random_value(std::uint64_t seed, std::uint64_t index) {
  std::uint64_t x = (seed * 0x9E3779B97F4A7C15ULL) ^ (index + 0x9E3779B97F4A7C15ULL);
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
  x ^= x >> 31;
  return static_cast<float>(x >> 40) * (2.0F / 16777216.0F) - 1.0F;
}
/// As a kernel sees it.
RT_HOST_DEVICE float random_bf16(std::uint64_t seed, std::uint64_t index) {
  return to_float(to_bf16(random_value(seed, index)));
}

class Device {
 public:
  Device();
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  template <class T>
  T* allocate(const std::string& name, std::uint64_t count) {
    return static_cast<T*>(allocate_bytes(name, count * sizeof(T)));
  }
  template <class T>
  T* allocate(const std::string& name, const std::vector<T>& values) {
    T* const at = allocate<T>(name, values.size());
    upload(at, values.data(), values.size() * sizeof(T));
    return at;
  }
  /// bf16 values random_bf16(seed, 0..count-1), times 2^-shift.
  Bf16* allocate_random(const std::string& name, std::uint64_t count, std::uint64_t seed);
  template <class T>
  [[nodiscard]] std::vector<T> download(const T* from, std::uint64_t count) {
    std::vector<T> values(count);
    download_bytes(values.data(), from, count * sizeof(T));
    return values;
  }
  [[nodiscard]] TensorMap tensor_map(const Bf16* base, std::uint64_t rows, std::uint64_t columns, unsigned box_rows);

  /// Launches from now on are captured into `capture` (nullptr: no more).
  void capture_into(Capture* capture, const CaptureOptions& options = {});
  /// Names, bases and sizes of all memory allocated so far.
  [[nodiscard]] const std::vector<Allocation>& allocations() const { return allocations_; }

  template <class... P, class... Q, class... A>
  void launch(const LaunchShape& shape, void (*plain)(P...), void (*traced)(Q...), const A&... arguments) {
    if (capture_ == nullptr) {
      start(shape, plain, arguments..., NoTrace{});
      return;
    }
    const TraceSlabs slabs = open_slabs(shape);
    start(shape, traced, arguments..., WarpTrace{slabs});
    close_slabs(shape, slabs);
  }
  void synchronize();

#ifdef __CUDACC__
  [[nodiscard]] cudaStream_t stream() const {
    return stream_;
  }
#endif

 private:
  void* allocate_bytes(const std::string& name, std::uint64_t bytes);
  void upload(void* to, const void* from, std::uint64_t bytes);
  void download_bytes(void* to, const void* from, std::uint64_t bytes);
  [[nodiscard]] TraceSlabs open_slabs(const LaunchShape& shape);
  void close_slabs(const LaunchShape& shape, const TraceSlabs& slabs);

  template <class... P, class... A>
  void start(const LaunchShape& shape, void (*kernel)(P...), const A&... arguments) {
#ifdef __CUDACC__
    check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shape.shared_bytes)), shape.name);
    kernel<<<dim3(shape.grid_x, shape.grid_y, shape.grid_z), shape.threads, shape.shared_bytes, stream_>>>(arguments...);
    check(cudaGetLastError(), shape.name);
#else
    shim::run_grid({{shape.grid_x, shape.grid_y, shape.grid_z}, {shape.threads, 1, 1}, shape.shared_bytes}, [&] { kernel(arguments...); });
#endif
  }

#ifdef __CUDACC__
  static void check(cudaError_t error, const std::string& what) {
    if (error != cudaSuccess) throw CaptureError(what + ": " + cudaGetErrorString(error));
  }
  cudaStream_t stream_ = nullptr;
#endif
  std::vector<Allocation> allocations_;
  std::vector<void*> owned_;
  Capture* capture_ = nullptr;
  CaptureOptions options_;
};

/// The head of a capture of this device: source, name, SM count.
[[nodiscard]] Capture new_capture();

}  // namespace rooftrace::capture
