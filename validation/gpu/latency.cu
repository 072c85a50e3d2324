// Latency of dependent loads against working set, from chosen SMs: near and far halves of a split L2 show as two levels.
//
// A random cycle over the 128-byte slots of the set; one thread on one SM (picked by %smid among one block per SM) follows it, past the L1.
// Cycles are the SM's clock64; its rate comes from the same kernel's %globaltimer. Every set is walked once before it is timed, up to
// 2^20 slots.
#include <numeric>
#include <random>

#include "validation/gpu/measure.hpp"

namespace {

using namespace rooftrace::gpu;

constexpr unsigned kSlot = 128;
constexpr unsigned kHops = 16384;

struct Chase {
  std::uint64_t cycles;
  std::uint64_t nanoseconds;
  std::uint64_t end;
};

__device__ std::uint64_t nanoseconds_now() {
  std::uint64_t now;
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(now));
  return now;
}

/// Past the L1; volatile, so that no load moves across a reading of the clock.
__device__ std::uint32_t load(const std::uint32_t* from) {
  std::uint32_t value;
  asm volatile("ld.global.cg.u32 %0, [%1];" : "=r"(value) : "l"(from) : "memory");
  return value;
}

__global__ void chase(const std::uint32_t* next, unsigned sm, unsigned warm, unsigned hops, Chase* out) {
  unsigned here = 0;
  asm volatile("mov.u32 %0, %%smid;" : "=r"(here));
  if (here != sm) return;
  std::uint64_t at = 0;
  for (unsigned i = 0; i < warm; ++i) at = load(next + at * (kSlot / 4));
  const std::uint64_t wall = nanoseconds_now();
  const long long begin = clock64();
  for (unsigned i = 0; i < hops; ++i) at = load(next + at * (kSlot / 4));
  const long long end = clock64();  // The last load may still be on its way: one in 16,384.
  out->cycles = static_cast<std::uint64_t>(end - begin);
  out->nanoseconds = nanoseconds_now() - wall;
  out->end = at;
}

}  // namespace

int main() {
  print_header();
  const cudaDeviceProp p = properties();
  const std::uint64_t most = 1ULL << 29;
  auto* const next = allocate<std::uint32_t>(most / 4);
  auto* const out = allocate<Chase>(1);
  const auto sms = static_cast<unsigned>(p.multiProcessorCount);
  const int shared = static_cast<int>(p.sharedMemPerBlockOptin);  // All of it: one block per SM.
  check(cudaFuncSetAttribute(chase, cudaFuncAttributeMaxDynamicSharedMemorySize, shared), "shared memory");
  std::mt19937_64 random(1);
  for (std::uint64_t bytes = 256 * 1024; bytes <= most; bytes *= 2) {
    const std::uint64_t slots = bytes / kSlot;
    std::vector<std::uint32_t> order(slots);
    std::iota(order.begin(), order.end(), 0U);
    for (std::uint64_t i = slots - 1; i > 0; --i) std::swap(order[i], order[random() % i]);  // Sattolo: one cycle through all.
    std::vector<std::uint32_t> image(bytes / 4, 0);
    for (std::uint64_t i = 0; i < slots; ++i) image[i * (kSlot / 4)] = order[i];
    check(cudaMemcpy(next, image.data(), bytes, cudaMemcpyHostToDevice), "cycle");
    for (unsigned i = 0; i < 4; ++i) {
      const unsigned sm = (i * sms / 4 + i) % sms;
      std::vector<double> cycles;
      double mhz = 0;
      for (unsigned repeat = 0; repeat < 7; ++repeat) {
        check(cudaMemset(out, 0, sizeof(Chase)), "memset");
        const auto warm = repeat == 0 ? static_cast<unsigned>(std::min<std::uint64_t>(slots, 1U << 20)) : 0U;
        chase<<<sms, 1, shared>>>(next, sm, warm, kHops, out);
        check(cudaDeviceSynchronize(), "chase");
        Chase got{};
        check(cudaMemcpy(&got, out, sizeof got, cudaMemcpyDeviceToHost), "chase");
        if (got.cycles == 0) continue;  // No block came to that SM.
        cycles.push_back(static_cast<double>(got.cycles) / kHops);
        mhz = static_cast<double>(got.cycles) * 1e3 / static_cast<double>(got.nanoseconds);
      }
      if (cycles.empty()) continue;
      print_row("latency",
                "access=random_chase chains=1 stride_bytes=128 working_set_bytes=" + std::to_string(bytes) +
                    " clock_mhz=" + std::to_string(static_cast<int>(mhz + 0.5)) + " sm=" + std::to_string(sm),
                "latency_cycles", summary(cycles), "cycles", "warm");
    }
  }
  return 0;
}
