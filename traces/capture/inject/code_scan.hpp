// Which instructions that touch global memory a kernel's machine code holds: the ground for calling a capture complete or not.
//
// Reads cubins (64-bit ELF) of sm_80 to sm_90a, whose instructions are 16 bytes with the operation in the low nine bits. The numbers were
// derived by compiling one-instruction kernels with nvcc 13.0 and looking at what was new; check_scan.py repeats that where nvcc is
// installed. Hostile input: anything that is not such an ELF file gives `readable = false`, never a crash.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace rooftrace::capture {

/// Instructions of one function, by what the Sanitizer API makes of them.
struct CodeCounts {
  std::uint64_t instructions = 0;
  std::uint64_t global = 0;        ///< LDG STG ATOMG RED, and LD ST ATOM of generic addresses: patched, lane by lane.
  std::uint64_t async_copies = 0;  ///< LDGSTS: patched.
  std::uint64_t tensor = 0;        ///< UTMALDG UTMASTG UTMAREDG UTMAPF: copies through a tensor map, which no callback shows.
  std::uint64_t bulk = 0;          ///< UBLKCP UBLKRED UBLKPF: bulk copies without a map; callbacks are newer than CUDA 12.5, not used here.

  CodeCounts& operator+=(const CodeCounts& other);
};

struct CodeScan {
  bool readable = false;
  bool known_architecture = false;  ///< Encoding as above (sm_80, 86, 87, 89, 90, 90a).
  unsigned architecture = 0;        ///< 90 for sm_90 and sm_90a.
  std::map<std::string, CodeCounts> kernels;
  CodeCounts callable;  ///< Functions that are no kernels: any kernel of the module may call them.
};

[[nodiscard]] CodeScan scan_code(std::string_view cubin);

/// What a capture of this kernel lacks before it has begun: a mask of incomplete::.
[[nodiscard]] std::uint32_t unseen_by_sanitizer(const CodeScan& scan, const std::string& kernel);

}  // namespace rooftrace::capture
