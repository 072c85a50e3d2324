#include "traces/import/l1_filter.hpp"

namespace rooftrace {
namespace {

constexpr std::uint64_t kSectorsPerLine = kL1LineBytes / kSectorBytes;

}  // namespace

void L1Filter::unlink(std::uint32_t at) {
  const Line& line = slots_[at];
  (line.newer == kNone ? newest_ : slots_[line.newer].older) = line.older;
  (line.older == kNone ? oldest_ : slots_[line.older].newer) = line.newer;
}

void L1Filter::link_newest(std::uint32_t at) {
  slots_[at].newer = kNone;
  slots_[at].older = newest_;
  (newest_ == kNone ? oldest_ : slots_[newest_].newer) = at;
  newest_ = at;
}

/// The slot of a line, made room for if need be, and now the newest.
std::uint32_t L1Filter::use(std::uint64_t number) {
  if (const auto found = where_.find(number); found != where_.end()) {
    if (found->second != newest_) {
      unlink(found->second);
      link_newest(found->second);
    }
    return found->second;
  }
  std::uint32_t at = oldest_;
  if (slots_.size() < lines_) {
    at = static_cast<std::uint32_t>(slots_.size());
    slots_.emplace_back();
  } else {
    where_.erase(slots_[at].number);
    unlink(at);
  }
  slots_[at].number = number;
  slots_[at].present = 0;
  where_[number] = at;
  link_newest(at);
  return at;
}

std::uint64_t L1Filter::load(const SectorRun& run, std::vector<SectorRun>& missed) {
  if (lines_ == 0) {
    missed.push_back(run);
    return 0;
  }
  std::uint64_t hits = 0;
  const std::size_t first = missed.size();
  for (std::uint64_t i = 0; i < run.sectors; ++i) {
    const std::uint64_t address = run.address + i * kSectorBytes;
    Line& line = slots_[use(address / kL1LineBytes)];
    const auto bit = static_cast<std::uint8_t>(1U << (address / kSectorBytes % kSectorsPerLine));
    if ((line.present & bit) != 0) {
      ++hits;
      continue;
    }
    line.present = static_cast<std::uint8_t>(line.present | bit);
    if (missed.size() > first && missed.back().end() == address) {
      ++missed.back().sectors;
    } else {
      missed.push_back({address, 1});
    }
  }
  return hits;
}

void L1Filter::drop(const SectorRun& run) {
  if (run.sectors == 0) return;
  const std::uint64_t first = run.address / kL1LineBytes, last = (run.end() - 1) / kL1LineBytes;
  if (last - first >= slots_.size()) {  // A bulk reduction may be longer than the cache.
    for (Line& line : slots_) {
      if (line.number >= first && line.number <= last) line.present = 0;
    }
    return;
  }
  for (std::uint64_t number = first; number <= last; ++number) {
    const auto found = where_.find(number);
    if (found != where_.end()) slots_[found->second].present = 0;
  }
}

void L1Filter::clear() {
  slots_.clear();
  where_.clear();
  newest_ = oldest_ = kNone;
}

}  // namespace rooftrace
