// The device functions that the Sanitizer API calls at every access to global memory: one LaneAccess each (lane_access.hpp).
//
// Compiled as a tools patch (build.sh). Their types are the API's, written with plain types, so that they compile without its headers.
// Here, and only here, __activemask() is right: a patch is called by whichever lanes execute the patched instruction, and what it yields is
// used only to share one atomic addition, not to say who belongs together in the source.
#include <cstdint>

#include "traces/capture/capture_format.hpp"
#include "traces/capture/inject/lane_access.hpp"

namespace {

using rooftrace::capture::DeviceTrace;
using rooftrace::capture::LaneAccess;
using rooftrace::capture::Op;

constexpr std::uint32_t kRead = 1;  // The API's access flags.
constexpr std::uint32_t kWrite = 2;

__device__ __forceinline__ unsigned linear_thread() {
  return threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
}

__device__ __forceinline__ void note(void* userdata, const void* address, std::uint32_t bytes, Op op) {
  auto* const trace = static_cast<DeviceTrace*>(userdata);
  if (trace == nullptr || trace->accesses == nullptr) return;  // A launch that is not captured.
  const std::uint32_t block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  if (block % trace->block_sample != 0) return;
  const unsigned mask = __activemask();
  const unsigned lane = linear_thread() % 32;
  const auto leader = static_cast<unsigned>(__ffs(static_cast<int>(mask))) - 1;
  const auto lanes = static_cast<unsigned>(__popc(mask));
  unsigned long long first = 0;
  if (lane == leader) first = atomicAdd(&trace->next, static_cast<unsigned long long>(lanes));
  first = __shfl_sync(mask, first, static_cast<int>(leader));
  const unsigned long long place = first + static_cast<unsigned>(__popc(mask & ((1U << lane) - 1U)));
  if (place >= trace->capacity) return;  // Counted: `next` is past the capacity.
  LaneAccess access;
  access.address = reinterpret_cast<std::uint64_t>(address);
  access.group = static_cast<std::uint32_t>(first);
  access.lanes = lanes;
  access.block = block;
  asm volatile("mov.u32 %0, %%globaltimer_lo;" : "=r"(access.clock));
  access.warp = static_cast<std::uint16_t>(linear_thread() / 32);
  std::uint32_t sm;
  asm volatile("mov.u32 %0, %%smid;" : "=r"(sm));
  access.sm = static_cast<std::uint16_t>(sm);
  access.bytes = static_cast<std::uint8_t>(bytes);
  access.op = static_cast<std::uint8_t>(op);
  access.filled = 1;
  trace->accesses[place] = access;
}

}  // namespace

extern "C" __device__ __noinline__ int rooftrace_global(void* userdata, std::uint64_t, void* address, std::uint32_t bytes,
                                                        std::uint32_t flags, const void*) {
  const bool reads = (flags & kRead) != 0;
  const bool writes = (flags & kWrite) != 0;
  note(userdata, address, bytes, reads && writes ? Op::reduce : writes ? Op::store : Op::load);
  return 0;
}

extern "C" __device__ __noinline__ int rooftrace_async(void* userdata, std::uint64_t, void* from, std::uint32_t, std::uint32_t bytes) {
  if (from != nullptr) note(userdata, from, bytes, Op::async_load);  // Null: a copy of nothing, zeros are written.
  return 0;
}

extern "C" __device__ __noinline__ int rooftrace_exit(void* userdata, std::uint64_t) {
  auto* const trace = static_cast<DeviceTrace*>(userdata);
  if (trace == nullptr || trace->accesses == nullptr) return 0;
  __threadfence_system();
  atomicAdd(&trace->exited, 1ULL);
  return 0;
}
