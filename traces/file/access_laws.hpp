// The laws of a single access and of a step's timing, for who writes a trace and for who reads one: what the machine may rely on.
#pragma once

#include <cstdint>
#include <string>

#include "traces/file/trace_sink.hpp"

namespace rooftrace::trace_file {

/// Why an access of this shape (all but its address) cannot be, or "". `extent`: bytes from its first to one past its last.
[[nodiscard]] inline std::string broken_shape(const Access& access, std::uint64_t& extent) {
  extent = 0;
  if (access.rows == 0 || access.row_bytes == 0) return "an access of no bytes";
  if (access.rows > kMostAccessRows) return "an access of more than 2^20 rows";
  if (access.multicast == 0) return "multicast is zero";
  if (access.multicast != 1 && access.op != AccessOp::load) return "a multicast store";
  if (access.bytes() > kMostAccessBytes) return "an access of more than 4 GiB";
  const std::uint64_t steps = access.rows - 1;
  if (steps > 0 && access.pitch < access.row_bytes) return "rows of an access overlap";
  if (steps > 0 && access.pitch > (1ULL << kAddressBits) / steps) return "an access longer than the 2^42 bytes of addresses";
  extent = steps * access.pitch + access.row_bytes;
  return {};
}

/// Why a step cannot have this timing, or "".
[[nodiscard]] inline std::string broken_timing(const StepTiming& timing) {
  if (!(timing.tensor_padding >= 0 && timing.tensor_padding <= kMostStepWork)) return "tensor_padding is not 0 to 2^40";
  constexpr Time kMost = Time{1} << 40;  // a second
  for (const Time time : {timing.pause, timing.least, timing.drain}) {
    if (time < 0 || time > kMost) return "pause, least or drain is not 0 to 2^40 ps";
  }
  return {};
}

}  // namespace rooftrace::trace_file
