// A kernel of the stub driver that adds, and its launch where it is the first one of the program.
#pragma once

#include "StubDriver.h"

#include <heddle/cuda.h>

/// to[i] = from[i] + amount
inline void addKernel(unsigned blocks, void **arguments) {
  auto *from = *static_cast<float **>(arguments[0]), *to = *static_cast<float **>(arguments[1]);
  const float amount = *static_cast<float *>(arguments[2]);
  for (unsigned i = 0; i < blocks; ++i)
    to[i] = from[i] + amount;
  heddle_stub_control.clock += 0.0625;
}

inline void add(heddle_call_t *call, void *from, void *to, float amount, int64_t count = 1) {
  void *arguments[] = {&from, &to, &amount};
  heddle_cuda_launch(call, 0, count, 1, 1, 1, 0, arguments);
}
