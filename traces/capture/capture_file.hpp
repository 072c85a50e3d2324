// A capture in memory, and the .rtcap file of it (capture_format.hpp says what the bytes mean).
//
// Promises: write_capture() makes a whole file or none; parse_capture() accepts nothing that is not exactly a capture (counts, order,
// offsets, checksum), never reads outside of its argument and allocates no more than the file's own size. Errors are CaptureError with one
// line of text.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "traces/capture/capture_format.hpp"

namespace rooftrace::capture {

class CaptureError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct Slab {
  std::uint32_t block = 0;
  std::uint64_t dropped = 0;
  std::vector<Record> records;  ///< Warp by warp, in program order.
};

struct CapturedKernel {
  std::string name;
  KernelEntry entry;        ///< Names, slabs and dropped are filled in by to_bytes().
  std::vector<Slab> slabs;  ///< By block.
};

struct Allocation {
  std::string name;
  std::uint64_t base = 0;
  std::uint64_t bytes = 0;
  std::uint32_t first_kernel = 0;
  std::uint32_t end_kernel = kNoKernel;
};

struct Capture {
  Source source = Source::cpu_shim;
  std::string device;
  std::uint32_t sm_count = 0;
  std::string note;  ///< Lines "key: value".
  std::vector<CapturedKernel> kernels;
  std::vector<Allocation> allocations;
};

[[nodiscard]] std::string to_bytes(const Capture& capture);
[[nodiscard]] Capture parse_capture(std::string_view bytes);

/// Through a file beside it that is renamed when it is whole.
void write_capture(const std::string& path, const Capture& capture);
[[nodiscard]] Capture read_capture(const std::string& path);

/// The slabs of one launch as the kernels leave them (trace.hpp, TraceSlabs): `counts` per captured block and warp, `records` with room for
/// `capacity` each. Sets incomplete::kOverflow and kSampled. A warp that never finished is an error: its kernel forgot, or did not end.
void add_slabs(CapturedKernel& kernel, const Record* records, const std::vector<std::uint32_t>& counts, std::uint32_t capacity);

/// Gives every allocation a made-up base (2 MiB apart at least, in table order) and moves the records along, so that a capture does not
/// depend on where the system put its memory. A record outside of all allocations is an error that names the kernel and the address.
void rebase(Capture& capture);

/// "" when the two captures say the same, else the first difference in one line. Addresses are compared as places in allocations of the
/// same name; clocks, SM numbers, device and note are left out: so a capture from a GPU can be held against the shim's.
[[nodiscard]] std::string difference(Capture one, Capture other);

/// What a capture holds, for tests and people.
struct Totals {
  std::uint64_t records = 0;
  std::uint64_t dropped = 0;
  std::uint64_t load_bytes = 0;  ///< All ops that read global memory.
  std::uint64_t store_bytes = 0;
  std::uint64_t reduce_bytes = 0;
  std::uint64_t prefetch_bytes = 0;
  std::uint64_t flop = 0;
};
[[nodiscard]] Totals totals_of(const CapturedKernel& kernel);

}  // namespace rooftrace::capture
