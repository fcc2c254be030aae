// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// Aligned allocation with statistics and a limit.

#include "core/Failure.h"

#include <atomic>
#include <cstdlib>

using namespace heddle::runtime;

namespace {
std::atomic<int64_t> currentBytes{0}, peakBytes{0}, allocations{0}, liveAllocations{0}, limitBytes{0};

/// Sits in the HEDDLE_ALIGNMENT bytes before the memory that is handed out.
struct BlockHeader {
  int64_t bytes;
};
static_assert(sizeof(BlockHeader) <= HEDDLE_ALIGNMENT);

void raisePeak(int64_t value) {
  int64_t peak = peakBytes.load(std::memory_order_relaxed);
  while (peak < value && !peakBytes.compare_exchange_weak(peak, value, std::memory_order_relaxed)) {
  }
}

/// Counts the bytes if the limit allows it.
bool reserve(int64_t bytes) {
  const int64_t limit = limitBytes.load(std::memory_order_relaxed);
  int64_t current = currentBytes.load(std::memory_order_relaxed);
  do {
    if (limit > 0 && bytes > limit - current)
      return false;
  } while (!currentBytes.compare_exchange_weak(current, current + bytes, std::memory_order_relaxed));
  raisePeak(current + bytes);
  return true;
}
} // namespace

heddle_status_t heddle_allocate(int64_t bytes, void **out) {
  return guard([&] {
    requireResult(out);
    if (bytes < 0)
      throw Failure(HEDDLE_INVALID_ARGUMENT, "cannot allocate " + std::to_string(bytes) + " bytes");
    // Far above any machine's memory, far below an overflow of the sums here.
    constexpr int64_t most = int64_t(1) << 60;
    if (bytes > most)
      throw Failure(HEDDLE_OUT_OF_MEMORY, "cannot allocate " + std::to_string(bytes) + " bytes");
    if (!reserve(bytes))
      throw Failure(HEDDLE_OUT_OF_MEMORY, "cannot allocate " + std::to_string(bytes) +
                                              " bytes: the limit is " + std::to_string(limitBytes.load()) +
                                              " bytes and " + std::to_string(currentBytes.load()) +
                                              " are in use");
    constexpr int64_t unit = HEDDLE_ALIGNMENT;
    const int64_t padded = (bytes + 2 * unit - 1) / unit * unit;
    char *block = static_cast<char *>(std::aligned_alloc(HEDDLE_ALIGNMENT, static_cast<size_t>(padded)));
    if (!block) {
      currentBytes.fetch_sub(bytes, std::memory_order_relaxed);
      throw Failure(HEDDLE_OUT_OF_MEMORY,
                    "cannot allocate " + std::to_string(bytes) + " bytes: the system refused");
    }
    reinterpret_cast<BlockHeader *>(block)->bytes = bytes;
    allocations.fetch_add(1, std::memory_order_relaxed);
    liveAllocations.fetch_add(1, std::memory_order_relaxed);
    *out = block + HEDDLE_ALIGNMENT;
  });
}

void heddle_free(void *pointer) {
  if (!pointer)
    return;
  char *block = static_cast<char *>(pointer) - HEDDLE_ALIGNMENT;
  currentBytes.fetch_sub(reinterpret_cast<BlockHeader *>(block)->bytes, std::memory_order_relaxed);
  liveAllocations.fetch_sub(1, std::memory_order_relaxed);
  std::free(block);
}

void heddle_memory_stats(heddle_memory_stats_t *out) {
  if (!out)
    return;
  out->current_bytes = currentBytes.load(std::memory_order_relaxed);
  out->peak_bytes = peakBytes.load(std::memory_order_relaxed);
  out->allocations = allocations.load(std::memory_order_relaxed);
  out->live_allocations = liveAllocations.load(std::memory_order_relaxed);
}

void heddle_memory_reset_peak(void) {
  peakBytes.store(currentBytes.load(std::memory_order_relaxed), std::memory_order_relaxed);
}

heddle_status_t heddle_memory_set_limit(int64_t bytes) {
  return guard([&] {
    if (bytes < 0)
      throw Failure(HEDDLE_INVALID_ARGUMENT,
                    "the memory limit is " + std::to_string(bytes) + " bytes, expected 0 (none) or more");
    limitBytes.store(bytes, std::memory_order_relaxed);
  });
}
