// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// Where the time of a call goes.
#pragma once

#include "cuda/Event.h"
#include "cuda/Graph.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace heddle::runtime::cuda {

/// What a profile calls a step.
struct StepName {
  std::string text;
  bool isGroup = false; ///< whose adjacent steps are timed together
};

/// A call with events before and after each entry: a step, or adjacent steps of one group. A graph has no
/// events within an entry. The host, which launches one by one, may be late: then each step has its events,
/// and an entry takes the sum.
class Timeline {
public:
  /// What it gives must stay where it is.
  using Naming = std::function<const StepName &(const Step &)>;

  Timeline(const Driver &driver, Naming nameOf) : driver(driver), nameOf(std::move(nameOf)) {}

  /// Makes the events of so many steps, which a capture need not make then.
  void reserve(size_t steps);
  /// Forgets the steps of the call before, and keeps its events for the next one.
  void restart(bool isCaptured);
  void begin(const Step &step, CUstream stream);
  void end(CUstream stream);
  /// After the last step.
  void finish(CUstream stream);

  size_t size() const { return entries.size(); }
  const std::string &name(size_t at) const { return entries[at].name->text; }
  /// How long an entry has taken in the latest call, which is done.
  double microseconds(size_t at) const;

private:
  void mark(CUstream stream);

  struct Entry {
    const StepName *name;
    size_t event; ///< before its first step
  };
  const Driver &driver;
  const Naming nameOf;
  bool captured = false;
  std::vector<Entry> entries;
  std::vector<std::unique_ptr<Event>> events;
  size_t used = 0; ///< of the events
};

/// Of a list that is not empty.
double median(std::vector<double> values);

/// All entries of one name.
struct StepTimes {
  std::string name;
  int64_t launches;        ///< in a call; of a group, runs of adjacent ones
  double microseconds;     ///< of one launch
  double callMicroseconds; ///< of the launches of a call
};

} // namespace heddle::runtime::cuda
