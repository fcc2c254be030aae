// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// Parallel loops over libomp. Generated code and the support kernels use nothing else of OpenMP.

#include "core/Failure.h"

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>

using namespace heddle::runtime;

namespace {
std::atomic<int32_t> threadSetting{0};

// A host process may bring another copy of LLVM's or Intel's OpenMP (PyTorch and MKL do). libomp would end
// the process when it finds one; both work side by side, so tell it to go on unless the user decided
// otherwise. It reads this at its first parallel region, after this library has been loaded.
struct AllowSecondOpenMP {
  AllowSecondOpenMP() noexcept { setenv("KMP_DUPLICATE_LIB_OK", "TRUE", /*overwrite=*/0); }
} allowSecondOpenMP;

int32_t defaultThreads() {
  static const int32_t threads = std::clamp(omp_get_max_threads(), 1, HEDDLE_MAX_THREADS);
  return threads;
}
} // namespace

int32_t heddle_num_threads(void) {
  int32_t threads = threadSetting.load(std::memory_order_relaxed);
  return threads > 0 ? threads : defaultThreads();
}

heddle_status_t heddle_set_num_threads(int32_t threads) {
  return guard([&] {
    if (threads < 0 || threads > HEDDLE_MAX_THREADS)
      throw Failure(HEDDLE_INVALID_ARGUMENT, "the number of threads is " + std::to_string(threads) +
                                                 ", expected 0 (the default) to " +
                                                 std::to_string(HEDDLE_MAX_THREADS));
    threadSetting.store(threads, std::memory_order_relaxed);
  });
}

// Compiled programs lack the type marks before their functions that the sanitizer of indirect calls would
// read.
#if defined(__clang__)
__attribute__((no_sanitize("function")))
#endif
void heddle_parallel_for(void (*body)(void *args, int64_t begin, int64_t end), void *args, int64_t count,
                         int64_t grain) {
  if (!body || count <= 0)
    return;
  grain = std::clamp<int64_t>(grain, 1, count);
  // Written so that a count near the largest int64 does not overflow.
  const int64_t chunks = (count - 1) / grain + 1;
  auto runChunk = [=](int64_t chunk) {
    int64_t begin = chunk * grain;
    body(args, begin, begin + std::min(grain, count - begin));
  };

  const int64_t threads = std::min<int64_t>(heddle_num_threads(), chunks);
  if (threads <= 1 || omp_in_parallel()) {
    for (int64_t chunk = 0; chunk < chunks; ++chunk)
      runChunk(chunk);
    return;
  }
#pragma omp parallel for schedule(dynamic, 1) num_threads(static_cast<int>(threads))
  for (int64_t chunk = 0; chunk < chunks; ++chunk)
    runChunk(chunk);
}
