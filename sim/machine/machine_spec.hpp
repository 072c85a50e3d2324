// A machine as a value: one GPU, its memories, its links, the node it sits in. Immutable once loaded; all state lives elsewhere.
//
// Units: bytes, bytes per second, hertz, seconds, FLOP/s. Every number comes from configs/hardware/NAME.yaml, where its unit and source
// stand beside it. Datasheet traps are resolved on loading: link rates here are ONE WAY whatever the file counted; peaks are dense. Not
// modeled: power and clocks that move during a run (a sustained clock under tensor load stands in), ECC, MIG.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "sim/core/device_shape.hpp"
#include "sim/core/kernel.hpp"
#include "sim/machine/dram_timing.hpp"

namespace rooftrace {

struct SmSpec {
  std::uint32_t count = 0;
  std::uint32_t gpcs = 1;                  ///< GPCs that the SMs are spread over, as evenly as pairs of SMs (TPCs) can be.
  double clock = 0;                        ///< Hz in memory-bound kernels (the boost clock the board holds).
  double peak_clock = 0;                   ///< Hz at which the datasheet peaks are quoted.
  double tensor_clock = 0;                 ///< Hz sustained under tensor load (board power).
  double tensor_share_8bit = 1;            ///< Share of tensor_clock that is sustained in types of a byte or less (board power), <= 1.
  std::map<DataType, double> tensor_peak;  ///< FLOP/s of the whole GPU, dense, at peak_clock.
  double cuda_peak = 0;                    ///< FLOP/s fp32 of the whole GPU at clock, as datasheets quote it.
  double sfu_per_clock = 16;               ///< Special-function operations per clock and SM.
  std::uint64_t shared_memory = 0;         ///< Bytes per SM usable by blocks.
  std::uint64_t shared_memory_per_block = 0;
  std::uint64_t l1_bytes = 0;  ///< L1 + shared memory array of one SM (described, and used to bound shared memory).
  double l1_latency = 0;       ///< s (described; hits in L1 are not part of traces).
  double l2_port = 0;          ///< B/s one SM can take from L2.
  std::uint32_t max_blocks = 32;
  std::uint32_t max_cluster = 1;
  bool async_copy = true;
};

enum class IndexHash : std::uint8_t { hashed, modulo };
/// tree: pseudo-LRU, a binary tree of bits per set that point away from what was used last; ways are a power of two.
enum class Replacement : std::uint8_t { lru, fifo, random, tree };
[[nodiscard]] std::string_view name(IndexHash hash);
[[nodiscard]] std::string_view name(Replacement policy);

struct L2Spec {
  std::uint64_t capacity = 0;   ///< Datasheet bytes.
  std::uint64_t effective = 0;  ///< Bytes that hold data in practice (calibrated knee), <= capacity.
  std::uint32_t ways = 16;
  std::uint32_t line = 128;
  std::uint32_t sector = 32;
  std::uint32_t partitions = 1;
  /// A partition keeps copies of lines whose home is another one: an SM looks into the partition beside it first.
  bool copies = false;
  std::uint32_t miss_slots = 0;  ///< Lines that one slice can have on their way from HBM (slices only); 0: as slice_layout.hpp derives.
  std::uint32_t slices = 1;
  double bandwidth = 0;       ///< B/s, all slices together, sustained.
  double peak_bandwidth = 0;  ///< B/s, slices * bytes per clock * clock: the roofline's beta.
  double latency_near = 0;    ///< s, load to use, hit in the SM's own partition.
  double latency_far = 0;     ///< s, load to use, hit in the line's home partition when that is another one.
  IndexHash hash = IndexHash::hashed;
  Replacement policy = Replacement::lru;

  [[nodiscard]] std::uint64_t sets() const { return effective / line / ways; }  ///< Any number.
};

struct HbmSpec {
  std::string kind;  ///< "HBM3", "GDDR6" ...: whose timing the file's own numbers lie over.
  std::uint32_t stacks = 0;
  std::uint32_t channels = 1;      ///< Independent channels of the whole GPU.
  double bandwidth = 0;            ///< B/s datasheet, all channels: the rate of the pins.
  double latency = 0;              ///< s, load to use of an SM that misses L2, unloaded and between refreshes; home in its own partition.
  std::uint64_t capacity = 0;      ///< Bytes on the board.
  std::uint32_t interleave = 512;  ///< Bytes that stay on one channel before the next.
  DramTiming dram;

  /// B/s that long streams reach when `reads` of their bytes are read and the others written (sectors of at least a burst).
  [[nodiscard]] double sustained(double reads) const;
  /// B/s of lone sectors of `sector` bytes read at random, when there are always enough of them.
  [[nodiscard]] double random(std::uint32_t sector) const;
  /// s that a lone read waits for refreshes on average.
  [[nodiscard]] double refresh_wait() const;
};

struct LinkSpec {
  double bandwidth = 0;   ///< B/s one way, datasheet; 0: the machine has no such link.
  double efficiency = 1;  ///< Share left for payload after headers, credits and protocol.
  double latency = 0;     ///< s, one way, small message.
};

enum class Fabric : std::uint8_t { none, nvswitch, pairs, mesh };  ///< How the GPUs of a node see each other over NVLink.
[[nodiscard]] std::string_view name(Fabric fabric);

struct NodeSpec {
  std::uint32_t gpus = 1;
  Fabric fabric = Fabric::none;
  std::uint32_t gpus_per_pcie_switch = 2;
};

struct HostSpec {
  std::uint64_t capacity = 0;  ///< Bytes of host memory of the node.
  double bandwidth = 0;        ///< B/s of host memory.
  double copy_bandwidth = 0;   ///< B/s at which one thread copies within it, as a driver does between pageable and pinned memory.
};

struct LaunchSpec {
  double kernel_gap = 0;   ///< s between dependent kernels of a stream (inside a graph): end of one to first block of the next.
  double block_start = 0;  ///< s from a free slot to the first load of a block.
  double copy_start = 0;   ///< s to start a copy-engine transfer.
  double copy_call = 0;    ///< s that a blocking copy takes on the host beside that: the call and the wake-up.
};

struct MachineSpec {
  std::string name;   ///< "h100-sxm"
  std::string title;  ///< "NVIDIA H100 SXM5 80 GB"
  std::string arch;   ///< "sm_90"
  SmSpec sm;
  L2Spec l2;
  HbmSpec hbm;
  LinkSpec nvlink;
  LinkSpec pcie;
  HostSpec host;
  NodeSpec node;
  LaunchSpec launch;

  /// Peak FLOP/s of a pipe for a type; a tensor type the machine lacks falls back to the next wider one it has (fp8 -> fp16).
  [[nodiscard]] double peak(Pipe pipe, DataType type) const;
  /// Sustained rate: the same at tensor_clock or its share for the type that computes (tensor) or at clock (others).
  [[nodiscard]] double sustained(Pipe pipe, DataType type) const;
  [[nodiscard]] std::uint32_t compute_capability() const;  ///< 90 of "sm_90" or "sm_90a"; 0 of an arch without digits.
  [[nodiscard]] DeviceShape shape() const;                 ///< peers is left as it is: that takes a topology and a group.
  /// The GPC of an SM. SMs are numbered across the GPCs, as blocks are dealt: 0 in the first, 1 in the second ...; the last numbers are in
  /// the GPCs that have a TPC (two SMs) more than the others, which are the first ones.
  [[nodiscard]] std::uint32_t gpc_of(std::uint32_t sm_index) const;
  [[nodiscard]] std::uint32_t sms_of_gpc(std::uint32_t gpc) const;
};

}  // namespace rooftrace
