#include "traces/import/import_summary.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "sim/core/error.hpp"
#include "sim/core/units.hpp"

namespace rooftrace {
namespace {

constexpr std::size_t kShownName = 100;
constexpr std::size_t kLongestName = 4096;  // Of a kernel, as in a trace file.
constexpr std::size_t kMostShown = 40;      // Names in the printed text; the notes hold the counts of all.

template <class Map>
auto& entry(Map& map, const std::string& word) {
  return map.size() < kMostSummaryWords || map.contains(word) ? map[word] : map["others"];
}

std::string bytes_text(std::uint64_t bytes) {
  return bytes < 1000 ? fmt::format("{} B", bytes) : format_quantity(static_cast<double>(bytes), Dimension::bytes);
}

/// Names come from files: control characters would reach the terminal.
std::string shown(const std::string& name) {
  std::string text = name.size() > kShownName ? name.substr(0, kShownName) + "..." : name;
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return text;
}

std::string duration_text(const KernelTally& tally) {
  return tally.measured == 0 ? "" : fmt::format(", measured {}", format_quantity(tally.measured_ns * 1e-9, Dimension::seconds));
}

}  // namespace

void ImportSummary::leave_out(const std::string& reason, std::uint64_t bytes) {
  entry(left_out, reason).add(bytes);
}

void ImportSummary::meet_unknown(std::string_view word) {
  ++entry(unknown, shown(std::string(word)));
}

KernelTally& ImportSummary::kernel(const std::string& name) {
  return entry(names, name.substr(0, kLongestName));
}

void ImportSummary::miss_blocks(std::uint64_t missing, const std::string& file) {
  blocks_missing += missing;
  if (blocks_missing <= kMostBlocksMissing) return;
  throw UserError({file}, fmt::format("its grids have more than {} blocks that it does not hold", kMostBlocksMissing));
}

std::string ImportSummary::text() const {
  std::string out = fmt::format("imported {}: {} kernels, {} blocks, {} {}, {} steps, {} accesses\n", format, kernels, blocks, instructions,
                                instructions_are, steps, accesses);
  const auto line = [&](const std::string& left, const std::string& right) { out += fmt::format("  {:<28} {}\n", left, right); };
  for (std::size_t i = 1; i < spaces.size(); ++i) {
    if (spaces[i].count == 0) continue;
    line(fmt::format("{} memory", name(static_cast<MemorySpace>(i))),
         fmt::format("{} records, {}", spaces[i].count, bytes_text(spaces[i].bytes)));
  }
  line("asked of L2",
       fmt::format("loads {}, stores {}, atomics {}", bytes_text(load_bytes), bytes_text(store_bytes), bytes_text(reduce_bytes)));
  if (l1_load_bytes > 0) {
    line("L1 filter", fmt::format("{} of {} loaded through it hit", bytes_text(l1_hit_bytes), bytes_text(l1_load_bytes)));
  }
  if (tensor_flop + cuda_flop + special_operations > 0) {
    line("work",
         fmt::format("tensor {:.4g} FLOP, CUDA cores {:.4g} FLOP, special functions {:.4g}", tensor_flop, cuda_flop, special_operations));
  }
  if (blocks_missing > 0) line("blocks not captured", fmt::format("{}, kept as empty blocks", blocks_missing));
  for (const auto& [reason, much] : left_out) line("left out", fmt::format("{}: {} ({})", reason, much.count, bytes_text(much.bytes)));
  for (const auto& [word, count] : unknown) line("unknown", fmt::format("{}: {}", word, count));
  std::vector<std::pair<std::string, KernelTally>> sorted(names.begin(), names.end());
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.second.lowered && !b.second.lowered; });
  std::size_t printed = 0;
  for (const auto& [kernel_name, tally] : sorted) {
    // What has no accesses is always named; of the rest the first few.
    if (tally.lowered && printed++ >= kMostShown) continue;
    const std::string how = tally.lowered ? (tally.as.empty() ? "" : " as " + tally.as) : " (unknown: no accesses)";
    line(tally.lowered ? "kernel" : "kernel without accesses",
         fmt::format("{}x {}{}{}", tally.count, shown(kernel_name), how, duration_text(tally)));
  }
  if (printed > kMostShown) line("kernel", fmt::format("and {} more names", printed - kMostShown));
  for (const std::string& remark : remarks) line("note", remark);
  return out;
}

std::vector<std::pair<std::string, std::string>> ImportSummary::notes() const {
  std::vector<std::pair<std::string, std::string>> all;
  all.emplace_back("import.format", format);
  all.emplace_back("import.read", fmt::format("{} kernels, {} blocks, {} {}", kernels, blocks, instructions, instructions_are));
  for (std::size_t i = 1; i < spaces.size(); ++i) {
    if (spaces[i].count == 0) continue;
    all.emplace_back(fmt::format("import.memory.{}", name(static_cast<MemorySpace>(i))),
                     fmt::format("{} records, {} bytes", spaces[i].count, spaces[i].bytes));
  }
  if (l1_load_bytes > 0) all.emplace_back("import.l1", fmt::format("{} of {} bytes hit", l1_hit_bytes, l1_load_bytes));
  if (blocks_missing > 0) all.emplace_back("import.blocks_missing", fmt::format("{}", blocks_missing));
  for (const auto& [reason, much] : left_out) {
    all.emplace_back("import.left_out", fmt::format("{}: {}, {} bytes", reason, much.count, much.bytes));
  }
  for (const auto& [word, count] : unknown) all.emplace_back("import.unknown", fmt::format("{}: {}", word, count));
  for (const auto& [kernel_name, tally] : names) {
    if (!tally.lowered) all.emplace_back("import.kernel_without_accesses", fmt::format("{}: {}", shown(kernel_name), tally.count));
  }
  for (const std::string& remark : remarks) all.emplace_back("import.remark", remark);
  if (all.size() > 3900) {  // The trace file takes 4,096 notes.
    all.resize(3900);
    all.emplace_back("import.remark", "more notes than a trace takes; the rest is not kept");
  }
  return all;
}

}  // namespace rooftrace
