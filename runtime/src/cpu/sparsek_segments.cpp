// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// From the offsets of packed sequences to the bounds of every position's.

#include <heddle/cpu_sparsek.h>

#include "cpu/sparsek_rows.h"

#include <cstdio>

using namespace heddle::runtime;
using namespace heddle::runtime::sparsek;

namespace {

void checkOffsets(const int32_t *offsets, int64_t count, int64_t n) {
  requireSize(n, "the number of positions");
  requireSize(count, "the number of offsets", 1);
  auto wrong = [&](int64_t s, const std::string &rest) {
    throw Failure(HEDDLE_INVALID_ARGUMENT,
                  "segments[" + std::to_string(s) + "] is " + std::to_string(offsets[s]) + rest);
  };
  if (offsets[0] != 0)
    wrong(0, ", not 0");
  for (int64_t s = 1; s < count; ++s)
    if (offsets[s] < offsets[s - 1])
      wrong(s, ", below segments[" + std::to_string(s - 1) + "], which is " + std::to_string(offsets[s - 1]));
  if (offsets[count - 1] != n)
    wrong(count - 1, ", not " + std::to_string(n) + ", the number of positions");
}

} // namespace

heddle_status_t heddle_cpu_sparsek_segments(const int32_t *offsets, int64_t count, int64_t n,
                                            int32_t *bounds) {
  return guard([&] {
    checkOffsets(offsets, count, n);
    for (int64_t s = 0; s + 1 < count; ++s) {
      std::fill(bounds + offsets[s], bounds + offsets[s + 1], offsets[s]);
      std::fill(bounds + n + offsets[s], bounds + n + offsets[s + 1], offsets[s + 1]);
    }
  });
}

void heddle_call_sparsek_segments(heddle_call_t *call, const char *where, const int32_t *offsets,
                                  int64_t count, int64_t n, int32_t *bounds) {
  heddle_status_t status = heddle_cpu_sparsek_segments(offsets, count, n, bounds);
  if (status == HEDDLE_OK)
    return;
  // What runs until the failure is seen stays within its buffers: one sequence.
  if (n >= 0 && n <= INT32_MAX) {
    std::fill(bounds, bounds + n, 0);
    std::fill(bounds + n, bounds + 2 * n, static_cast<int32_t>(n));
  }
  char message[HEDDLE_CALL_MESSAGE_SIZE];
  std::snprintf(message, sizeof message, "%s%s", where ? where : "", heddle_last_error());
  heddle_fail(call, status, message);
}
