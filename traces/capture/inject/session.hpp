// The host's side of an injected capture: allocations come and go, launches hand over their lanes, and at the end there is one file.
//
// No CUDA in here, so that all of it is tested without a GPU. Times: an allocation belongs to the kernels that were captured between its
// birth and its death. A launch is called complete only if nothing was dropped, all blocks were captured, all threads had left, and the
// machine code holds nothing that the patches cannot see.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "traces/capture/capture_file.hpp"
#include "traces/capture/inject/code_scan.hpp"
#include "traces/capture/inject/lane_access.hpp"

namespace rooftrace::capture {

/// One group of lanes as warp records, by the rules of trace.hpp (a range, or lines with sectors), appended to `records`.
void pack_group(const LaneAccess* lanes, std::size_t count, std::vector<Record>& records);

struct LaunchInfo {
  std::string name;
  std::uint32_t grid[3] = {1, 1, 1};
  std::uint32_t block[3] = {1, 1, 1};
  std::uint32_t cluster[3] = {1, 1, 1};
  std::uint32_t stream = 0;
};

class Session {
 public:
  explicit Session(const std::string& device, std::uint32_t sm_count);

  void module_loaded(std::uint64_t module, CodeScan scan);
  void module_unloaded(std::uint64_t module);
  void allocated(std::uint64_t address, std::uint64_t bytes);
  void freed(std::uint64_t address);

  /// `trace` as the device left it and the lanes it kept (min(next, capacity) of them). `unpatched`: some class of instructions could not
  /// be patched.
  void add_launch(const LaunchInfo& launch, std::uint64_t module, const DeviceTrace& trace, const std::vector<LaneAccess>& lanes,
                  bool unpatched);
  [[nodiscard]] const Capture& capture() const { return capture_; }
  /// Lines for people: each kernel, its records, and why it is incomplete.
  [[nodiscard]] std::string summary() const;
  /// The capture with its note, for write_capture().
  [[nodiscard]] Capture finish(const std::string& note);

 private:
  Capture capture_;
  std::map<std::uint64_t, CodeScan> modules_;
  std::map<std::uint64_t, std::size_t> live_;  ///< Address -> index into capture_.allocations.
};

/// "complete", or the reasons of a mask, comma-separated.
[[nodiscard]] std::string describe_incomplete(std::uint32_t mask);

}  // namespace rooftrace::capture
