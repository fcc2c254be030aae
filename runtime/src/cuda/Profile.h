// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// Where the time of a call goes.
#pragma once

#include "cuda/Event.h"
#include "cuda/Graph.h"

#include <memory>
#include <string>
#include <vector>

namespace heddle::runtime::cuda {

/// The steps of a call with events before and after each.
class Timeline {
public:
  explicit Timeline(const Driver &driver) : driver(driver) {}

  /// Makes the events of so many steps, which a capture need not make then.
  void reserve(size_t steps);
  /// Forgets the steps of the call before, and keeps its events for the next one.
  void restart(bool isCaptured);
  void begin(const Step &step, CUstream stream);
  void end(CUstream stream) { mark(stream); }

  size_t size() const { return entries.size(); }
  const Step &step(size_t at) const { return entries[at].step; }
  /// How long a step has taken in the latest call, which is done.
  double microseconds(size_t at) const;

private:
  void mark(CUstream stream);

  struct Entry {
    Step step;
    size_t event; ///< before it; the next one is after it
  };
  const Driver &driver;
  bool captured = false;
  std::vector<Entry> entries;
  std::vector<std::unique_ptr<Event>> events;
  size_t used = 0; ///< of the events
};

/// Of a list that is not empty.
double median(std::vector<double> values);

/// All steps of one name.
struct StepTimes {
  std::string name;
  int64_t launches;        ///< in a call
  double microseconds;     ///< of one launch
  double callMicroseconds; ///< of the launches of a call
};

} // namespace heddle::runtime::cuda
