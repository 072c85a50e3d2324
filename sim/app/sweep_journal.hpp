// What a sweep has finished so far, on disk beside its output: FILE.part.
//
// A line per point with a checksum, written when the point is finished, synced once a second: a process that is killed loses the points in
// flight only; a power cut at most the last second. A last line that is cut off is ignored. Promises: one writer at a time (a second one is
// refused, also on other machines where the file system has locks); points of another sweep, another version or other files are refused;
// in memory there are 8 bytes for each point (where its line is), and each different message of failed points once.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sim/app/sweep_table.hpp"

namespace rooftrace {

class SweepJournal {
 public:
  /// Opens or makes the journal of `output` and notes in `table` which points it holds. Without `resume` a journal that holds points is
  /// refused. `table` must outlive this.
  SweepJournal(const std::string& output, SweepTable& table, bool resume);
  ~SweepJournal();
  SweepJournal(const SweepJournal&) = delete;
  SweepJournal& operator=(const SweepJournal&) = delete;

  /// Keeps a finished point and notes its status in the table. UserError when the disk is full.
  void add(std::uint64_t point, const PointRecord& record);
  /// A point that is there. UserError when its line has been damaged since.
  [[nodiscard]] PointRecord read(std::uint64_t point) const;
  [[nodiscard]] const SweepNames& names() const { return names_; }
  void sync();
  /// The output is complete: the journal goes.
  void remove();
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  void open();
  void load(bool resume);
  void keep(std::uint64_t point, const PointRecord& record, std::uint64_t at);
  [[nodiscard]] bool read_body(const std::string& body, std::uint64_t& point, PointRecord& record) const;
  void write(std::string_view bytes);
  [[noreturn]] void fail(int error) const;

  std::string path_;
  SweepTable& table_;
  SweepNames names_;
  std::vector<std::uint64_t> places_;  ///< Where a point's line begins.
  std::uint64_t size_ = 0;
  int descriptor_ = -1;
  std::chrono::steady_clock::time_point synced_ = std::chrono::steady_clock::now();
};

/// A record as one line of text, and back; every double exactly.
[[nodiscard]] std::string record_text(const PointRecord& record);
[[nodiscard]] bool read_record(std::string_view text, PointRecord& record);

}  // namespace rooftrace
