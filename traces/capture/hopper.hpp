// Hopper's words (sm_90a): mbarrier, two-dimensional TMA loads and wgmma m64n128k16; PTX under nvcc, emulated by the shim elsewhere.
//
// Tiles in shared memory have rows of 128 B in the 128-byte swizzle: bits 4-6 of an address are exclusive-ored with bits 7-9, so tiles
// start at multiples of 1,024 B. The emulation swizzles in the copy and unswizzles in the product, both from addresses, as the hardware
// does; a wrong address is a wrong product. Copies are done when they are issued: latency is not modeled.
#pragma once

#include <cstdint>

#include "traces/capture/matrix.hpp"

#ifdef __CUDACC__
#include <cuda.h>
#endif

#if !defined(__CUDACC__) || defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define RT_HOPPER 1
#endif

namespace rooftrace::capture {

inline constexpr unsigned kSwizzleRow = 128;  ///< Bytes.

/// A box of `box_rows` rows of 64 bf16 out of a row-major bf16 matrix; what lies outside is zero.
struct TensorShape {
  std::uint64_t rows = 0;
  std::uint64_t columns = 0;
  unsigned box_rows = 0;
};

#ifdef __CUDACC__
struct TensorMap {
  CUtensorMap map;
};
#else
struct TensorMap {
  const Bf16* base = nullptr;
  TensorShape shape;
};
#endif

/// For wgmma: a K-major tile of rows of 128 B, eight-row groups 1,024 B apart, 128-byte swizzle (PTX manual, "matrix descriptor").
RT_DEVICE std::uint64_t swizzled_tile(std::uint32_t offset) {
  return ((offset & 0x3FFFFU) >> 4) | (std::uint64_t{1} << 16) | (std::uint64_t{1024 >> 4} << 32) | (std::uint64_t{1} << 62);
}

#ifdef __CUDACC__
#ifdef RT_HOPPER

RT_DEVICE void mbarrier_init(std::uint32_t barrier, unsigned arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier), "r"(arrivals) : "memory");
}
RT_DEVICE void mbarrier_init_done() {
  asm volatile("fence.mbarrier_init.release.cluster;\n\tfence.proxy.async.shared::cta;" ::: "memory");
}
RT_DEVICE void mbarrier_arrive(std::uint32_t barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(barrier) : "memory");
}
RT_DEVICE void mbarrier_expect(std::uint32_t barrier, unsigned bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(bytes) : "memory");
}
/// Until the phase of this parity is complete.
RT_DEVICE void mbarrier_wait(std::uint32_t barrier, unsigned parity) {
  asm volatile(
      "{\n\t.reg .pred done;\n\t"
      "again:\n\t"
      "mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n\t"
      "@!done bra again;\n\t}" ::"r"(barrier),
      "r"(parity)
      : "memory");
}
RT_DEVICE void tma_load(std::uint32_t to, const TensorMap& from, unsigned column, unsigned row, std::uint32_t barrier) {
  asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3}], [%4];" ::"r"(to),
               "l"(&from.map), "r"(column), "r"(row), "r"(barrier)
               : "memory");
}
RT_DEVICE void wgmma_fence() {
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}
RT_DEVICE void wgmma_commit() {
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}
template <int Left>
RT_DEVICE void wgmma_wait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(Left) : "memory");
}
/// Sums that a product in flight writes: nothing that uses them moves across this.
RT_DEVICE void wgmma_keep(float (&d)[64]) {
  RT_UNROLL
  for (float& each : d) asm volatile("" : "+f"(each)::"memory");
}
/// d += A (64 x 16) x B (128 x 16)^T. Thread t of the warpgroup holds row 16 (t / 32) + (t % 32) / 4 + 8 (i / 2 % 2), column
/// 8 (i / 4) + 2 (t % 4) + i % 2 in d[i].
RT_DEVICE void wgmma_m64n128k16(float (&d)[64], std::uint64_t a, std::uint64_t b) {
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 "
      "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
      "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, "
      "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "
      "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63}, "
      "%64, %65, 1, 1, 1, 0, 0;"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]), "+f"(d[7]), "+f"(d[8]), "+f"(d[9]), "+f"(d[10]),
        "+f"(d[11]), "+f"(d[12]), "+f"(d[13]), "+f"(d[14]), "+f"(d[15]), "+f"(d[16]), "+f"(d[17]), "+f"(d[18]), "+f"(d[19]), "+f"(d[20]),
        "+f"(d[21]), "+f"(d[22]), "+f"(d[23]), "+f"(d[24]), "+f"(d[25]), "+f"(d[26]), "+f"(d[27]), "+f"(d[28]), "+f"(d[29]), "+f"(d[30]),
        "+f"(d[31]), "+f"(d[32]), "+f"(d[33]), "+f"(d[34]), "+f"(d[35]), "+f"(d[36]), "+f"(d[37]), "+f"(d[38]), "+f"(d[39]), "+f"(d[40]),
        "+f"(d[41]), "+f"(d[42]), "+f"(d[43]), "+f"(d[44]), "+f"(d[45]), "+f"(d[46]), "+f"(d[47]), "+f"(d[48]), "+f"(d[49]), "+f"(d[50]),
        "+f"(d[51]), "+f"(d[52]), "+f"(d[53]), "+f"(d[54]), "+f"(d[55]), "+f"(d[56]), "+f"(d[57]), "+f"(d[58]), "+f"(d[59]), "+f"(d[60]),
        "+f"(d[61]), "+f"(d[62]), "+f"(d[63])
      : "l"(a), "l"(b));
}

#endif  // RT_HOPPER
#else

namespace shim {
/// An mbarrier's eight bytes.
struct BarrierState {
  std::uint8_t phase;
  std::uint8_t arrivals;
  std::uint16_t pending;
  std::int32_t bytes;  ///< Still to come.
};
inline BarrierState barrier_state(std::uint32_t barrier) {
  return load_as<BarrierState>(shared_at(barrier, 8));
}
inline void change_barrier(std::uint32_t barrier, unsigned arrived, std::int32_t bytes) {
  BarrierState state = barrier_state(barrier);
  if (arrived > state.pending) throw GridError("mbarrier: more arrivals than it expects");
  state.pending = static_cast<std::uint16_t>(state.pending - arrived);
  state.bytes += bytes;
  if (state.pending == 0 && state.bytes == 0) {
    state.phase ^= 1U;
    state.pending = state.arrivals;
  }
  store_as(shared_at(barrier, 8), state);
}
inline std::uint32_t swizzled(std::uint32_t offset) {
  return offset ^ ((offset >> 3) & 0x70U);
}
struct GroupMultiply {
  float* d;
  std::uint64_t a;
  std::uint64_t b;
};
/// Element (row, k) of a tile that a descriptor names.
inline float tile_element(std::uint64_t descriptor, unsigned row, unsigned k) {
  if (descriptor >> 62 != 1) throw GridError("wgmma: only tiles in the 128-byte swizzle");
  const auto start = static_cast<std::uint32_t>(descriptor & 0x3FFFU) << 4;
  const auto stride = static_cast<std::uint32_t>((descriptor >> 32) & 0x3FFFU) << 4;
  const std::uint32_t offset = swizzled(start + row / 8 * stride + row % 8 * kSwizzleRow + k * 2);
  return to_float(load_as<Bf16>(shared_at(offset, 2)));
}
inline void multiply_tiles(std::span<void* const> posts) {
  const GroupMultiply& first = *static_cast<GroupMultiply*>(posts[0]);
  float a[64][16];
  float b[128][16];
  for (unsigned k = 0; k < 16; ++k) {
    for (unsigned row = 0; row < 64; ++row) a[row][k] = tile_element(first.a, row, k);
    for (unsigned row = 0; row < 128; ++row) b[row][k] = tile_element(first.b, row, k);
  }
  for (unsigned t = 0; t < posts.size(); ++t) {
    const GroupMultiply& mine = *static_cast<GroupMultiply*>(posts[t]);
    if (mine.a != first.a || mine.b != first.b) throw GridError("wgmma: the threads of a warpgroup name different tiles");
    for (unsigned i = 0; i < 64; ++i) {
      const float* const row = a[t / 32 * 16 + t % 32 / 4 + i / 2 % 2 * 8];
      const float* const column = b[i / 4 * 8 + t % 4 * 2 + i % 2];
      for (unsigned k = 0; k < 16; ++k) mine.d[i] += row[k] * column[k];
    }
  }
}
}  // namespace shim

inline void mbarrier_init(std::uint32_t barrier, unsigned arrivals) {
  store_as(shim::shared_at(barrier, 8),
           shim::BarrierState{0, static_cast<std::uint8_t>(arrivals), static_cast<std::uint16_t>(arrivals), 0});
}
inline void mbarrier_init_done() {}
inline void mbarrier_arrive(std::uint32_t barrier) {
  shim::change_barrier(barrier, 1, 0);
}
inline void mbarrier_expect(std::uint32_t barrier, unsigned bytes) {
  shim::change_barrier(barrier, 1, static_cast<std::int32_t>(bytes));
}
inline void mbarrier_wait(std::uint32_t barrier, unsigned parity) {
  shim::wait_until([barrier, parity] { return shim::barrier_state(barrier).phase != parity; });
}
inline void tma_load(std::uint32_t to, const TensorMap& from, unsigned column, unsigned row, std::uint32_t barrier) {
  if (to % 1024 != 0) throw shim::GridError("a tensor copy in the 128-byte swizzle needs a tile at a multiple of 1,024 B");
  for (unsigned r = 0; r < from.shape.box_rows; ++r) {
    for (unsigned c = 0; c < kSwizzleRow / 2; ++c) {
      const bool inside = row + r < from.shape.rows && column + c < from.shape.columns;
      const Bf16 element = inside ? from.base[std::uint64_t{row + r} * from.shape.columns + column + c] : Bf16{};
      store_as(shim::shared_at(shim::swizzled(to + r * kSwizzleRow + c * 2), 2), element);
    }
  }
  shim::change_barrier(barrier, 0, -static_cast<std::int32_t>(from.shape.box_rows * kSwizzleRow));
}
inline void wgmma_fence() {}
inline void wgmma_commit() {}
inline void wgmma_keep(float (&)[64]) {}
template <int Left>
void wgmma_wait() {}
inline void wgmma_m64n128k16(float (&d)[64], std::uint64_t a, std::uint64_t b) {
  shim::GroupMultiply mine{d, a, b};
  shim::meet(shim::Group::warpgroup, "wgmma.m64n128k16", &mine, shim::multiply_tiles);
}

#endif

}  // namespace rooftrace::capture
