#include "traces/capture/inject/code_scan.hpp"

#include <array>
#include <cstring>
#include <vector>

#include "traces/capture/capture_format.hpp"

namespace rooftrace::capture {
namespace {

constexpr std::uint64_t kOperation = 0x1FF;  // Above it: the form of the operands.
constexpr std::array<unsigned, 9> kGlobal = {0x180, 0x181, 0x185, 0x186, 0x18A, 0x18E, 0x1A8, 0x1A9, 0x1AA};  // LD LDG ST STG ATOM RED ...
constexpr unsigned kAsyncCopy = 0x1AE;                                                                        // LDGSTS
constexpr std::array<unsigned, 4> kTensor = {0x1B4, 0x1B5, 0x1B6, 0x1B8};                                     // UTMALDG -STG -REDG -PF
constexpr std::array<unsigned, 3> kBulk = {0x1BA, 0x1BB, 0x1BC};                                              // UBLKCP -RED -PF
constexpr std::array<unsigned, 5> kArchitectures = {80, 86, 87, 89, 90};

template <typename T>
bool read(std::string_view bytes, std::uint64_t at, T& value) {
  if (at > bytes.size() || bytes.size() - at < sizeof value) return false;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return true;
}

template <std::size_t N>
bool among(const std::array<unsigned, N>& list, unsigned value) {
  for (const unsigned each : list) {
    if (each == value) return true;
  }
  return false;
}

CodeCounts count(std::string_view code) {
  CodeCounts counts;
  std::uint64_t word = 0;
  for (std::uint64_t at = 0; read(code, at, word) && at + 16 <= code.size(); at += 16) {
    const auto operation = static_cast<unsigned>(word & kOperation);
    ++counts.instructions;
    counts.global += among(kGlobal, operation) ? 1 : 0;
    counts.async_copies += operation == kAsyncCopy ? 1 : 0;
    counts.tensor += among(kTensor, operation) ? 1 : 0;
    counts.bulk += among(kBulk, operation) ? 1 : 0;
  }
  return counts;
}

struct Section {
  std::uint32_t name = 0;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
};

/// The architecture from the ELF flags: the low byte up to CUDA 12, the second byte since the ABI of CUDA 13 (derived from its output).
unsigned architecture_of(std::uint32_t flags) {
  const unsigned low = flags & 0xFF;
  return low >= 50 && low < 130 ? low : (flags >> 8) & 0xFF;
}

}  // namespace

CodeCounts& CodeCounts::operator+=(const CodeCounts& other) {
  instructions += other.instructions;
  global += other.global;
  async_copies += other.async_copies;
  tensor += other.tensor;
  bulk += other.bulk;
  return *this;
}

CodeScan scan_code(std::string_view cubin) {
  CodeScan scan;
  std::uint64_t table = 0;
  std::uint32_t flags = 0;
  std::uint16_t entry_bytes = 0;
  std::uint16_t entries = 0;
  std::uint16_t names_at = 0;
  const bool elf = cubin.substr(0, 5) ==
                       "\x7f"
                       "ELF\x02" &&
                   read(cubin, 40, table) && read(cubin, 48, flags) && read(cubin, 58, entry_bytes) && read(cubin, 60, entries) &&
                   read(cubin, 62, names_at);
  if (!elf || entry_bytes != 64 || names_at >= entries) return scan;
  std::vector<Section> sections(entries);
  for (std::uint16_t i = 0; i < entries; ++i) {
    const std::uint64_t at = table + std::uint64_t{i} * entry_bytes;
    if (at < table || !read(cubin, at, sections[i].name) || !read(cubin, at + 24, sections[i].offset) ||
        !read(cubin, at + 32, sections[i].bytes)) {
      return scan;
    }
  }
  const auto content = [&](const Section& s) {
    return s.offset > cubin.size() || s.bytes > cubin.size() - s.offset ? std::string_view() : cubin.substr(s.offset, s.bytes);
  };
  const std::string_view names = content(sections[names_at]);
  const auto name_of = [&](const Section& s) {
    const std::string_view from = s.name < names.size() ? names.substr(s.name) : std::string_view();
    return std::string(from.substr(0, from.find('\0')));
  };
  std::map<std::string, CodeCounts> functions;
  std::map<std::string, bool> is_kernel;  // Kernels have a bank of parameters.
  for (const Section& section : sections) {
    const std::string name = name_of(section);
    if (name.rfind(".text.", 0) == 0) functions[name.substr(6)] += count(content(section));
    if (name.rfind(".nv.constant0.", 0) == 0) is_kernel[name.substr(14)] = true;
  }
  for (const auto& [name, counts] : functions) {
    if (is_kernel.contains(name)) {
      scan.kernels[name] = counts;
    } else {
      scan.callable += counts;
    }
  }
  scan.readable = true;
  scan.architecture = architecture_of(flags);
  scan.known_architecture = among(kArchitectures, scan.architecture);
  return scan;
}

std::uint32_t unseen_by_sanitizer(const CodeScan& scan, const std::string& kernel) {
  const auto found = scan.kernels.find(kernel);
  if (!scan.readable || !scan.known_architecture || found == scan.kernels.end()) return incomplete::kUnknownCode;
  CodeCounts counts = found->second;
  counts += scan.callable;
  return (counts.tensor > 0 ? incomplete::kUnseenTensor : 0) | (counts.bulk > 0 ? incomplete::kUnseenOther : 0);
}

}  // namespace rooftrace::capture
