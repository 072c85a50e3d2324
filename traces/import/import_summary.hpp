// What an import read, what it made of it, and what it left out: counts that are printed and kept in the trace's notes.
//
// Nothing is left out in silence: whatever is not turned into accesses adds to `left_out` under a reason, and a word that no table knows to
// `unknown`. Tables of words are bounded (kMostSummaryWords; what comes later adds to "others").
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "traces/import/opcode_table.hpp"

namespace rooftrace {

inline constexpr std::size_t kMostSummaryWords = 1000;
/// Blocks without records that one import may have: a few bytes claim a grid of 64 Mi blocks, and each is kept as an empty one.
inline constexpr std::uint64_t kMostBlocksMissing = 1ULL << 28;

struct CountAndBytes {
  std::uint64_t count = 0;
  std::uint64_t bytes = 0;
  void add(std::uint64_t more_bytes) {
    ++count;
    bytes += more_bytes;
  }
};

/// Kernels of one name.
struct KernelTally {
  std::uint64_t count = 0;
  double measured_ns = 0;      ///< Sum over those with a measured duration.
  std::uint64_t measured = 0;  ///< How many have one.
  bool lowered = true;         ///< False: no accesses were made for it.
  std::string as;              ///< What it was lowered as; "".
};

struct ImportSummary {
  std::string format;
  std::uint64_t kernels = 0, blocks = 0, blocks_missing = 0, steps = 0, accesses = 0;
  std::uint64_t instructions = 0;  ///< Warp instructions, records, rows or events, as the format has.
  std::string instructions_are = "warp instructions";
  std::array<CountAndBytes, kMemorySpaces> spaces{};                ///< Memory instructions by space; bytes of all active lanes together.
  std::uint64_t load_bytes = 0, store_bytes = 0, reduce_bytes = 0;  ///< Asked of L2 by the trace that was made.
  std::uint64_t l1_hit_bytes = 0, l1_load_bytes = 0;                ///< Of loads that went through the L1 filter.
  double tensor_flop = 0, cuda_flop = 0, special_operations = 0;
  std::map<std::string, CountAndBytes> left_out;  ///< Reason -> how much.
  std::map<std::string, std::uint64_t> unknown;   ///< Opcode or operation -> how often.
  std::map<std::string, KernelTally> names;
  std::vector<std::string> remarks;  ///< Sentences for people.

  void leave_out(const std::string& reason, std::uint64_t bytes);
  void meet_unknown(std::string_view word);
  KernelTally& kernel(const std::string& name);
  /// Blocks of a kernel that the file does not hold. UserError, with `file`, beyond kMostBlocksMissing.
  void miss_blocks(std::uint64_t missing, const std::string& file);

  /// For people; several lines.
  [[nodiscard]] std::string text() const;
  /// For the trace file: key, value.
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> notes() const;
};

}  // namespace rooftrace
