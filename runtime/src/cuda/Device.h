// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// A GPU: its primary context, its stream, its memory.
#pragma once

#include "cuda/Driver.h"

#include <heddle/cuda.h>

#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace heddle::runtime::cuda {

/// Where a call's error record arrives on the host, and when.
struct Report {
  heddle_cuda_error_t *record; ///< page-locked
  CUevent finished;
};

class Device {
public:
  /// Device `index`, opened at the first call and kept until the process ends. Throws Failure.
  static Device &get(int index);

  /// Makes the device's context the current one of this thread.
  class Scope {
  public:
    explicit Scope(const Device &device) : device(device) {
      device.driver.require(device.driver.cuCtxPushCurrent_v2(device.context), "use the GPU's context");
    }
    ~Scope() {
      CUcontext before;
      device.driver.cuCtxPopCurrent_v2(&before);
    }
    Scope(const Scope &) = delete;
    Scope &operator=(const Scope &) = delete;

  private:
    const Device &device;
  };

  /// "cuda:0".
  std::string name() const;

  /// Memory in the order of the stream; aligned to 256 bytes. 0 bytes give null.
  void *allocate(int64_t bytes);
  /// Frees it once the stream has come this far.
  void release(void *pointer, int64_t bytes) noexcept;

  void synchronize(const char *what);
  /// Gives unused memory of the pool back to the system.
  void trim();

  // Copies in the order of the stream. The host's side is free when they return, unless it is page-locked.
  void copyFromHost(void *to, const void *from, int64_t bytes);
  void copyWithin(void *to, const void *from, int64_t bytes);
  /// Waits until the elements have arrived.
  void copyToHost(void *to, const void *from, int64_t bytes);

  /// Working memory, shared by the functions of this device since their calls run one after the other. To be
  /// called with `ordering` held; what is put on the stream until that is let go may use it.
  void *arena();
  void addArenaUser(int64_t bytes);
  void removeArenaUser(int64_t bytes) noexcept;

  /// Recorded where that section of a call ends. Shared by all calls, whose records follow each other: to be
  /// called with `ordering` held.
  CUevent sectionEvent(int32_t section);

  /// A report of a call; one that was given back may be taken again at once, in the order of the stream.
  Report takeReport();
  void giveReport(Report report) noexcept;

  const Driver &driver;
  const int index;
  CUdevice device = 0;
  CUcontext context = nullptr;
  CUstream stream = nullptr;        ///< waits for the legacy default stream and the other way round
  CUstream asideStream = nullptr;   ///< for what a call puts aside; waits only for what it is told to
  CUstream captureStream = nullptr; ///< on which nothing runs: other streams do not disturb a capture
  CUstream captureAsideStream = nullptr;
  CUevent fork = nullptr; ///< where one stream of a call last waited for the other; under `ordering`
  heddle_cuda_device_t info{};
  std::mutex ordering; ///< held while one call is put on the stream

  void memoryStats(heddle_memory_stats_t *out) const;
  void resetPeak();

private:
  Device(const Driver &driver, int index);
  CUresult tryAllocate(CUdeviceptr &pointer, int64_t bytes);

  CUmemoryPool pool = nullptr;
  std::atomic<int64_t> currentBytes{0}, peakBytes{0}, allocations{0}, liveAllocations{0};

  std::multiset<int64_t>
      arenaUsers; ///< the bytes that each function needs; under `ordering`, as what follows
  void *arenaMemory = nullptr;
  int64_t arenaBytes = 0;

  std::map<int32_t, CUevent> sectionEvents; ///< made at the first use

  std::mutex reportMutex;
  std::vector<Report> idleReports;
};

/// Copies bytes between any two devices; `from` may be freed and the host's side be used once it returns.
void copyBetween(DLDevice toDevice, void *to, DLDevice fromDevice, const void *from, int64_t bytes);

} // namespace heddle::runtime::cuda
