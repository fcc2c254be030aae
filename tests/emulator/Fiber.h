// Fibers: threads of execution that give way to each other by hand.
#pragma once

#include <cstddef>

namespace heddle::emulator {

/// Where a suspended fiber goes on: its stack pointer, with the saved registers on the stack.
using Context = void *;

/// Suspends the running fiber into `from` and goes on with `to`.
extern "C" void heddle_emulator_switch(Context *from, Context to);

/// Tells the address sanitizer, where there is one, of a switch to another stack: before it, with the stack
/// that it goes to, and after it, which gives the stack that it came from. A fiber that will not go on passes
/// null for its state.
void announceSwitch(void **state, const void *bottom, size_t bytes);
void announceArrival(void *state, const void **bottom, size_t *bytes);

/// A stack with a page that faults below it.
class Stack {
public:
  static constexpr size_t bytes = 256 * 1024;

  Stack();
  ~Stack();
  Stack(const Stack &) = delete;

  /// A context that calls `body`, which must not return.
  Context start(void (*body)());
  /// The stack pointer of a function that was called with nothing on the stack.
  void *top() const;
  bool holds(const void *address) const;
  const void *bottom() const;

private:
  char *memory;
};

} // namespace heddle::emulator
