// What the files with the driver's functions share.
#pragma once

#include "Machine.h"

#include <utility>

#define HEDDLE_EMULATED_EXPORT extern "C" __attribute__((visibility("default")))

namespace heddle::emulator {

constexpr int mostShared = 163 << 10; ///< bytes of a block, as on devices of compute capability 8.0

bool hasContext();
/// Does all that the stream has been asked for, and what that waits for.
CUresult finish(CUstream stream);
/// Puts work on a stream, or into the graph that the stream captures.
CUresult put(CUstream stream, Work work);
inline CUresult put(CUstream stream, std::function<CUresult()> action) {
  Work work;
  work.action = std::move(action);
  return put(stream, std::move(work));
}
bool isCapturing(CUstream stream);

/// Checks and copies what a launch is given.
CUresult describeLaunch(Work &work, CUfunction function, std::array<uint32_t, 3> grid,
                        std::array<uint32_t, 3> block, uint32_t sharedBytes, void **arguments);

} // namespace heddle::emulator

// The functions are declared from the runtime's list, so that both sides agree.
using namespace heddle::runtime::cuda;
#define HEDDLE_EMULATED_DECLARE(name, parameters) HEDDLE_EMULATED_EXPORT CUresult name parameters;
HEDDLE_CUDA_SYMBOLS(HEDDLE_EMULATED_DECLARE)

/// Every function starts with one of these: it locks, and fails where it is told to.
#define HEDDLE_EMULATED_ENTER()                                                                              \
  auto &machine = ::heddle::emulator::Machine::get();                                                        \
  std::lock_guard lock(machine.mutex);                                                                       \
  if (!machine.initialised())                                                                                \
    return CUDA_ERROR_NOT_INITIALIZED;                                                                       \
  if (CUresult failed = machine.enter(__func__))                                                             \
  return failed
#define HEDDLE_EMULATED_ENTER_STREAM(stream)                                                                 \
  HEDDLE_EMULATED_ENTER();                                                                                   \
  if (!::heddle::emulator::hasContext())                                                                     \
  return CUDA_ERROR_INVALID_CONTEXT
