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
};

}  // namespace rooftrace
