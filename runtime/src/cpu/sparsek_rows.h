// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// Checks and parallel loops that the selection's entry points share.
#pragma once

#include "core/Failure.h"

#include <algorithm>
#include <atomic>
#include <string>

namespace heddle::runtime::sparsek {

inline void requireSize(int64_t value, const char *what, int64_t least = 0) {
  if (value < least || value > INT32_MAX)
    throw Failure(HEDDLE_INVALID_ARGUMENT, std::string(what) + " is " + std::to_string(value) +
                                               ", expected " + std::to_string(least) + " to " +
                                               std::to_string(INT32_MAX));
}

/// Calls body(begin, end) for chunks of [0, count). What a chunk throws is thrown here, after all have ended:
/// nothing may leave a parallel region.
template <typename Body>
void parallelChunks(int64_t count, int64_t grain, const Body &body) {
  struct State {
    const Body &body;
    std::atomic<bool> failed{false};
  } state{body};
  heddle_parallel_for(
      [](void *args, int64_t begin, int64_t end) {
        auto *state = static_cast<State *>(args);
        try {
          state->body(begin, end);
        } catch (...) {
          state->failed = true;
        }
      },
      &state, count, grain);
  if (state.failed) // the bodies fail only where memory runs out
    throw Failure(HEDDLE_OUT_OF_MEMORY, "cannot allocate the scratch memory of a SPARSEK selection");
}

} // namespace heddle::runtime::sparsek
