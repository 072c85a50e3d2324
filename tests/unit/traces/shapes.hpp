// The GPUs that the tests of this folder make kernels for: the facts a generator may know, from NVIDIA's architecture whitepapers.
#pragma once

#include "sim/core/device_shape.hpp"

namespace rooftrace::shapes {

/// 164 KiB of shared memory per SM, 163 KiB per block (compute capability 8.0).
inline DeviceShape a100() {
  DeviceShape gpu;
  gpu.sms = 108;
  gpu.shared_memory_per_sm = 164 * 1024;
  gpu.shared_memory_per_block = 163 * 1024;
  gpu.max_blocks_per_sm = 32;
  gpu.l2_bytes = 40ULL << 20;
  return gpu;
}

inline DeviceShape a30() {
  DeviceShape gpu = a100();
  gpu.sms = 56;
  gpu.l2_bytes = 24ULL << 20;
  return gpu;
}

/// 228 KiB per SM, 227 KiB per block (9.0).
inline DeviceShape h100() {
  DeviceShape gpu = a100();
  gpu.sms = 132;
  gpu.shared_memory_per_sm = 228 * 1024;
  gpu.shared_memory_per_block = 227 * 1024;
  gpu.l2_bytes = 50ULL << 20;
  gpu.max_cluster = 8;
  gpu.fp8_tensor = true;
  return gpu;
}

/// 100 KiB per SM, 99 KiB per block (8.9).
inline DeviceShape l40s() {
  DeviceShape gpu = a100();
  gpu.sms = 142;
  gpu.shared_memory_per_sm = 100 * 1024;
  gpu.shared_memory_per_block = 99 * 1024;
  gpu.max_blocks_per_sm = 24;
  gpu.l2_bytes = 96ULL << 20;
  gpu.fp8_tensor = true;
  return gpu;
}

}  // namespace rooftrace::shapes
