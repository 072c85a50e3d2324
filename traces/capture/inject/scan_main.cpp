// rooftrace-scan-cubin FILE...: per kernel of a cubin, the instructions that touch global memory, and what an injected capture would lack.
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>

#include "traces/capture/inject/session.hpp"

int main(int argc, char** argv) {
  using namespace rooftrace::capture;
  if (argc < 2) {
    std::fputs("usage: rooftrace-scan-cubin FILE...\n", stderr);
    return 2;
  }
  for (int i = 1; i < argc; ++i) {
    std::ifstream in(argv[i], std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    const CodeScan scan = scan_code(bytes);
    if (!in || !scan.readable) {
      std::fprintf(stderr, "%s: not a cubin (64-bit ELF)\n", argv[i]);
      return 2;
    }
    for (const auto& [name, counts] : scan.kernels) {
      std::printf("sm_%u %s: %llu instructions, %llu global, %llu async, %llu tensor, %llu bulk; %s\n", scan.architecture, name.c_str(),
                  static_cast<unsigned long long>(counts.instructions), static_cast<unsigned long long>(counts.global),
                  static_cast<unsigned long long>(counts.async_copies), static_cast<unsigned long long>(counts.tensor),
                  static_cast<unsigned long long>(counts.bulk), describe_incomplete(unseen_by_sanitizer(scan, name)).c_str());
    }
  }
  return 0;
}
