// SIGINT, SIGTERM and SIGUSR1 as a question instead of an interruption.
//
// Promise: while an instance lives these signals do not end the program; whoever works asks stop() between two pieces of work. No handler
// and no global state: the signals are blocked (threads started later inherit that) and looked for among the pending ones. Must be made
// before any thread is started.
#pragma once

#include <csignal>

namespace rooftrace {

class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  /// Thread-safe; 0, or the signal that came.
  [[nodiscard]] int stop() const;

 private:
  sigset_t signals_{}, before_{};
};

}  // namespace rooftrace
