// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// An event that knows its time.
#pragma once

#include "cuda/Driver.h"

namespace heddle::runtime::cuda {

class Event {
public:
  /// `what` completes "cannot …" where it fails, here and below.
  Event(const Driver &driver, const char *what) : driver(driver), what(what) {
    driver.require(driver.cuEventCreate(&handle, CU_EVENT_DEFAULT), what);
  }
  ~Event() { driver.cuEventDestroy_v2(handle); }
  Event(const Event &) = delete;
  Event &operator=(const Event &) = delete;

  /// On a stream that is not captured.
  void record(CUstream stream) { driver.require(driver.cuEventRecord(handle, stream), what); }
  /// As a node of the graph that the stream captures.
  void capture(CUstream stream) {
    driver.require(driver.cuEventRecordWithFlags(handle, stream, CU_EVENT_RECORD_EXTERNAL), what);
  }
  /// Until a later event, when both are done.
  double microsecondsTo(const Event &later) const {
    float milliseconds = 0;
    driver.require(driver.cuEventElapsedTime(&milliseconds, handle, later.handle), what);
    return 1e3 * static_cast<double>(milliseconds);
  }

private:
  const Driver &driver;
  const char *const what;
  CUevent handle = nullptr;
};

} // namespace heddle::runtime::cuda
