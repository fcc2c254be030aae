// A CUDA driver of two devices in host memory, for the tests of the runtime. "Kernels" are functions of this
// process; every call can be counted and made to fail.
#pragma once

#include "cuda/DriverApi.h"

#include <cstdint>

namespace stub {

struct Kernel {
  char name[32];
  int32_t arguments;
  int32_t bytes[8]; ///< of each argument, the error record included
  void (*run)(unsigned blocks, void **arguments);
};

/// What the tests load as the image of a program.
struct Image {
  char magic[8] = "STUBIMG";
  int32_t count = 0;
  Kernel kernels[8];
};

/// How the driver behaves; tests change it and call `reset`.
struct Control {
  const char *failing = nullptr; ///< the symbol that fails
  int result = 0;                ///< what it returns
  int after = 0;                 ///< how many calls succeed before
  int version = 12040, devices = 2, major = 9, minor = 0, memoryPools = 1, sharedBytes = 232448;
  char name[64] = "Stub GPU";
  int64_t memory = 1 << 30; ///< bytes that can be allocated

  int64_t usedMemory = 0, liveAllocations = 0;
  int launches = 0; ///< of kernels, outside of graphs
  int graphLaunches = 0, captures = 0, instantiations = 0, nodeUpdates = 0, graphUpdates = 0, liveGraphs = 0;

  double clock = 0;        ///< milliseconds, as events see it; kernels of the tests move it on
  double transferTime = 0; ///< what a copy or fill adds to it
  int liveEvents = 0;
  int eventNodes = 0; ///< events that were captured

  /// Is told the "launch", "record" and "wait" of a stream, and of which event.
  void (*watch)(const char *what, const void *stream, const void *event) = nullptr;
};

} // namespace stub

extern "C" stub::Control heddle_stub_control;
