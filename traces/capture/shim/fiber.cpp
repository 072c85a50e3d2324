#include "traces/capture/shim/fiber.hpp"

#include <cstdint>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#else
namespace {
void __sanitizer_start_switch_fiber(void**, const void*, std::size_t) {}    // NOLINT: the sanitizer's names.
void __sanitizer_finish_switch_fiber(void*, const void**, std::size_t*) {}  // NOLINT
}  // namespace
#endif

#ifdef __x86_64__
extern "C" void rooftrace_switch_stack(void** from, void* to);
// The registers that a called function must keep, on the old stack; then the other stack's. System V ABI.
asm(R"(
.text
.globl rooftrace_switch_stack
.type rooftrace_switch_stack, @function
rooftrace_switch_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size rooftrace_switch_stack, .-rooftrace_switch_stack
)");
#endif

namespace rooftrace::capture::shim {

void Fiber::start(unsigned char* stack, std::size_t bytes, void (*entry)()) {
  *this = Fiber();
  stack_ = stack;
  bytes_ = bytes;
#ifdef __x86_64__
  // `ret` takes the entry from a slot at a multiple of 16, so that the stack is as after a call; above it a null return address.
  unsigned char* const top = stack + bytes - (reinterpret_cast<std::uintptr_t>(stack) + bytes) % 16;
  auto* const slots = reinterpret_cast<std::uintptr_t*>(top - 64);
  for (int i = 0; i < 6; ++i) slots[i] = 0;
  slots[6] = reinterpret_cast<std::uintptr_t>(entry);
  slots[7] = 0;
  here_ = slots;
#else
  getcontext(&here_);
  here_.uc_stack.ss_sp = stack;
  here_.uc_stack.ss_size = bytes;
  here_.uc_link = nullptr;
  makecontext(&here_, entry, 0);
#endif
}

void Fiber::resume() {
  __sanitizer_start_switch_fiber(&fake_scheduler_, stack_, bytes_);
#ifdef __x86_64__
  rooftrace_switch_stack(&scheduler_, here_);
#else
  swapcontext(&scheduler_, &here_);
#endif
  __sanitizer_finish_switch_fiber(fake_scheduler_, nullptr, nullptr);
}

void Fiber::entered() {
  __sanitizer_finish_switch_fiber(nullptr, &scheduler_stack_, &scheduler_bytes_);
}

void Fiber::suspend(bool last) {
  __sanitizer_start_switch_fiber(last ? nullptr : &fake_here_, scheduler_stack_, scheduler_bytes_);
#ifdef __x86_64__
  rooftrace_switch_stack(&here_, scheduler_);
#else
  swapcontext(&here_, &scheduler_);
#endif
  __sanitizer_finish_switch_fiber(fake_here_, &scheduler_stack_, &scheduler_bytes_);
}

}  // namespace rooftrace::capture::shim
