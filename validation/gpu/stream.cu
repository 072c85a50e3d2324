// STREAM-like kernels over arrays of 1 GiB (fp32): read, write, copy, add, triad, and cudaMemset and cudaMemcpy on the device.
//
// Each thread moves 16 bytes per array and instruction, four in flight. Bytes counted: every array read or written once.
#include "validation/gpu/measure.hpp"

namespace {

using namespace rooftrace::gpu;

constexpr std::uint64_t kElements = 1ULL << 28;  // 1 GiB of fp32.
constexpr std::uint64_t kVectors = kElements / 4;
constexpr unsigned kThreads = 256;
constexpr unsigned kInFlight = 4;
constexpr unsigned kBlocks = static_cast<unsigned>(kVectors / (kThreads * kInFlight));

enum class Op { read, write, copy, add, triad };

template <Op op>
__global__ void stream_kernel(const float4* a, const float4* b, float4* c, float* sink) {
  const std::uint64_t first = std::uint64_t{blockIdx.x} * kThreads * kInFlight + threadIdx.x;
  float4 x[kInFlight];
  float4 y[kInFlight];
#pragma unroll
  for (unsigned i = 0; i < kInFlight; ++i) {
    x[i] = op == Op::write ? make_float4(1.5F, 2.5F, 3.5F, 4.5F) : a[first + i * kThreads];
    y[i] = op == Op::add || op == Op::triad ? b[first + i * kThreads] : make_float4(0, 0, 0, 0);
  }
  const float factor = op == Op::triad ? 0.4F : 1.0F;
  float sum = 0;
#pragma unroll
  for (unsigned i = 0; i < kInFlight; ++i) {
    const float4 z = {x[i].x + factor * y[i].x, x[i].y + factor * y[i].y, x[i].z + factor * y[i].z, x[i].w + factor * y[i].w};
    if (op == Op::read) {
      sum += z.x + z.y + z.z + z.w;
    } else {
      c[first + i * kThreads] = z;
    }
  }
  if (op == Op::read && sum == 12345.678F) *sink = sum;  // Never, but the compiler cannot know.
}

__global__ void fill(float* to, std::uint64_t count) {
  for (std::uint64_t i = std::uint64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count; i += std::uint64_t{gridDim.x} * blockDim.x) {
    to[i] = static_cast<float>((i * 2654435761U >> 8) & 0xFFFF) * 1e-4F + 0.5F;
  }
}

void report(const char* op, unsigned arrays, const Timing& seconds) {
  const std::string what = std::string("op=") + op + " dtype=fp32 rows=1 cols=" + std::to_string(kElements);
  print_row("elementwise", what, "time_us", scaled(seconds, 1e6), "us", "cold");
  print_row("elementwise", what, "bandwidth_GBps", rate_of(seconds, static_cast<double>(arrays) * kElements * 4 * 1e-9), "GB/s", "cold");
}

}  // namespace

int main() {
  print_header();
  auto* const a = allocate<float4>(kVectors);
  auto* const b = allocate<float4>(kVectors);
  auto* const c = allocate<float4>(kVectors);
  auto* const sink = allocate<float>(1);
  cudaStream_t stream = nullptr;
  check(cudaStreamCreate(&stream), "stream");
  fill<<<4096, 256, 0, stream>>>(reinterpret_cast<float*>(a), kElements);
  fill<<<4096, 256, 0, stream>>>(reinterpret_cast<float*>(b), kElements);
  check(cudaStreamSynchronize(stream), "fill");
  const auto run = [&](auto kernel) {
    const Timing t = time_launches(stream, 1, [&](unsigned) { kernel<<<kBlocks, kThreads, 0, stream>>>(a, b, c, sink); });
    check(cudaGetLastError(), "stream kernel");
    return t;
  };
  report("copy", 2, run(stream_kernel<Op::copy>));
  report("read", 1, run(stream_kernel<Op::read>));
  report("write", 1, run(stream_kernel<Op::write>));
  report("add", 3, run(stream_kernel<Op::add>));
  report("triad", 3, run(stream_kernel<Op::triad>));
  report("memset", 1, time_launches(stream, 1, [&](unsigned) { check(cudaMemsetAsync(c, 1, kElements * 4, stream), "memset"); }));
  report("memcpy", 2, time_launches(stream, 1, [&](unsigned) {
           check(cudaMemcpyAsync(c, a, kElements * 4, cudaMemcpyDeviceToDevice, stream), "memcpy");
         }));
  // The copy once more, checked: c is a.
  stream_kernel<Op::copy><<<kBlocks, kThreads, 0, stream>>>(a, b, c, sink);
  float4 in{};
  float4 out{};
  check(cudaMemcpy(&in, a + kVectors - 7, sizeof in, cudaMemcpyDeviceToHost), "check");
  check(cudaMemcpy(&out, c + kVectors - 7, sizeof out, cudaMemcpyDeviceToHost), "check");
  if (in.x != out.x || in.w != out.w) {
    std::fprintf(stderr, "the copy is wrong\n");
    return 1;
  }
  return 0;
}
