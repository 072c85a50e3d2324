// Random rows of 32 to 1,024 bytes out of 8 GiB: what embedding lookups and scattered KV pages see. Bytes counted: the rows, once.
//
// One warp per row (several rows for rows under 512 B), 16 bytes per lane; row numbers from a hash, so nothing but the rows is read.
#include "validation/gpu/measure.hpp"

namespace {

using namespace rooftrace::gpu;

constexpr unsigned kThreads = 256;

__device__ std::uint64_t hash(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
  return x ^ (x >> 31);
}

__global__ void gather(const uint4* table, std::uint64_t rows, unsigned row_vectors, std::uint64_t picks, std::uint64_t seed,
                       unsigned* sink) {
  unsigned sum = 0;
  const std::uint64_t total = picks * row_vectors;
  for (std::uint64_t i = std::uint64_t{blockIdx.x} * kThreads + threadIdx.x; i < total; i += std::uint64_t{gridDim.x} * kThreads) {
    const std::uint64_t row = hash(i / row_vectors + seed) % rows;
    const uint4 x = __ldcg(table + row * row_vectors + i % row_vectors);
    sum += x.x ^ x.y ^ x.z ^ x.w;
  }
  if (sum == 0x12345678U) *sink = sum;
}

}  // namespace

int main() {
  print_header();
  const cudaDeviceProp p = properties();
  const std::uint64_t bytes = std::min<std::uint64_t>(1ULL << 33, p.totalGlobalMem / 4);
  auto* const table = allocate<uint4>(bytes / 16);
  auto* const sink = allocate<unsigned>(1);
  check(cudaMemset(table, 1, bytes), "memset");
  cudaStream_t stream = nullptr;
  check(cudaStreamCreate(&stream), "stream");
  for (unsigned row = 32; row <= 1024; row *= 2) {
    const std::uint64_t picks = (2ULL << 30) / row;
    std::uint64_t seed = 0;
    const Timing t = time_launches(stream, 1, [&](unsigned) {
      gather<<<static_cast<unsigned>(p.multiProcessorCount) * 8, kThreads, 0, stream>>>(table, bytes / row, row / 16, picks, seed, sink);
      seed += picks;
    });
    check(cudaGetLastError(), "gather");
    print_row("gather", "row_bytes=" + std::to_string(row) + " table_bytes=" + std::to_string(bytes), "bandwidth_GBps",
              rate_of(t, static_cast<double>(picks) * row * 1e-9), "GB/s", "cold");
  }
  return 0;
}
