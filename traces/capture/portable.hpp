// The words that the kernels of this folder are written in: CUDA under nvcc, the shim (shim/grid.hpp) under any other compiler.
//
// Kernels use one-dimensional blocks, dynamic shared memory only, and collectives of whole warps only: every shuffle and vote names all 32
// lanes, so all lanes must arrive. 16-bit floats are bf16, sums are fp32.
#pragma once

#include <cstdint>

#ifdef __CUDACC__
#include <cuda_bf16.h>
#define RT_DEVICE __device__ __forceinline__
#define RT_HOST_DEVICE __host__ __device__ __forceinline__
#define RT_KERNEL __global__
#define RT_BOUNDS(threads) __launch_bounds__(threads)
#define RT_GRID_CONSTANT __grid_constant__
#define RT_UNROLL _Pragma("unroll")
#define RT_SHARED(name) extern __shared__ __align__(1024) unsigned char name[]
#else
#include <cmath>
#include <cstring>
#include <span>

#include "traces/capture/shim/grid.hpp"
#define RT_DEVICE inline
#define RT_HOST_DEVICE inline
#define RT_KERNEL inline
#define RT_BOUNDS(threads)
#define RT_GRID_CONSTANT
#define RT_UNROLL
#define RT_SHARED(name) unsigned char* const name = ::rooftrace::capture::shim::shared_memory()
#endif

namespace rooftrace::capture {

#ifdef __CUDACC__
using Bf16 = __nv_bfloat16;
#else
struct Bf16 {
  std::uint16_t bits = 0;
};
#endif
static_assert(sizeof(Bf16) == 2);

inline constexpr unsigned kLanes = 32;

/// What one lane moves with one 16-byte instruction: eight bf16.
struct alignas(16) Bytes16 {
  std::uint32_t word[4];
};
struct alignas(8) Bytes8 {
  std::uint32_t word[2];
};

#ifdef __CUDACC__

RT_DEVICE unsigned thread_index() {
  return threadIdx.x;
}
RT_DEVICE unsigned threads_per_block() {
  return blockDim.x;
}
RT_DEVICE unsigned block_x() {
  return blockIdx.x;
}
RT_DEVICE unsigned block_y() {
  return blockIdx.y;
}
RT_DEVICE unsigned block_z() {
  return blockIdx.z;
}
RT_DEVICE unsigned linear_block() {
  return blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
}
RT_DEVICE void block_barrier() {
  __syncthreads();
}
RT_DEVICE void warp_barrier() {
  __syncwarp(0xFFFFFFFFU);
}
template <class T>
RT_DEVICE T shuffle(T value, unsigned lane) {
  return __shfl_sync(0xFFFFFFFFU, value, static_cast<int>(lane));
}
template <class T>
RT_DEVICE T shuffle_xor(T value, unsigned mask) {
  return __shfl_xor_sync(0xFFFFFFFFU, value, static_cast<int>(mask));
}
RT_DEVICE unsigned ballot(bool yes) {
  return __ballot_sync(0xFFFFFFFFU, yes);
}
RT_DEVICE unsigned reduce_or(unsigned bits) {
  return __reduce_or_sync(0xFFFFFFFFU, bits);
}
RT_DEVICE unsigned bit_count(unsigned bits) {
  return static_cast<unsigned>(__popc(bits));
}
RT_DEVICE unsigned first_bit(unsigned bits) {
  return static_cast<unsigned>(__ffs(static_cast<int>(bits))) - 1;
}
RT_DEVICE std::uint32_t clock_low() {
  std::uint32_t now;
  asm volatile("mov.u32 %0, %%globaltimer_lo;" : "=r"(now));
  return now;
}
RT_DEVICE std::uint16_t sm_number() {
  std::uint32_t number;
  asm volatile("mov.u32 %0, %%smid;" : "=r"(number));
  return static_cast<std::uint16_t>(number);
}
template <class T>
RT_DEVICE T load_as(const void* from) {
  return *static_cast<const T*>(from);
}
template <class T>
RT_DEVICE void store_as(void* to, T value) {
  *static_cast<T*>(to) = value;
}
RT_DEVICE std::uint32_t pack_bf16(float low, float high) {
  const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
  return *reinterpret_cast<const std::uint32_t*>(&pair);
}
RT_DEVICE float bits_as_float(std::uint32_t bits) {
  return __uint_as_float(bits);
}
RT_DEVICE float exponential(float x) {
  return __expf(x);
}
RT_DEVICE float exponential2(float x) {
  return exp2f(x);
}
RT_DEVICE float inverse_root(float x) {
  return rsqrtf(x);
}
RT_DEVICE float larger(float a, float b) {
  return fmaxf(a, b);
}
RT_DEVICE void sine_cosine(float x, float* sine, float* cosine) {
  sincosf(x, sine, cosine);
}
RT_HOST_DEVICE float to_float(Bf16 x) {
  return __bfloat162float(x);
}
RT_HOST_DEVICE Bf16 to_bf16(float x) {
  return __float2bfloat16_rn(x);
}

#else

inline unsigned thread_index() {
  return shim::place().thread_index.x;
}
inline unsigned threads_per_block() {
  return shim::place().block.x;
}
inline unsigned block_x() {
  return shim::place().block_index.x;
}
inline unsigned block_y() {
  return shim::place().block_index.y;
}
inline unsigned block_z() {
  return shim::place().block_index.z;
}
inline unsigned linear_block() {
  const shim::ThreadPlace& at = shim::place();
  return at.block_index.x + at.grid.x * (at.block_index.y + at.grid.y * at.block_index.z);
}
inline void block_barrier() {
  shim::meet(shim::Group::block, "bar.sync", nullptr, [](std::span<void* const>) {});
}
inline void warp_barrier() {
  shim::meet(shim::Group::warp, "bar.warp.sync", nullptr, [](std::span<void* const>) {});
}

namespace shim {
template <class T>
struct Exchange {
  T value;
  unsigned lane;
};
/// Every lane reads the value of the lane it names.
template <class T>
T exchange(const char* what, T value, unsigned lane) {
  Exchange<T> mine{value, lane % kLanes};
  meet(Group::warp, what, &mine, [](std::span<void* const> posts) {
    T values[kLanes];
    for (unsigned i = 0; i < kLanes; ++i) values[i] = static_cast<Exchange<T>*>(posts[i])->value;
    for (void* const post : posts) static_cast<Exchange<T>*>(post)->value = values[static_cast<Exchange<T>*>(post)->lane];
  });
  return mine.value;
}
inline unsigned or_of_lanes(const char* what, unsigned bits) {
  meet(Group::warp, what, &bits, [](std::span<void* const> posts) {
    unsigned all = 0;
    for (void* const post : posts) all |= *static_cast<unsigned*>(post);
    for (void* const post : posts) *static_cast<unsigned*>(post) = all;
  });
  return bits;
}
}  // namespace shim

template <class T>
T shuffle(T value, unsigned lane) {
  return shim::exchange("shfl.sync.idx", value, lane);
}
template <class T>
T shuffle_xor(T value, unsigned mask) {
  return shim::exchange("shfl.sync.bfly", value, (thread_index() % kLanes) ^ mask);
}
inline unsigned ballot(bool yes) {
  return shim::or_of_lanes("vote.sync.ballot", yes ? 1U << (thread_index() % kLanes) : 0U);
}
inline unsigned reduce_or(unsigned bits) {
  return shim::or_of_lanes("redux.sync.or", bits);
}
inline unsigned bit_count(unsigned bits) {
  return static_cast<unsigned>(__builtin_popcount(bits));
}
inline unsigned first_bit(unsigned bits) {
  return static_cast<unsigned>(__builtin_ffs(static_cast<int>(bits))) - 1;
}
inline std::uint32_t clock_low() {
  return 0;
}
inline std::uint16_t sm_number() {
  return 0xFFFF;
}
template <class T>
T load_as(const void* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}
template <class T>
void store_as(void* to, T value) {
  std::memcpy(to, &value, sizeof value);
}
inline float bits_as_float(std::uint32_t bits) {
  return load_as<float>(&bits);
}
inline float to_float(Bf16 x) {
  return bits_as_float(std::uint32_t{x.bits} << 16);
}
/// To the nearest, ties to even; NaN stays NaN.
inline Bf16 to_bf16(float x) {
  const auto bits = load_as<std::uint32_t>(&x);
  if (x != x) return {static_cast<std::uint16_t>((bits >> 16) | 0x40U)};
  return {static_cast<std::uint16_t>((bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16)};
}
inline std::uint32_t pack_bf16(float low, float high) {
  return std::uint32_t{to_bf16(low).bits} | (std::uint32_t{to_bf16(high).bits} << 16);
}
inline float exponential(float x) {
  return std::exp(x);
}
inline float exponential2(float x) {
  return std::exp2(x);
}
inline float inverse_root(float x) {
  return 1.0F / std::sqrt(x);
}
inline float larger(float a, float b) {
  return std::fmax(a, b);
}
inline void sine_cosine(float x, float* sine, float* cosine) {
  *sine = std::sin(x);
  *cosine = std::cos(x);
}

#endif

/// The two bf16 of one word.
RT_DEVICE float low_bf16(std::uint32_t pair) {
  return bits_as_float(pair << 16);
}
RT_DEVICE float high_bf16(std::uint32_t pair) {
  return bits_as_float(pair & 0xFFFF0000U);
}

}  // namespace rooftrace::capture
