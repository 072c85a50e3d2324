// What the driver says of device 0: one "key: value" per line.
#include "validation/gpu/measure.hpp"

int main() {
  using namespace rooftrace::gpu;
  const cudaDeviceProp p = properties();
  int driver = 0;
  int runtime = 0;
  int clock = 0;
  int memory_clock = 0;
  check(cudaDriverGetVersion(&driver), "driver");
  check(cudaRuntimeGetVersion(&runtime), "runtime");
  check(cudaDeviceGetAttribute(&clock, cudaDevAttrClockRate, 0), "clock");
  check(cudaDeviceGetAttribute(&memory_clock, cudaDevAttrMemoryClockRate, 0), "clock");
  std::printf("name: %s\ncompute_capability: %d.%d\nsms: %d\nl2_bytes: %d\nmemory_bytes: %zu\n", p.name, p.major, p.minor,
              p.multiProcessorCount, p.l2CacheSize, p.totalGlobalMem);
  std::printf("shared_per_sm: %zu\nshared_per_block: %zu\nregisters_per_sm: %d\nthreads_per_sm: %d\n", p.sharedMemPerMultiprocessor,
              p.sharedMemPerBlockOptin, p.regsPerMultiprocessor, p.maxThreadsPerMultiProcessor);
  std::printf("max_sm_clock_khz: %d\nmax_memory_clock_khz: %d\nbus_bits: %d\n", clock, memory_clock, p.memoryBusWidth);
  std::printf("cuda_driver: %d\ncuda_runtime: %d\n", driver, runtime);
  return 0;
}
