// A grid of points cut into blocks that lie together in the file and are written, or read, at once.
//
// Promises: blocks are consecutive points, in ascending order, none longer than asked; all but the last ones of a row have the shape of
// chunk(), so that a block is a whole chunk of every variable over the points.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace rooftrace {

struct SweepBlock {
  std::uint64_t first = 0, points = 0;
  std::vector<std::uint64_t> start, count;  ///< Along every axis.
};

class SweepBlocks {
 public:
  /// `extent`: the length of every axis, the last one fastest; none is 0. `most`: points of a block, at least 1.
  explicit SweepBlocks(std::vector<std::uint64_t> extent, std::uint64_t most = kPoints)
      : extent_(std::move(extent)), chunk_(extent_.size(), 1), cut_(extent_.size()) {
    while (cut_ > 0 && row_ * extent_[cut_ - 1] <= most) {
      --cut_;
      chunk_[cut_] = extent_[cut_];
      row_ *= extent_[cut_];
    }
    if (cut_ > 0) {  // The axis that is cut; those before it go one by one.
      --cut_;
      chunk_[cut_] = std::max<std::uint64_t>(1, most / row_);
      pieces_ = (extent_[cut_] + chunk_[cut_] - 1) / chunk_[cut_];
      blocks_ = pieces_;
      for (std::size_t i = 0; i < cut_; ++i) blocks_ *= extent_[i];
    } else {
      whole_ = true;
    }
  }

  [[nodiscard]] const std::vector<std::uint64_t>& extent() const { return extent_; }
  [[nodiscard]] const std::vector<std::uint64_t>& chunk() const { return chunk_; }
  [[nodiscard]] std::uint64_t size() const { return blocks_; }
  [[nodiscard]] SweepBlock block(std::uint64_t number) const {
    SweepBlock block{0, 0, std::vector<std::uint64_t>(extent_.size(), 0), chunk_};
    if (whole_) {
      block.points = row_;
      return block;
    }
    const std::uint64_t begin = number % pieces_ * chunk_[cut_];
    block.start[cut_] = begin;
    block.count[cut_] = std::min(chunk_[cut_], extent_[cut_] - begin);
    std::uint64_t outer = number / pieces_;
    block.first = (outer * extent_[cut_] + begin) * row_;
    for (std::size_t i = cut_; i-- > 0; outer /= extent_[i]) block.start[i] = outer % extent_[i];
    block.points = block.count[cut_] * row_;
    return block;
  }

 private:
  static constexpr std::uint64_t kPoints = 4096;  ///< 0.9 MiB of numbers per stage.

  std::vector<std::uint64_t> extent_, chunk_;
  std::size_t cut_;
  std::uint64_t row_ = 1;  ///< Points of one step along the axis that is cut.
  std::uint64_t pieces_ = 1, blocks_ = 1;
  bool whole_ = false;
};

}  // namespace rooftrace
