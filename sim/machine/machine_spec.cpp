// What follows from a machine's numbers: rates per pipe and type, and what a kernel generator may know.
//
// Promises: sustained(pipe, type) <= peak(pipe, type). Tensor peaks are quoted at peak_clock and sustained at tensor_clock; everything else
// runs, and is quoted, at clock. Not modeled: packed half-precision arithmetic on CUDA cores, integer pipes.
#include "sim/machine/machine_spec.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <span>
#include <stdexcept>

namespace rooftrace {
namespace {

using enum DataType;

constexpr std::array kIndexHashNames = {std::string_view("hashed"), std::string_view("modulo")};
constexpr std::array kReplacementNames = {std::string_view("lru"), std::string_view("fifo"), std::string_view("random"),
                                          std::string_view("tree")};
constexpr std::array kFabricNames = {std::string_view("none"), std::string_view("nvswitch"), std::string_view("pairs"),
                                     std::string_view("mesh")};

// Where an operand of `type` can be computed without loss, best first: itself, then the next wider tensor types. The two 16-bit types
// stand in for each other, as inference engines do on GPUs that have only one of them.
std::span<const DataType> tensor_types(DataType type) {
  static constexpr std::array from_fp4 = {fp4, fp8, fp16, bf16, tf32};
  static constexpr std::array from_int4 = {int4, int8, fp16, bf16, tf32};
  static constexpr std::array from_int8 = {int8, fp16, bf16, tf32};
  static constexpr std::array from_bf16 = {bf16, fp16, tf32};
  static constexpr std::array from_fp64 = {fp64};
  const std::span<const DataType> fp4s(from_fp4);
  switch (type) {
    case fp4:
      return fp4s;
    case fp8:
      return fp4s.subspan(1);
    case fp16:
      return fp4s.subspan(2);
    case tf32:
      return fp4s.subspan(4);
    case int4:
      return from_int4;
    case int8:
      return from_int8;
    case bf16:
      return from_bf16;
    case fp64:
      return from_fp64;
    case fp32:
      break;  // No tensor core multiplies fp32 without loss.
  }
  return {};
}

struct TensorRate {
  DataType type;  ///< That the tensor cores compute in.
  double peak;
};

std::optional<TensorRate> tensor_rate(const SmSpec& sm, DataType type) {
  for (const DataType candidate : tensor_types(type)) {
    const auto found = sm.tensor_peak.find(candidate);
    if (found != sm.tensor_peak.end()) return TensorRate{candidate, found->second};
  }
  return std::nullopt;
}

double tensor_clock(const SmSpec& sm, DataType type) {
  return bytes_per_element(type) <= 1 ? sm.tensor_clock * sm.tensor_share_8bit : sm.tensor_clock;
}

double cuda_rate(const MachineSpec& machine, DataType type) {
  if (type == fp64) throw std::invalid_argument(machine.name + " has no rate for fp64 in its description");
  return machine.sm.cuda_peak;
}

double sfu_rate(const SmSpec& sm) {
  return sm.sfu_per_clock * sm.count * sm.clock;
}

}  // namespace

std::string_view name(IndexHash hash) {
  return kIndexHashNames.at(static_cast<std::size_t>(hash));
}
std::string_view name(Replacement policy) {
  return kReplacementNames.at(static_cast<std::size_t>(policy));
}
std::string_view name(Fabric fabric) {
  return kFabricNames.at(static_cast<std::size_t>(fabric));
}

// A byte read takes 1 / read share of the pins' time, and as many turnarounds come as the rarer direction has batches (hbm.hpp).
double HbmSpec::sustained(double reads) const {
  const double pins = bandwidth / channels / dram.pseudo_channels;
  const double turns = std::min(reads, 1 - reads) / dram.write_batch * dram.turnaround * pins;
  return bandwidth / (1 / dram.read_share() + turns);
}

double HbmSpec::random(std::uint32_t sector) const {
  const double bursts = bandwidth * dram.read_share() * sector / std::max(sector, dram.burst);
  const double row = dram.random_row();
  return row > 0 ? std::min(bursts, channels * sector / row) : bursts;
}

double HbmSpec::refresh_wait() const {
  return dram.refresh_interval > 0 ? dram.refresh * dram.refresh / (2 * dram.refresh_interval) : 0;
}

double MachineSpec::peak(Pipe pipe, DataType type) const {
  switch (pipe) {
    case Pipe::tensor:
      if (const auto rate = tensor_rate(sm, type)) return rate->peak;
      return cuda_rate(*this, type);  // No tensor core takes it: fused multiply-adds on CUDA cores.
    case Pipe::cuda:
      return cuda_rate(*this, type);
    case Pipe::sfu:
      return sfu_rate(sm);
  }
  throw std::logic_error("a pipe outside its enum");
}

double MachineSpec::sustained(Pipe pipe, DataType type) const {
  if (pipe == Pipe::tensor) {
    if (const auto rate = tensor_rate(sm, type)) return rate->peak * tensor_clock(sm, rate->type) / sm.peak_clock;
  }
  return peak(pipe, type);
}

std::uint32_t MachineSpec::compute_capability() const {
  std::uint32_t number = 0;
  for (const char c : arch) {
    if (c >= '0' && c <= '9' && number < 1000) number = number * 10 + static_cast<std::uint32_t>(c - '0');
  }
  return number;
}

std::uint32_t MachineSpec::sms_of_gpc(std::uint32_t gpc) const {
  const std::uint32_t tpcs = (sm.count + 1) / 2;
  return 2 * (tpcs / sm.gpcs + (gpc < tpcs % sm.gpcs ? 1 : 0));
}

std::uint32_t MachineSpec::gpc_of(std::uint32_t sm_index) const {
  const std::uint32_t tpcs = (sm.count + 1) / 2;
  const std::uint32_t in_all = 2 * (tpcs / sm.gpcs) * sm.gpcs;  // SMs before the larger GPCs go on alone
  return sm_index < in_all ? sm_index % sm.gpcs : (sm_index - in_all) % (tpcs % sm.gpcs);
}

DeviceShape MachineSpec::shape() const {
  DeviceShape shape;
  shape.sms = sm.count;
  shape.shared_memory_per_sm = static_cast<std::uint32_t>(sm.shared_memory);
  shape.shared_memory_per_block = static_cast<std::uint32_t>(sm.shared_memory_per_block);
  shape.max_blocks_per_sm = sm.max_blocks;
  shape.l2_bytes = l2.effective;
  shape.line_bytes = l2.line;
  shape.sector_bytes = l2.sector;
  shape.max_cluster = sm.max_cluster;
  shape.async_copy = sm.async_copy;
  shape.compute_capability = compute_capability();
  shape.fp8_tensor = sm.tensor_peak.contains(DataType::fp8);
  shape.fp4_tensor = sm.tensor_peak.contains(DataType::fp4);
  // Datasheets round: the hardware's number is a multiple of 64.
  const auto sixteen = sm.tensor_peak.find(DataType::fp16);
  if (sixteen != sm.tensor_peak.end() && sm.peak_clock > 0) {
    shape.tensor_rate = 64 * std::round(sixteen->second / (static_cast<double>(sm.count) * sm.peak_clock) / 64);
  }
  return shape;
}

}  // namespace rooftrace
