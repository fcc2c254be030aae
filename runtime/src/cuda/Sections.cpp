// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.

#include "cuda/Sections.h"

#include <algorithm>

using namespace heddle::runtime;
using namespace heddle::runtime::cuda;

static constexpr const char *what = "order the steps of a call";

void Sections::record(CUevent event, CUstream stream) const {
  device.driver.require(device.driver.cuEventRecord(event, stream), what);
}

void Sections::wait(CUstream stream, CUevent event) const {
  device.driver.require(device.driver.cuStreamWaitEvent(stream, event, 0), what);
}

void Sections::begin() {
  if (within)
    throw Failure(HEDDLE_INTERNAL, "a section of a call begins within another one");
  if (main) {
    record(device.fork, main);
    wait(aside, device.fork);
  }
  within = true;
}

void Sections::end(int32_t section) {
  if (section < 0)
    throw Failure(HEDDLE_INTERNAL, "a section of a call has the number " + std::to_string(section));
  if (!within)
    throw Failure(HEDDLE_INTERNAL,
                  "section " + std::to_string(section) + " of a call ends, but none has begun");
  if (main)
    record(device.sectionEvent(section), aside);
  within = false;
  latest[section] = ++ended;
}

void Sections::join(int32_t section) {
  const auto known = latest.find(section);
  if (known == latest.end())
    throw Failure(HEDDLE_INTERNAL,
                  "a call waits for section " + std::to_string(section) + ", which it has not put aside");
  if (within)
    return; // the second stream does one after the other
  if (main)
    wait(main, device.sectionEvent(section));
  joined = std::max(joined, known->second);
}

void Sections::joinAll() {
  if (!within && joined == ended)
    return;
  within = false;
  joined = ended;
  if (!main)
    return;
  try {
    record(device.fork, aside);
    wait(main, device.fork);
  } catch (const Failure &) {
    // Then the host waits, since memory may be freed behind the call. A capture is thrown away.
    device.driver.cuStreamSynchronize(aside);
    throw;
  }
}
