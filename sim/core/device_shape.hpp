// What a generator may know of the GPU it makes kernels for, so that traces/ and machine/ never see each other.
#pragma once

#include <cstdint>

namespace rooftrace {

/// How a GPU reaches the others of its group: what a communication library learns of the node before it chooses how to communicate.
struct PeerShape {
  double bandwidth = 0;         ///< B/s one way, sustained, to the slowest neighbour; 0: not known.
  bool nvlink = true;           ///< Else messages cross PCIe.
  bool all_to_all = true;       ///< Every GPU of the group reaches every other over NVLink at that rate.
  bool switch_reduces = false;  ///< NVLink switches add and multicast (NVLink SHARP).
};

struct DeviceShape {
  std::uint32_t sms = 1;
  std::uint32_t shared_memory_per_sm = 0;     ///< Bytes a set of resident blocks may use.
  std::uint32_t shared_memory_per_block = 0;  ///< Largest for one block.
  std::uint32_t max_blocks_per_sm = 16;
  std::uint64_t l2_bytes = 0;  ///< Effective capacity.
  std::uint32_t line_bytes = 128;
  std::uint32_t sector_bytes = 32;
  std::uint32_t max_cluster = 1;          ///< Blocks that may share one multicast load; 1: the machine has no clusters.
  bool async_copy = true;                 ///< cp.async or TMA: deep software pipelines (A100 and later).
  std::uint32_t compute_capability = 80;  ///< 10 x major + minor: 80 is 8.0.
  PeerShape peers;
  bool fp8_tensor = false;  ///< Tensor cores compute in fp8; else fp8 weights are widened and computed in 16 bit.
  bool fp4_tensor = false;  ///< Tensor cores compute in fp4.
  double tensor_rate = 0;   ///< Dense 16-bit FLOP per clock and SM; 0: not known.
};

/// Dense 16-bit FLOP per clock and SM: what the machine says (A40 1,024, B200 8,192), else 1,024 before asynchronous copies (V100), 2,048
/// with them (A100), 4,096 with clusters (H100).
[[nodiscard]] inline double tensor_flop_per_clock(const DeviceShape& gpu) {
  if (gpu.tensor_rate > 0) return gpu.tensor_rate;
  return !gpu.async_copy ? 1024 : gpu.max_cluster < 2 ? 2048 : 4096;
}

/// Rows of A that one instruction of the tensor cores takes, each reading all of its B from shared memory: 64, and 128 since Blackwell's
/// data-centre parts (tcgen05.mma, PTX ISA; two SMs together take 256 and half of B each).
[[nodiscard]] inline double tensor_rows(const DeviceShape& gpu) {
  return gpu.compute_capability >= 100 && gpu.compute_capability < 120 ? 128 : 64;
}

/// How much of the sustained tensor rate a main loop reaches that needs `shared` of the tensor pipe's time for reads of shared memory (0 to
/// 1). Warps that load their operands to registers (mma.sync) do not hide 12 % of it: 128x128 tiles on A100 (shared = 0.5) then reach
/// 0.943, as the best library GEMMs do at the boost clock (aiconfigurator: 294 of 312 TFLOP/s). Warp-group instructions (machines with
/// clusters) read shared memory themselves: 8 %, assumed.
[[nodiscard]] inline double tensor_share_of(const DeviceShape& gpu, double shared) {
  return 1 / (1 + (gpu.max_cluster >= 2 ? 0.08 : 0.12) * shared);
}

/// Share of the tensor rate that instructions of one warp (mma.sync) reach, which kernels made for A100 still use: 0.629 on Hopper, whose
/// tensor cores only warp-group instructions fill (Luo et al. 2024, arXiv 2402.13499, from memory); data-center Blackwell assumed alike.
[[nodiscard]] inline double warp_mma_share(const DeviceShape& gpu) {
  return gpu.compute_capability >= 90 && gpu.compute_capability < 110 ? 0.629 : 1.0;
}

}  // namespace rooftrace
