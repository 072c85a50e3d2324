// Read bandwidth against working set, around the L2's capacity, in two patterns.
//
// chunk: blocks of 1,024 threads, block b reads the 512 KiB chunk b mod n of the set: each chunk is read by one SM at a time.
// all: every block reads the whole set, each from its own starting point: every SM pulls everything, so both halves of a split L2 hold it.
// The rates differ by how the L2 replicates. Loads are 16 bytes, past the L1 (ld.global.cg). Warm: the set was read before.
#include <cmath>

#include "validation/gpu/measure.hpp"

namespace {

using namespace rooftrace::gpu;

constexpr unsigned kThreads = 1024;
constexpr std::uint64_t kChunk = 512 * 1024;
constexpr double kBytesPerLaunch = 8e9;

__device__ float add_up(const float4* from, std::uint64_t count) {
  float sum = 0;
#pragma unroll 4
  for (std::uint64_t i = threadIdx.x; i < count; i += kThreads) {
    const float4 x = __ldcg(from + i);
    sum += x.x + x.y + x.z + x.w;
  }
  return sum;
}

__global__ void read_chunks(const float4* set, std::uint64_t chunks, std::uint64_t chunk_bytes, float* sink) {
  const float sum = add_up(set + blockIdx.x % chunks * (chunk_bytes / 16), chunk_bytes / 16);
  if (sum == 12345.678F) *sink = sum;
}

__global__ void read_all(const float4* set, std::uint64_t bytes, unsigned rounds, float* sink) {
  const std::uint64_t pieces = bytes / kChunk;
  const std::uint64_t start = blockIdx.x * pieces / gridDim.x;
  float sum = 0;
  for (std::uint64_t i = 0; i < pieces * rounds; ++i) sum += add_up(set + (start + i) % pieces * (kChunk / 16), kChunk / 16);
  if (sum == 12345.678F) *sink = sum;
}

}  // namespace

int main() {
  print_header();
  const cudaDeviceProp p = properties();
  const std::uint64_t most = 1ULL << 31;
  auto* const set = allocate<float4>(most / 16);
  auto* const sink = allocate<float>(1);
  check(cudaMemset(set, 1, most), "memset");
  cudaStream_t stream = nullptr;
  check(cudaStreamCreate(&stream), "stream");
  std::uint64_t last = 0;
  for (double exponent = 20; exponent <= 31.01; exponent += 0.25) {  // 1 MiB to 2 GiB, four sizes per doubling.
    const std::uint64_t bytes = std::max<std::uint64_t>(static_cast<std::uint64_t>(std::exp2(exponent)) / kChunk, 1) * kChunk;
    if (bytes == last) continue;
    last = bytes;
    const auto blocks = static_cast<unsigned>(std::max(kBytesPerLaunch, 2.0 * static_cast<double>(bytes)) / kChunk);
    const Timing chunk = time_launches(
        stream, 1, [&](unsigned) { read_chunks<<<blocks, kThreads, 0, stream>>>(set, bytes / kChunk, kChunk, sink); }, 0.02);
    const std::string what = "working_set_bytes=" + std::to_string(bytes);
    print_row("read_bandwidth", what + " chunk_bytes=" + std::to_string(kChunk), "bandwidth_GBps",
              rate_of(chunk, static_cast<double>(blocks) * kChunk * 1e-9), "GB/s", "warm");
    const unsigned resident = static_cast<unsigned>(p.multiProcessorCount) * 2;
    const auto rounds = static_cast<unsigned>(std::max(1.0, kBytesPerLaunch / static_cast<double>(bytes * resident)));
    if (static_cast<double>(bytes) * resident * rounds > 1e11) continue;  // 100 GB and more would take most of the time there is.
    const Timing all = time_launches(
        stream, 1, [&](unsigned) { read_all<<<resident, kThreads, 0, stream>>>(set, bytes, rounds, sink); }, 0.02);
    print_row("read_bandwidth", what + " chunk_bytes=" + std::to_string(bytes), "bandwidth_GBps",
              rate_of(all, static_cast<double>(bytes) * resident * rounds * 1e-9), "GB/s", "warm");
  }
  check(cudaDeviceSynchronize(), "reads");
  return 0;
}
