// What the injected library is asked to do, from the environment of the program it is loaded into.
//
//   ROOFTRACE_INJECT_OUT=FILE.rtcap   where to write; %p becomes the process id (default rooftrace-%p.rtcap)
//   ROOFTRACE_INJECT_NAME=TEXT        only kernels whose (mangled) name contains TEXT
//   ROOFTRACE_INJECT_SKIP=N           not the first N launches that match
//   ROOFTRACE_INJECT_KERNELS=N        at most N launches (default 16)
//   ROOFTRACE_INJECT_SAMPLE=N         only blocks 0, N, 2N ... of each (default 1: all)
//   ROOFTRACE_INJECT_ACCESSES=N       room for N accesses of single lanes per launch (default 2^22; 32 bytes each on the device)
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace rooftrace::capture {

struct InjectOptions {
  std::string out;
  std::string name;
  std::uint32_t skip = 0;
  std::uint32_t kernels = 16;
  std::uint32_t block_sample = 1;
  std::uint32_t accesses = 1U << 22;
};

/// `variable` reads one variable. CaptureError with the variable's name for a value that is none; unknown variables that begin with
/// ROOFTRACE_INJECT_ cannot be seen here.
[[nodiscard]] InjectOptions inject_options(const std::function<std::optional<std::string>(const std::string&)>& variable, long process);

/// The SKIP, NAME and KERNELS filter over the launches of a program, in order.
class LaunchFilter {
 public:
  explicit LaunchFilter(const InjectOptions& options) : options_(options) {}
  /// Whether this launch is captured.
  [[nodiscard]] bool take(const std::string& kernel_name);

 private:
  InjectOptions options_;
  std::uint64_t matched_ = 0;
};

}  // namespace rooftrace::capture
