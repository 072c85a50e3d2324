// How far a long job is, on standard error: one line that is rewritten on a terminal, a plain line now and then elsewhere.
//
// Promises: never more than ten lines a second; nothing when quiet; the time left is the mean time per piece of this run times the pieces
// left. Not thread-safe: the caller reports one piece at a time.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace rooftrace {

class Progress {
 public:
  /// `pieces` are still to do; `unit` is what they are called ("points").
  Progress(std::uint64_t pieces, std::string unit, bool quiet);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void piece(bool failed);

 private:
  using Clock = std::chrono::steady_clock;
  void show(Clock::time_point now);

  std::uint64_t pieces_, done_ = 0, failed_ = 0;
  std::string unit_;
  bool quiet_, terminal_;
  Clock::time_point start_, shown_;
};

/// "41 s", "3 min 20 s", "2 h 5 min".
[[nodiscard]] std::string duration_text(double seconds);
/// What a progress line says.
[[nodiscard]] std::string progress_text(std::uint64_t done, std::uint64_t pieces, std::uint64_t failed, double seconds,
                                        const std::string& unit);

}  // namespace rooftrace
