// What a sweep has finished so far, on disk beside its output: FILE.part.
//
// A line per point with a checksum, written when the point is finished, synced once a second: a process that is killed loses the points in
// flight only; a power cut at most the last second. A last line that is cut off is ignored. Promises: one writer at a time (a second one is
// refused, also on other machines where the file system has locks); points of another sweep, another version or other files are refused.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "sim/app/sweep_table.hpp"

namespace rooftrace {

class SweepJournal {
 public:
  /// Opens or makes the journal of `output` and puts what it holds into `table`. Without `resume` a journal that holds points is refused.
  SweepJournal(const std::string& output, SweepTable& table, bool resume);
  ~SweepJournal();
  SweepJournal(const SweepJournal&) = delete;
  SweepJournal& operator=(const SweepJournal&) = delete;

  /// UserError when the disk is full.
  void add(std::uint64_t point, const PointRecord& record);
  void sync();
  /// The output is complete: the journal goes.
  void remove();
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  void open();
  void load(SweepTable& table, bool resume);
  void write(std::string_view bytes);
  [[noreturn]] void fail(int error) const;

  std::string path_;
  const SweepTable& table_;
  int descriptor_ = -1;
  std::chrono::steady_clock::time_point synced_ = std::chrono::steady_clock::now();
};

/// A record as one line of text, and back; every double exactly.
[[nodiscard]] std::string record_text(const PointRecord& record);
[[nodiscard]] bool read_record(std::string_view text, PointRecord& record);

}  // namespace rooftrace
