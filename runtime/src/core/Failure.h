// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// Inside the library failures are exceptions; `guard` turns them into a status at the C boundary.
#pragma once

#include <heddle/runtime.h>

#include <exception>
#include <new>
#include <string>
#include <utility>

namespace heddle::runtime {

/// A failure with its message, and a hint that becomes the message's second line.
class Failure : public std::exception {
public:
  Failure(heddle_status_t status, std::string message, const std::string &hint = "")
      : status(status), message(std::move(message)) {
    if (!hint.empty())
      this->message += "\nhint: " + hint;
  }
  const char *what() const noexcept override { return message.c_str(); }

  heddle_status_t status;
  std::string message;
};

/// The thread's last message; allocation failure while storing it is survived.
void setLastError(const char *message) noexcept;

/// Runs `body`; whatever it throws becomes this thread's error.
template <typename Body>
heddle_status_t guard(Body &&body) noexcept {
  try {
    body();
    return HEDDLE_OK;
  } catch (const Failure &failure) {
    setLastError(failure.what());
    return failure.status;
  } catch (const std::bad_alloc &) {
    setLastError("out of memory");
    return HEDDLE_OUT_OF_MEMORY;
  } catch (const std::exception &error) {
    setLastError(error.what());
    return HEDDLE_INTERNAL;
  } catch (...) {
    setLastError("unknown exception");
    return HEDDLE_INTERNAL;
  }
}

/// Fails with HEDDLE_INVALID_ARGUMENT when a pointer the caller must give is null.
inline void requirePointer(const void *pointer, const char *what) {
  if (!pointer)
    throw Failure(HEDDLE_INVALID_ARGUMENT, std::string(what) + " is a null pointer");
}

/// The same for the place of a result, which may itself be a pointer.
template <typename T>
void requireResult(T *out) {
  requirePointer(static_cast<const void *>(out), "the result");
}

} // namespace heddle::runtime
