// The group of one stage in result.h5: byte counts, times and rooflines by kernel, by class and in sum.
#pragma once

#include "analysis/roofline.hpp"
#include "sim/app/report_hdf5_file.hpp"
#include "sim/app/result.hpp"

namespace rooftrace::h5 {

/// Names of an enum in its order, as coordinate labels and flag meanings.
template <typename Enum>
[[nodiscard]] std::vector<std::string> enum_names(int count) {
  std::vector<std::string> result;
  for (int i = 0; i < count; ++i) result.emplace_back(name(static_cast<Enum>(i)));
  return result;
}

/// `timed`: the fidelity gives times; without it they are written as NaN.
void write_stage(Group& group, const StageResult& stage, const Peaks& peaks, bool timed);

}  // namespace rooftrace::h5
