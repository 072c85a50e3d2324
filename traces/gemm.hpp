// The GEMM family: C[m,n] = A[m,k] B[n,k]^T, tiled, with a software pipeline of `stages` k-tiles.
//
// A holds activations, B weights (stored n-major: a row of B is one output feature). Per k-step a block loads block_m x block_k of A and
// block_n x block_k of B, and works 2*m*n*k FLOP on the tensor pipe (edges as far as they exist; what the tensor cores compute beyond them
// is padding); the main loop reaches the share of the tensor rate that shared memory feeds. After its last k-step comes the epilogue:
// CUDA-core work on every element, and the stores of block_m x block_n of C. Weights narrower than the tensor cores' type are widened on
// the CUDA cores. Rows beyond m or n are not loaded. Multicast in a cluster: A tiles are shared by the cluster's blocks along n, B tiles by
// those along m; each block asks for its share; on Blackwell's data-centre parts two blocks along m compute as one. split_k > 1: `split_k`
// blocks share one output tile; each stores an fp32 partial tile to `workspace`, and a second kernel (make_split_k_reduce) sums. Not
// modeled: swizzles inside shared memory, register-level bank effects, stream-K.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/core/device_shape.hpp"
#include "sim/core/kernel.hpp"
#include "traces/tensor.hpp"

namespace rooftrace {

enum class Raster : std::uint8_t {
  row_major,
  column_major,
  grouped
};  ///< row_major: consecutive blocks walk along n; grouped: see group_m (Triton's order).

struct GemmTiling {
  std::uint32_t block_m = 128;
  std::uint32_t block_n = 128;
  std::uint32_t block_k = 64;
  std::uint32_t stages = 3;
  std::uint32_t blocks_per_sm = 1;
  Raster raster = Raster::row_major;
  std::uint32_t group_m = 1;  ///< With Raster::grouped: tiles of m per group.
  std::uint32_t split_k = 1;
  std::uint32_t cluster_m = 1;  ///< Blocks of a cluster along m (share B).
  std::uint32_t cluster_n = 1;  ///< Blocks of a cluster along n (share A).
  bool persistent = false;      ///< Grid = resident blocks; block i computes tiles i, i + grid, ...

  [[nodiscard]] std::string text() const;  ///< "128x128x64 stages 3 grouped:8 split 4 cluster 2x1 persistent"
};

struct GemmProblem {
  Matrix a;                               ///< m x k
  Matrix b;                               ///< n x k
  Matrix c;                               ///< m x n
  Matrix b_scales;                        ///< Quantisation scales of B (rows = 0: none): one row of scales per row of B, read along with B.
  Matrix workspace;                       ///< fp32 partials when split_k > 1: (split_k * m) x n.
  DataType tensor_type = DataType::bf16;  ///< What the tensor cores compute in.
  Matrix bias;                            ///< 1 x n, added in the epilogue (rows = 0: none).
  bool add_c = false;                     ///< Epilogue adds a residual: C is read before it is stored.
};

/// Shared memory of one pipeline stage: block_m x block_k of A and block_n x block_k of B.
[[nodiscard]] std::uint64_t gemm_stage_bytes(const GemmTiling& tiling, DataType a, DataType b);

/// A tiling that this GPU cannot run (zero sizes, more parts than k-tiles, clusters the machine lacks, shared memory exceeded):
/// std::invalid_argument whose what() is the message without location. make_gemm calls it. A GPU whose shape says nothing of shared memory
/// (0) is not checked for it.
void check_gemm_tiling(const DeviceShape& gpu, const GemmProblem& problem, const GemmTiling& tiling);

/// The visible rule: given the GPU and the problem, the tiling this library would choose. Documented at its definition; every field can be
/// overridden.
[[nodiscard]] GemmTiling choose_gemm_tiling(const DeviceShape& gpu, std::uint64_t m, std::uint64_t n, std::uint64_t k, DataType weights,
                                            DataType activations);

/// Which kernels a library has for machines with clusters. Of 2023 (cuBLAS 12.0 to 12.3, kernels named sm90_xmma_gemm ... segment_k_off):
/// tiles 64, 128 or 256 wide, clusters of two blocks (CUTLASS 3 names them 2x1x1 and 1x2x1) and no split of k above 64 rows. Later ones
/// (nvjet) have widths between, clusters of more and split. Splits from memory.
enum class GemmLibrary : std::uint8_t { current, of_2023 };

/// What a library that tries its kernels would try: the best tiling of the rule of each tile shape (block_m, block_n), best first, at most
/// `count`. The first is choose_gemm_tiling's.
[[nodiscard]] std::vector<GemmTiling> gemm_tiling_candidates(const DeviceShape& gpu, std::uint64_t m, std::uint64_t n, std::uint64_t k,
                                                             DataType weights, DataType activations, std::size_t count,
                                                             GemmLibrary library = GemmLibrary::current);

/// label, kernel_class, stage, layer, stream and waits_for are left to the caller (label is set to "gemm " + tiling text).
[[nodiscard]] Kernel make_gemm(const DeviceShape& gpu, const GemmProblem& problem, const GemmTiling& tiling);
[[nodiscard]] Kernel make_split_k_reduce(const DeviceShape& gpu, const GemmProblem& problem, const GemmTiling& tiling);

}  // namespace rooftrace
