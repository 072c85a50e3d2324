#include "sim/app/stop_signals.hpp"

#include <pthread.h>

#include <ctime>
#include <initializer_list>

namespace rooftrace {

StopSignals::StopSignals() {
  sigemptyset(&signals_);
  for (const int signal : {SIGINT, SIGTERM, SIGUSR1}) sigaddset(&signals_, signal);
  pthread_sigmask(SIG_BLOCK, &signals_, &before_);
}

StopSignals::~StopSignals() {
  const timespec at_once{};
  while (sigtimedwait(&signals_, nullptr, &at_once) > 0) {  // What came has been answered; it must not end the program afterwards.
  }
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

int StopSignals::stop() const {
  sigset_t pending;
  sigemptyset(&pending);
  if (sigpending(&pending) != 0) return 0;
  for (const int signal : {SIGTERM, SIGUSR1, SIGINT}) {
    if (sigismember(&pending, signal) == 1) return signal;
  }
  return 0;
}

}  // namespace rooftrace
