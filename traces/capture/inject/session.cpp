#include "traces/capture/inject/session.hpp"

#include <algorithm>

namespace rooftrace::capture {

void pack_group(const LaneAccess* lanes, std::size_t count, std::vector<Record>& records) {
  if (count == 0) return;
  Record record;
  record.block = lanes[0].block;
  record.warp = lanes[0].warp;
  record.clock = lanes[0].clock;
  record.sm = lanes[0].sm;
  record.op = static_cast<Op>(lanes[0].op);
  bool in_line = true;
  for (std::size_t i = 0; i < count; ++i) in_line = in_line && lanes[i].address == lanes[0].address + i * lanes[0].bytes;
  if (in_line) {
    record.address = lanes[0].address;
    record.bytes = static_cast<std::uint32_t>(count * lanes[0].bytes);
    record.lanes = static_cast<std::uint16_t>(count);
    records.push_back(record);
    return;
  }
  record.shape = Shape::line;
  std::vector<bool> done(count, false);
  for (std::size_t first = 0; first < count; ++first) {
    if (done[first]) continue;
    const std::uint64_t line = lanes[first].address / kLineBytes;
    unsigned sectors = 0;
    for (std::size_t i = first; i < count; ++i) {
      if (done[i] || lanes[i].address / kLineBytes != line) continue;
      done[i] = true;
      sectors |= 1U << (lanes[i].address % kLineBytes / kSectorBytes);
    }
    record.address = line * kLineBytes;
    record.lanes = static_cast<std::uint16_t>(sectors);
    record.bytes = static_cast<std::uint32_t>(__builtin_popcount(sectors)) * kSectorBytes;
    records.push_back(record);
  }
}

Session::Session(const std::string& device, std::uint32_t sm_count) {
  capture_.source = Source::gpu_injected;
  capture_.device = device;
  capture_.sm_count = sm_count;
}

void Session::module_loaded(std::uint64_t module, CodeScan scan) {
  modules_[module] = std::move(scan);
}

void Session::module_unloaded(std::uint64_t module) {
  modules_.erase(module);
}

void Session::allocated(std::uint64_t address, std::uint64_t bytes) {
  freed(address);  // A second birth at one place: the first must have ended unseen.
  live_[address] = capture_.allocations.size();
  const auto kernel = static_cast<std::uint32_t>(capture_.kernels.size());
  capture_.allocations.push_back({"allocation " + std::to_string(capture_.allocations.size()), address, bytes, kernel, kNoKernel});
}

void Session::freed(std::uint64_t address) {
  const auto found = live_.find(address);
  if (found == live_.end()) return;
  capture_.allocations[found->second].end_kernel = static_cast<std::uint32_t>(capture_.kernels.size());
  live_.erase(found);
}

void Session::add_launch(const LaunchInfo& launch, std::uint64_t module, const DeviceTrace& trace, const std::vector<LaneAccess>& lanes,
                         bool unpatched) {
  CapturedKernel& kernel = capture_.kernels.emplace_back();
  kernel.name = launch.name;
  std::copy_n(launch.grid, 3, kernel.entry.grid);
  std::copy_n(launch.block, 3, kernel.entry.block);
  std::copy_n(launch.cluster, 3, kernel.entry.cluster);
  kernel.entry.stream = launch.stream;
  kernel.entry.block_sample = std::max(trace.block_sample, 1U);
  const std::uint64_t blocks = std::uint64_t{launch.grid[0]} * launch.grid[1] * launch.grid[2];
  const std::uint64_t threads = blocks * launch.block[0] * launch.block[1] * launch.block[2];

  const auto scan = modules_.find(module);
  std::uint32_t lacks = scan == modules_.end() ? incomplete::kUnknownCode : unseen_by_sanitizer(scan->second, launch.name);
  if (unpatched || trace.exited < threads) lacks |= incomplete::kUnseenOther;
  if (kernel.entry.block_sample > 1) lacks |= incomplete::kSampled;

  std::map<std::uint32_t, Slab> slabs;  // By block; captured blocks that did nothing have one too.
  for (std::uint64_t block = 0; block < blocks; block += kernel.entry.block_sample) {
    slabs[static_cast<std::uint32_t>(block)].block = static_cast<std::uint32_t>(block);
  }
  std::uint64_t torn = 0;  // Groups that the end of the buffer cut, or whose lanes never came.
  for (std::size_t first = 0; first < lanes.size();) {
    const LaneAccess& head = lanes[first];
    const std::size_t count = std::clamp<std::size_t>(head.lanes, 1, 32);
    const bool whole = head.filled == 1 && head.lanes >= 1 && head.lanes <= 32 && first + count <= lanes.size() && head.op < kOpCount &&
                       head.bytes >= 1 && slabs.contains(head.block) &&
                       std::all_of(lanes.begin() + static_cast<std::ptrdiff_t>(first),
                                   lanes.begin() + static_cast<std::ptrdiff_t>(first + count), [&](const LaneAccess& lane) {
                                     return lane.filled == 1 && lane.group == static_cast<std::uint32_t>(first) &&
                                            lane.block == head.block && lane.warp == head.warp && lane.op == head.op &&
                                            lane.bytes == head.bytes;
                                   });
    if (!whole) {
      ++torn;
      ++first;
      continue;
    }
    pack_group(&lanes[first], count, slabs[head.block].records);
    first += count;
  }
  const std::uint64_t dropped = torn + (trace.next > trace.capacity ? trace.next - trace.capacity : 0);
  if (dropped > 0) lacks |= incomplete::kOverflow;
  for (auto& [block, slab] : slabs) {
    std::stable_sort(slab.records.begin(), slab.records.end(), [](const Record& a, const Record& b) { return a.warp < b.warp; });
    for (std::size_t i = 0; i < slab.records.size(); ++i) {
      slab.records[i].sequence = i > 0 && slab.records[i].warp == slab.records[i - 1].warp ? slab.records[i - 1].sequence + 1 : 0;
    }
    kernel.slabs.push_back(std::move(slab));
  }
  if (!kernel.slabs.empty()) kernel.slabs.front().dropped = dropped;  // The buffer is the launch's: nobody knows whose they were.
  kernel.entry.incomplete = lacks;
}

std::string describe_incomplete(std::uint32_t mask) {
  if (mask == 0) return "complete";
  std::string text = "INCOMPLETE:";
  const auto add = [&](std::uint32_t bit, const char* why) {
    if ((mask & bit) != 0) text += std::string(text.back() == ':' ? " " : ", ") + why;
  };
  add(incomplete::kOverflow, "the buffer was full (ROOFTRACE_INJECT_ACCESSES)");
  add(incomplete::kSampled, "blocks were sampled");
  add(incomplete::kUnseenTensor, "tensor copies (TMA) that no callback shows");
  add(incomplete::kUnseenOther, "accesses that were not patched");
  add(incomplete::kUnknownCode, "the machine code could not be inspected");
  return text;
}

std::string Session::summary() const {
  std::string text;
  for (const CapturedKernel& kernel : capture_.kernels) {
    const Totals totals = totals_of(kernel);
    text += kernel.name + ": " + std::to_string(totals.records) + " records, " + std::to_string(totals.load_bytes) + " B loaded, " +
            std::to_string(totals.store_bytes) + " B stored, " + std::to_string(totals.dropped) + " accesses dropped; " +
            describe_incomplete(kernel.entry.incomplete) + "\n";
  }
  return text;
}

Capture Session::finish(const std::string& note) {
  capture_.note = note;
  return capture_;
}

}  // namespace rooftrace::capture
