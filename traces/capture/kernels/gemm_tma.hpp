// Warp-specialised GEMM for sm_90a: C[m, n] = A[m, k] x B[n, k]^T with TMA, mbarrier and wgmma, bf16 with fp32 sums, blocks of 128 x 128.
//
// Warp 8 copies steps of 64 along k, four deep in flight; two warpgroups of 64 rows each multiply, one step in flight. Same tiles, raster
// and traffic as gemm_mma: (rows of A + rows of B that exist) x k x 2 B per block, each 128-byte row of a box one record.
#pragma once

#include "traces/capture/hopper.hpp"
#include "traces/capture/kernels/gemm_mma.hpp"

namespace rooftrace::capture {

inline constexpr unsigned kTmaThreads = 288;  ///< Two warpgroups that multiply and one warp that copies.
inline constexpr unsigned kTmaConsumerWarps = 8;
inline constexpr unsigned kTmaStages = 4;
inline constexpr unsigned kTmaBox = 128 * kSwizzleRow;  ///< 128 rows of 64 bf16, 16 KiB.
inline constexpr unsigned kTmaEpilogue = kTmaStages * 2 * kTmaBox;
inline constexpr unsigned kTmaBarriers = kTmaEpilogue + kGemmM * kTileN * 2;
inline constexpr unsigned kTmaShared = kTmaBarriers + 2 * kTmaStages * 8;

#ifdef RT_HOPPER

/// The part of a box that lies inside its matrix, for the trace.
RT_TRACED RT_DEVICE void record_box(const Bf16* matrix, unsigned first, unsigned rows, unsigned k, unsigned column RT_TRACE_REFERENCE) {
  const unsigned inside = rows - first < kGemmM ? rows - first : kGemmM;
  RT_TRACE(trace.box(Op::tensor_load, matrix + std::uint64_t{first} * k + column, inside, kSwizzleRow, std::uint64_t{k} * 2);)
}

/// Copies every step of this block's tiles; all lanes record, one copies.
RT_TRACED RT_DEVICE void copy_steps(const TensorMap& map_a, const TensorMap& map_b, const Bf16* a, const Bf16* b, std::uint32_t base,
                                    unsigned first_row, unsigned first_column, unsigned m, unsigned n, unsigned k RT_TRACE_REFERENCE) {
  const std::uint32_t full = base + kTmaBarriers;
  const std::uint32_t empty = full + kTmaStages * 8;
  for (unsigned step = 0; step < k / kTileK; ++step) {
    const unsigned stage = step % kTmaStages;
    if (thread_index() % kLanes == 0) {
      mbarrier_wait(empty + stage * 8, (step / kTmaStages + 1) % 2);
      mbarrier_expect(full + stage * 8, 2 * kTmaBox);
      tma_load(base + stage * 2 * kTmaBox, map_a, step * kTileK, first_row, full + stage * 8);
      tma_load(base + stage * 2 * kTmaBox + kTmaBox, map_b, step * kTileK, first_column, full + stage * 8);
    }
    RT_TRACE(record_box(a, first_row, m, k, step * kTileK, trace);)
    RT_TRACE(record_box(b, first_column, n, k, step * kTileK, trace);)
  }
}

#endif

/// grid: ceil(m / 128) x ceil(n / 128) blocks in x; k a multiple of 64, n of 8. a and b are only for the trace: the maps carry them.
RT_TRACED RT_KERNEL void RT_BOUNDS(kTmaThreads)
    gemm_tma(const RT_GRID_CONSTANT TensorMap map_a, const RT_GRID_CONSTANT TensorMap map_b, const Bf16* a, const Bf16* b, Bf16* c,
             unsigned m, unsigned n, unsigned k, unsigned group RT_TRACE_ARGUMENT) {
#ifdef RT_HOPPER
  RT_SHARED(shared);
  const std::uint32_t base = shared_offset(shared);
  const std::uint32_t full = base + kTmaBarriers;
  const std::uint32_t empty = full + kTmaStages * 8;
  const unsigned lane = thread_index() % kLanes;
  const unsigned warp = thread_index() / kLanes;
  unsigned tile_m = 0;
  unsigned tile_n = 0;
  raster(block_x(), (m + kGemmM - 1) / kGemmM, (n + kTileN - 1) / kTileN, group, &tile_m, &tile_n);
  const unsigned first_row = tile_m * kGemmM;
  const unsigned first_column = tile_n * kTileN;
  if (thread_index() == 0) {
    for (unsigned stage = 0; stage < kTmaStages; ++stage) {
      mbarrier_init(full + stage * 8, 1);
      mbarrier_init(empty + stage * 8, kTmaConsumerWarps);
    }
    mbarrier_init_done();
  }
  block_barrier();
  RT_TRACE(trace.barrier();)

  if (warp == kTmaConsumerWarps) {
    copy_steps(map_a, map_b, a, b, base, first_row, first_column, m, n, k RT_TRACE_PASS);
  } else {
    const unsigned rows_at = warp / 4 * 64;
    float sum[64] = {};
    const unsigned steps = k / kTileK;
    for (unsigned step = 0; step < steps; ++step) {
      const unsigned stage = step % kTmaStages;
      mbarrier_wait(full + stage * 8, step / kTmaStages % 2);
      const std::uint32_t at = base + stage * 2 * kTmaBox;
      wgmma_keep(sum);
      wgmma_fence();
      RT_UNROLL
      for (unsigned part = 0; part < kTileK / 16; ++part) {  // 32 B further inside of the swizzled rows.
        wgmma_m64n128k16(sum, swizzled_tile(at + rows_at * kSwizzleRow + part * 32), swizzled_tile(at + kTmaBox + part * 32));
      }
      wgmma_commit();
      wgmma_wait<1>();  // The step before this one is done: its stage may be filled.
      if (step > 0 && lane == 0) mbarrier_arrive(empty + (step - 1) % kTmaStages * 8);
      RT_TRACE(trace.work(Pipe::tensor, std::uint64_t{2} * 16 * kTileN * kTileK);)
    }
    wgmma_wait<0>();
    wgmma_keep(sum);
    unsigned char* const mine = shared + kTmaEpilogue;  // A warp writes and reads its own 16 rows only.
    RT_UNROLL
    for (unsigned i = 0; i < 64; i += 2) {
      const unsigned row = warp * 16 + i / 2 % 2 * 8 + lane / 4;
      store_as(mine + tile_offset(row, i / 4, kTileN / 8) + lane % 4 * 4, pack_bf16(sum[i], sum[i + 1]));
    }
    warp_barrier();
    RT_UNROLL
    for (unsigned i = 0; i < 8; ++i) {
      const unsigned row = warp * 16 + i * 2 + lane / 16;
      const unsigned column = first_column + lane % 16 * 8;
      const bool active = first_row + row < m && column < n;
      Bf16* const to = c + std::uint64_t{first_row + row} * n + column;
      if (active) store_as(to, load_as<Bytes16>(mine + tile_offset(row, lane % 16, kTileN / 8)));
      RT_TRACE(trace.store(to, 16, active);)
    }
  }
  RT_TRACE(trace.finish();)
#endif
}

}  // namespace rooftrace::capture
