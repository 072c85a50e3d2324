// What a trace file's records add up to: one pass over the stored records, repeated kernels counted as often as they run.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "traces/file/trace_file.hpp"

namespace rooftrace {

/// Records and requested bytes of a kernel, or of many.
struct RecordTotals {
  static constexpr std::size_t kHomes = 3, kOps = 3;
  std::uint64_t kernels = 0, blocks = 0, steps = 0, accesses = 0;
  std::array<std::array<std::array<std::uint64_t, kOps>, kHomes>, kTensorRoles> bytes{};  ///< [role][home][op]
  Work work{};                                                                            ///< Of the kernels, closed form.

  RecordTotals& operator+=(const RecordTotals& other);
};

/// One per kernel of the stage.
[[nodiscard]] std::vector<RecordTotals> record_totals(const TraceFileStage& stage);

}  // namespace rooftrace
