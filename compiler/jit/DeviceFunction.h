//===- DeviceFunction.h - An entry loaded on a GPU --------------*- C++ -*-===//
#pragma once

#include "compiler/jit/DeviceProgram.h"

namespace heddle::jit {

struct FreeDeviceFunction {
  void operator()(heddle_cuda_function_t *function) const { heddle_cuda_function_free(function); }
};
using DeviceFunction = std::unique_ptr<heddle_cuda_function_t, FreeDeviceFunction>;

/// Loads what was compiled for a device; `entry` is the host's code, which must live longer. `buffers` counts
/// inputs and results. Throws Error.
DeviceFunction loadDeviceFunction(const DeviceProgram &code, const std::string &name, int device,
                                  size_t buffers, int64_t arenaBytes,
                                  int32_t (*entry)(heddle_call_t *, void **));

} // namespace heddle::jit
