// Work and footprint of a kernel, from its steps: for importers, who have no closed form.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "sim/core/kernel.hpp"
#include "traces/byte_set.hpp"

namespace rooftrace::trace_file {

class FootprintMeter {
 public:
  void take(std::span<const Access> loads, const Work& work, std::span<const Access> stores) {
    for (std::size_t pipe = 0; pipe < kPipes; ++pipe) work_[pipe] += work[pipe];
    for (const Access& access : loads) take(access, 0);
    for (const Access& access : stores) take(access, 1);
  }
  [[nodiscard]] const Work& work() const { return work_; }
  [[nodiscard]] std::vector<Footprint> footprint() const {
    std::vector<Footprint> all;
    for (std::size_t slot = 0; slot < sets_.size(); ++slot) {
      const std::uint64_t read = sets_[slot][0].size(), written = sets_[slot][1].size();
      if (read + written == 0) continue;
      all.push_back({static_cast<TensorRole>(slot / kHomes), static_cast<Home>(slot % kHomes), read, written, false});
    }
    return all;
  }

 private:
  static constexpr std::size_t kHomes = 3;

  void take(const Access& access, std::size_t direction) {
    ByteSet& set = sets_[static_cast<std::size_t>(access.role) * kHomes + static_cast<std::size_t>(access.home)][direction];
    for (std::uint32_t row = 0; row < access.rows; ++row) {
      const std::uint64_t begin = access.address + row * access.pitch;
      set.insert(begin, begin + access.row_bytes);
    }
  }

  std::array<std::array<ByteSet, 2>, kHomes * kTensorRoles> sets_;  ///< [role, home][read, written]
  Work work_{};
};

}  // namespace rooftrace::trace_file
