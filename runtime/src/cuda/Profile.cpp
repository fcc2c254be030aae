// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// Calls with events around each step. They are replayed as a graph of steps and events, so that the time of a
// small kernel is not that of its launch by the host.

#include "cuda/Profile.h"
#include "cuda/Function.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

using namespace heddle::runtime;
using namespace heddle::runtime::cuda;

void Timeline::reserve(size_t steps) {
  while (events.size() < steps + 1)
    events.push_back(std::make_unique<Event>(driver, "profile a call"));
}

void Timeline::restart(bool isCaptured) {
  captured = isCaptured;
  entries.clear();
  used = 0;
}

void Timeline::begin(const Step &step, CUstream stream) {
  // In a graph a step begins where the one before ends. The host, which launches one by one, may be late.
  if (!captured || used == 0)
    mark(stream);
  entries.push_back({step, used - 1});
}

void Timeline::mark(CUstream stream) {
  reserve(used);
  Event &event = *events[used++];
  if (captured)
    event.capture(stream);
  else
    event.record(stream);
}

double Timeline::microseconds(size_t at) const {
  const size_t before = entries[at].event;
  return events[before]->microsecondsTo(*events[before + 1]);
}

double heddle::runtime::cuda::median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return values.size() % 2 ? *middle : (*middle + *std::max_element(values.begin(), middle)) / 2;
}

namespace {

/// What all calls of a profile have taken, by the names of steps.
class Samples {
public:
  explicit Samples(int64_t calls) : calls(static_cast<size_t>(calls)) {}

  void add(size_t call, const std::string &name, double microseconds) {
    auto [known, isNew] = byName.try_emplace(name);
    if (isNew) {
      known->second.counts.resize(calls);
      known->second.sums.resize(calls);
    }
    known->second.launches.push_back(microseconds);
    known->second.counts[call] += 1;
    known->second.sums[call] += microseconds;
  }

  /// What takes most of a call first.
  std::vector<StepTimes> summary() const {
    std::vector<StepTimes> times;
    times.reserve(byName.size());
    for (const auto &[name, of] : byName)
      times.push_back({name, std::llround(median(of.counts)), median(of.launches), median(of.sums)});
    std::sort(times.begin(), times.end(), [](const StepTimes &a, const StepTimes &b) {
      return std::tie(b.callMicroseconds, a.name) < std::tie(a.callMicroseconds, b.name);
    });
    return times;
  }

private:
  struct Steps {
    std::vector<double> launches;     ///< microseconds of each, in all calls
    std::vector<double> counts, sums; ///< in each call
  };
  const size_t calls;
  std::map<std::string, Steps> byName;
};

} // namespace

std::string Function::nameOf(const Step &step) const {
  switch (step.kind) {
  case Step::Kind::Launch:
    return kernels[static_cast<size_t>(step.number)].name;
  case Step::Kind::Copy:
    return "copy";
  case Step::Kind::Fill:
    return "fill";
  case Step::Kind::Read:
    return "read";
  case Step::Kind::Product:
    return products[static_cast<size_t>(step.number)]->name;
  }
  return "";
}

std::vector<StepTimes> Function::profile(void *const *buffers, std::span<const heddle_cuda_refill_t> refills,
                                         int64_t calls) {
  const Driver &driver = device.driver;
  std::lock_guard ordered(device.ordering);
  Device::Scope scope(device);
  std::vector<void *> addresses = addressesOf(buffers);
  /// One call from its arguments to the end, which `enqueue` puts on the stream.
  auto call = [&](auto &&enqueue) {
    for (const heddle_cuda_refill_t &refill : refills)
      device.copyFromHost(refill.to, refill.from, refill.bytes);
    heddle_cuda_error_t failed{};
    withRecord(&failed, enqueue);
    driver.require(driver.cuStreamSynchronize(device.stream), "run kernels on the GPU");
    check(failed);
  };

  // The first one also lets the driver and cuBLASLt load what a capture must not.
  CallState first{*this, CallState::Mode::Direct, device.stream};
  call([&] { run(first, addresses); });
  if (first.steps > mostSteps)
    throw Failure(HEDDLE_UNSUPPORTED,
                  "a call of '" + name + "' has " + std::to_string(first.steps) + " steps, and only up to " +
                      std::to_string(mostSteps) + " are profiled",
                  "profile smaller dimensions, or a function that is a part of this one");
  Timeline timeline(driver);
  timeline.reserve(first.steps);
  Graph graph(device);
  bool captured = canBeCaptured;
  if (captured) {
    try {
      timeline.restart(true);
      capture(graph, addresses, &timeline);
      call([&] { graph.launch(device.stream); }); // the first launch also brings the graph to the device
    } catch (const Failure &) {
      captured = false; // as in `enqueue`
    }
  }
  if (!captured)
    timeline.reserve(2 * first.steps); // none is made while a call runs
  Samples samples(calls);
  for (size_t at = 0; at < static_cast<size_t>(calls); ++at) {
    call([&] {
      if (captured)
        return graph.launch(device.stream);
      timeline.restart(false);
      CallState state{*this, CallState::Mode::Direct, device.stream};
      state.timeline = &timeline;
      run(state, addresses);
    });
    for (size_t step = 0; step < timeline.size(); ++step)
      samples.add(at, nameOf(timeline.step(step)), timeline.microseconds(step));
  }
  return samples.summary();
}

//===----------------------------------------------------------------------===//
// The C interface
//===----------------------------------------------------------------------===//

namespace {
struct Profile : heddle_cuda_profile_t {
  std::vector<StepTimes> times; ///< whose names `list` points to
  std::vector<heddle_cuda_step_time_t> list;
};
} // namespace

heddle_status_t heddle_cuda_function_profile(heddle_cuda_function_t *function, void *const *buffers,
                                             const heddle_cuda_refill_t *refills, int32_t refill_count,
                                             int64_t calls, heddle_cuda_profile_t **out) {
  return guard([&] {
    requirePointer(function, "the function");
    requirePointer(static_cast<const void *>(buffers), "the list of buffers");
    if (refill_count > 0)
      requirePointer(refills, "the list of refills");
    requireResult(out);
    if (calls < 1)
      throw Failure(HEDDLE_INVALID_ARGUMENT,
                    "the number of calls is " + std::to_string(calls) + ", not positive");
    auto profile = std::make_unique<Profile>();
    profile->times = function->function->profile(
        buffers, std::span(refills, static_cast<size_t>(std::max(refill_count, 0))), calls);
    profile->list.reserve(profile->times.size());
    for (const StepTimes &times : profile->times)
      profile->list.push_back(
          {times.name.c_str(), times.launches, times.microseconds, times.callMicroseconds});
    profile->steps = profile->list.data();
    profile->count = static_cast<int64_t>(profile->list.size());
    *out = profile.release();
  });
}

void heddle_cuda_profile_free(heddle_cuda_profile_t *profile) { delete static_cast<Profile *>(profile); }
