// KV pages brought back from host memory: one cudaMemcpyAsync per page against one kernel that reads mapped host memory.
//
// 256 MiB in pages of 16 to 256 KiB, in shuffled order, from a pinned and mapped pool of 1 GiB.
#include <numeric>
#include <random>

#include "validation/gpu/measure.hpp"

namespace {

using namespace rooftrace::gpu;

constexpr std::uint64_t kPool = 1ULL << 30;
constexpr std::uint64_t kMoved = 256ULL << 20;

/// One block per page at a time.
__global__ void read_pages(const uint4* pool, const unsigned* pages, unsigned count, unsigned page_vectors, uint4* to) {
  for (unsigned page = blockIdx.x; page < count; page += gridDim.x) {
    const uint4* const from = pool + std::uint64_t{pages[page]} * page_vectors;
#pragma unroll 4
    for (unsigned i = threadIdx.x; i < page_vectors; i += blockDim.x) to[std::uint64_t{page} * page_vectors + i] = from[i];
  }
}

}  // namespace

int main() {
  print_header();
  void* pool = nullptr;
  void* mapped = nullptr;
  check(cudaHostAlloc(&pool, kPool, cudaHostAllocMapped), "mapped memory");
  std::fill_n(static_cast<char*>(pool), kPool, 3);
  check(cudaHostGetDevicePointer(&mapped, pool, 0), "mapped memory");
  auto* const to = allocate<uint4>(kMoved / 16);
  cudaStream_t stream = nullptr;
  check(cudaStreamCreate(&stream), "stream");
  EventTimer timer(stream);
  std::mt19937 random(2);
  for (std::uint64_t page = 16 * 1024; page <= 256 * 1024; page *= 2) {
    std::vector<unsigned> pages(kPool / page);
    std::iota(pages.begin(), pages.end(), 0U);
    std::shuffle(pages.begin(), pages.end(), random);
    const auto count = static_cast<unsigned>(kMoved / page);
    auto* const list = allocate<unsigned>(count);
    check(cudaMemcpy(list, pages.data(), count * sizeof(unsigned), cudaMemcpyHostToDevice), "page list");
    const auto timed = [&](const auto& work) {
      std::vector<double> times;
      for (unsigned i = 0; i < kWarmUps; ++i) timer(work);
      for (unsigned i = 0; i < 7; ++i) times.push_back(timer(work));
      return rate_of(summary(times), static_cast<double>(kMoved) * 1e-9);
    };
    const std::string size = " page_bytes=" + std::to_string(page);
    print_row("zero_copy", "method=memcpy" + size, "bandwidth_GBps", timed([&] {
                for (unsigned i = 0; i < count; ++i) {
                  check(cudaMemcpyAsync(reinterpret_cast<char*>(to) + i * page, static_cast<char*>(pool) + pages[i] * page, page,
                                        cudaMemcpyHostToDevice, stream),
                        "page");
                }
              }),
              "GB/s", "cold");
    for (const unsigned blocks : {16U, 64U, 256U}) {
      print_row("zero_copy", "method=kernel blocks=" + std::to_string(blocks) + size, "bandwidth_GBps", timed([&] {
                  read_pages<<<blocks, 512, 0, stream>>>(static_cast<const uint4*>(mapped), list, count, static_cast<unsigned>(page / 16),
                                                         to);
                }),
                "GB/s", "cold");
    }
    check(cudaFree(list), "page list");
  }
  check(cudaDeviceSynchronize(), "zero copy");
  return 0;
}
