// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// Version, status names, the thread's last error, and the failure record of one call.

#include "core/Failure.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstdio>
#include <cstring>

using namespace heddle::runtime;

namespace {
thread_local std::string lastError;

/// Appends to the message of a call, never past its end.
class MessageWriter {
public:
  explicit MessageWriter(heddle_call_t *call)
      : at(call->message), end(call->message + sizeof(call->message) - 1) {}

  void text(const char *begin, size_t size) {
    size_t room = static_cast<size_t>(end - at);
    if (size > room) {
      size = room;
      // Do not leave the first bytes of a UTF-8 sequence behind: drop it when its continuation is cut off.
      while (size > 0 && (static_cast<unsigned char>(begin[size]) & 0xC0) == 0x80)
        --size;
      end = at + size;
    }
    std::memcpy(at, begin, size);
    at += size;
  }
  void number(int64_t value) {
    char digits[24];
    auto result = std::to_chars(digits, digits + sizeof(digits), value);
    text(digits, static_cast<size_t>(result.ptr - digits));
  }
  /// The double that an integer holds the bits of.
  void real(int64_t bits) {
    double value;
    std::memcpy(&value, &bits, sizeof value);
    char digits[32];
    text(digits, static_cast<size_t>(std::snprintf(digits, sizeof digits, "%.17g", value)));
  }
  void finish() { *at = '\0'; }

private:
  char *at, *end;
};

/// The first "{}" or "{g}" of a message, null if there is none.
const char *nextHole(const char *message) {
  for (const char *at = std::strchr(message, '{'); at; at = std::strchr(at + 1, '{'))
    if (at[1] == '}' || (at[1] == 'g' && at[2] == '}'))
      return at;
  return nullptr;
}

/// True for the one thread that may write the record.
bool claim(heddle_call_t *call) {
  int32_t expected = 0;
  return std::atomic_ref<int32_t>(call->claimed)
      .compare_exchange_strong(expected, 1, std::memory_order_relaxed);
}

void publish(heddle_call_t *call, int32_t code) {
  std::atomic_ref<int32_t>(call->status)
      .store(code == HEDDLE_OK ? HEDDLE_INTERNAL : code, std::memory_order_release);
}
} // namespace

void heddle::runtime::setLastError(const char *message) noexcept {
  try {
    lastError = message ? message : "";
  } catch (...) {
    lastError.clear();
  }
}

uint32_t heddle_runtime_version(void) { return HEDDLE_RUNTIME_API_VERSION; }

const char *heddle_runtime_version_string(void) { return HEDDLE_VERSION; }

const char *heddle_status_name(heddle_status_t status) {
  switch (static_cast<int>(status)) {
  case HEDDLE_OK:
    return "ok";
  case HEDDLE_INVALID_ARGUMENT:
    return "invalid argument";
  case HEDDLE_OUT_OF_MEMORY:
    return "out of memory";
  case HEDDLE_NOT_FOUND:
    return "not found";
  case HEDDLE_IO_ERROR:
    return "input/output error";
  case HEDDLE_BAD_FILE:
    return "bad file";
  case HEDDLE_UNSUPPORTED:
    return "unsupported";
  case HEDDLE_OUT_OF_RANGE:
    return "out of range";
  case HEDDLE_ASSERTION:
    return "assertion failed";
  case HEDDLE_PROGRAM_ERROR:
    return "program error";
  case HEDDLE_INTERNAL:
    return "internal error";
  default:
    return "unknown status";
  }
}

const char *heddle_last_error(void) { return lastError.c_str(); }

heddle_status_t heddle_set_last_error(heddle_status_t status, const char *message) {
  setLastError(message);
  return status;
}

void heddle_call_init(heddle_call_t *call) {
  if (call)
    std::memset(call, 0, sizeof(*call));
}

void heddle_fail(heddle_call_t *call, int32_t code, const char *message) {
  if (!call || !claim(call))
    return;
  MessageWriter writer(call);
  if (message)
    writer.text(message, std::strlen(message));
  writer.finish();
  publish(call, code);
}

void heddle_fail_values(heddle_call_t *call, int32_t code, const char *message, int64_t first,
                        int64_t second) {
  if (!call || !claim(call))
    return;
  MessageWriter writer(call);
  const int64_t values[2] = {first, second};
  int used = 0;
  for (const char *rest = message ? message : ""; *rest;) {
    const char *hole = used < 2 ? nextHole(rest) : nullptr;
    writer.text(rest, hole ? static_cast<size_t>(hole - rest) : std::strlen(rest));
    if (!hole)
      break;
    const bool isReal = hole[1] == 'g';
    if (isReal)
      writer.real(values[used++]);
    else
      writer.number(values[used++]);
    rest = hole + (isReal ? 3 : 2);
  }
  writer.finish();
  publish(call, code);
}

heddle_status_t heddle_call_result(const heddle_call_t *call) {
  if (!call)
    return heddle_set_last_error(HEDDLE_INVALID_ARGUMENT, "the call record is a null pointer");
  int32_t status = __atomic_load_n(&call->status, __ATOMIC_ACQUIRE);
  if (status == HEDDLE_OK)
    return HEDDLE_OK;
  return heddle_set_last_error(static_cast<heddle_status_t>(status), call->message);
}
