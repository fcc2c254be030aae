//===- DeviceFunction.h - An entry loaded on a GPU --------------*- C++ -*-===//
#pragma once

#include "compiler/jit/DeviceProgram.h"

namespace heddle::jit {

class EmulatedKernels;

struct FreeDeviceFunction {
  void operator()(heddle_cuda_function_t *function) const { heddle_cuda_function_free(function); }
};

/// The function as the runtime knows it, and what the emulated device runs.
struct DeviceFunction {
  heddle_cuda_function_t *get() const { return function.get(); }

  std::shared_ptr<EmulatedKernels> emulated; ///< outlives the function
  std::unique_ptr<heddle_cuda_function_t, FreeDeviceFunction> function;
};

/// Loads what was compiled for a device; `entry` is the host's code, which must live longer. `buffers` counts
/// inputs and results. Throws Error.
DeviceFunction loadDeviceFunction(const DeviceProgram &code, const std::string &name, int device,
                                  size_t buffers, int64_t arenaBytes,
                                  int32_t (*entry)(heddle_call_t *, void **));

} // namespace heddle::jit
