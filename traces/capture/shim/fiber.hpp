// One thread of a block on the CPU: a stack of its own that the scheduler enters and that gives way.
//
// Twelve instructions per switch on x86-64, because swapcontext asks the kernel for the signal mask twice per switch, which was nine tenths
// of a capture's time; swapcontext elsewhere. Signal masks and floating-point modes are not switched: nobody changes them.
#pragma once

#include <cstddef>

#ifndef __x86_64__
#include <ucontext.h>
#endif

namespace rooftrace::capture::shim {

class Fiber {
 public:
  /// `entry` runs on the stack at the first resume(); it must not return but suspend(true) when it is done.
  void start(unsigned char* stack, std::size_t bytes, void (*entry)());
  /// From the scheduler: runs the fiber until it suspends.
  void resume();
  /// From inside the fiber. `last`: it will not be resumed.
  void suspend(bool last);
  /// The first thing that `entry` does.
  void entered();

 private:
  unsigned char* stack_ = nullptr;
  std::size_t bytes_ = 0;
#ifdef __x86_64__
  void* here_ = nullptr;       ///< The fiber's stack pointer while it sleeps.
  void* scheduler_ = nullptr;  ///< The scheduler's while the fiber runs.
#else
  ucontext_t here_{};
  ucontext_t scheduler_{};
#endif
  // What the address sanitizer wants to know about stacks.
  void* fake_here_ = nullptr;
  void* fake_scheduler_ = nullptr;
  const void* scheduler_stack_ = nullptr;
  std::size_t scheduler_bytes_ = 0;
};

}  // namespace rooftrace::capture::shim
