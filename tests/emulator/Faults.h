// Memory faults of kernels become failed launches.
#pragma once

#include <memory>

namespace heddle::emulator {

/// Catches the signals that bad addresses raise while it lives: other libraries have handlers of their own,
/// to which the signals of other threads go on. One at a time.
class FaultHandlers {
public:
  FaultHandlers();
  ~FaultHandlers();
  FaultHandlers(const FaultHandlers &) = delete;
};

/// The stack that signal handlers run on, for a thread that runs kernels: a kernel's own may have overflowed.
class FaultStack {
public:
  FaultStack();
  ~FaultStack();
  FaultStack(const FaultStack &) = delete;

private:
  std::unique_ptr<char[]> memory;
  struct Before;
  std::unique_ptr<Before> before;
};

} // namespace heddle::emulator
