#include "sim/app/progress.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>

namespace rooftrace {
namespace {

constexpr std::chrono::milliseconds kOnTerminal{200};
constexpr std::chrono::seconds kInLog{10};

}  // namespace

std::string duration_text(double seconds) {
  const auto whole = static_cast<std::uint64_t>(std::llround(std::max(0.0, std::min(seconds, 1e12))));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
}

std::string progress_text(std::uint64_t done, std::uint64_t pieces, std::uint64_t failed, double seconds, const std::string& unit) {
  const double rate = seconds > 0 ? static_cast<double>(done) / seconds : 0;
  std::string text = fmt::format("{} of {} {}", done, pieces, unit);
  if (rate > 0) text += fmt::format(", {:.3g} per second, {} left", rate, duration_text(static_cast<double>(pieces - done) / rate));
  if (failed > 0) text += fmt::format(", {} failed", failed);
  return text;
}

Progress::Progress(std::uint64_t pieces, std::string unit, bool quiet)
    : pieces_(pieces), unit_(std::move(unit)), quiet_(quiet), terminal_(isatty(STDERR_FILENO) == 1), start_(Clock::now()), shown_(start_) {}

Progress::~Progress() {
  if (!quiet_ && terminal_ && done_ > 0) static_cast<void>(std::fputs("\n", stderr));
}

void Progress::piece(bool failed) {
  ++done_;
  failed_ += failed ? 1 : 0;
  if (quiet_) return;
  const Clock::time_point now = Clock::now();
  const bool due = terminal_ ? now - shown_ >= kOnTerminal || done_ == pieces_ : now - shown_ >= kInLog;
  if (due) show(now);
}

void Progress::show(Clock::time_point now) {
  shown_ = now;
  const std::string text = progress_text(done_, pieces_, failed_, std::chrono::duration<double>(now - start_).count(), unit_);
  const std::string line = terminal_ ? fmt::format("\r\x1b[K{}", text) : fmt::format("rooftrace: {}\n", text);
  static_cast<void>(std::fputs(line.c_str(), stderr));
  static_cast<void>(std::fflush(stderr));
}

}  // namespace rooftrace
