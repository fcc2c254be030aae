#include "Fiber.h"

#include <cstdint>
#include <new>
#include <sys/mman.h>

#if __has_feature(address_sanitizer)
#include <sanitizer/common_interface_defs.h>
#endif

// The calling convention leaves these registers to the called function; all others are dead across a call.
// The jump is what `ret` would do, which processors would predict to go to the caller.
asm(R"(
  .text
  .globl heddle_emulator_switch
  .hidden heddle_emulator_switch
  .type heddle_emulator_switch, @function
heddle_emulator_switch:
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
  popq %rcx
  jmpq *%rcx
  .size heddle_emulator_switch, .-heddle_emulator_switch
)");

namespace heddle::emulator {

#if __has_feature(address_sanitizer)
void announceSwitch(void **state, const void *bottom, size_t bytes) {
  __sanitizer_start_switch_fiber(state, bottom, bytes);
}
void announceArrival(void *state, const void **bottom, size_t *bytes) {
  __sanitizer_finish_switch_fiber(state, bottom, bytes);
}
#else
void announceSwitch(void **, const void *, size_t) {}
void announceArrival(void *, const void **, size_t *) {}
#endif

constexpr size_t guardBytes = 4096;

Stack::Stack() {
  void *mapped = mmap(nullptr, bytes + guardBytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED)
    throw std::bad_alloc();
  memory = static_cast<char *>(mapped);
  mprotect(memory, guardBytes, PROT_NONE);
}

Stack::~Stack() { munmap(memory, bytes + guardBytes); }

const void *Stack::bottom() const { return memory + guardBytes; }

bool Stack::holds(const void *address) const {
  return address >= memory && address < memory + bytes + guardBytes;
}

void *Stack::top() const {
  // A call leaves the stack 8 bytes off a multiple of 16; no return address is there.
  char *address = memory + guardBytes + bytes - sizeof(void *);
  *reinterpret_cast<void **>(address) = nullptr;
  return address;
}

Context Stack::start(void (*body)()) {
  auto *at = static_cast<uintptr_t *>(top());
  *--at = reinterpret_cast<uintptr_t>(body);
  for (int i = 0; i < 6; ++i)
    *--at = 0;
  return at;
}

} // namespace heddle::emulator
