// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// Calls with events around each step, or around adjacent ones of a group. They are replayed as a graph of
// steps and events, so that the time of a small kernel is not that of its launch by the host.

#include "cuda/Profile.h"
#include "cuda/Function.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <regex>
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
  const StepName &name = nameOf(step);
  const bool goesOn = !entries.empty() && name.isGroup && entries.back().name->isGroup &&
                      entries.back().name->text == name.text;
  // In a graph an entry begins where the one before ends.
  if (!captured || !goesOn)
    mark(stream);
  if (!goesOn)
    entries.push_back({&name, used - 1});
}

void Timeline::end(CUstream stream) {
  if (!captured)
    mark(stream);
}

void Timeline::finish(CUstream stream) {
  if (captured && !entries.empty())
    mark(stream);
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
  // In a graph the event after an entry is the one before the next; else each step has two of its own.
  const size_t next = at + 1 < entries.size() ? entries[at + 1].event : used;
  double sum = 0;
  for (size_t event = entries[at].event; event < next; event += 2)
    sum += events[event]->microsecondsTo(*events[event + 1]);
  return sum;
}

double heddle::runtime::cuda::median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return values.size() % 2 ? *middle : (*middle + *std::max_element(values.begin(), middle)) / 2;
}

namespace {

/// A longer expression could nest so deeply that it takes the whole stack.
constexpr size_t mostOfExpression = 4096;

std::regex expressionOf(const heddle_cuda_group_t &group) {
  requirePointer(group.name, "the name of a group");
  requirePointer(group.expression, "the expression of a group");
  if (!*group.name)
    throw Failure(HEDDLE_INVALID_ARGUMENT, "a group has no name",
                  "give it the name that its steps are to have together");
  const std::string text = group.expression;
  const std::string of = "group '" + std::string(group.name) + "': ";
  if (text.size() > mostOfExpression)
    throw Failure(HEDDLE_INVALID_ARGUMENT,
                  of + "a regular expression of " + std::to_string(text.size()) + " bytes is longer than " +
                      std::to_string(mostOfExpression),
                  "give a part of it to another group of this name");
  try {
    return std::regex(text);
  } catch (const std::regex_error &error) {
    throw Failure(HEDDLE_INVALID_ARGUMENT,
                  of + "the regular expression '" + text + "' is wrong: " + error.what(),
                  "part of a name matches itself, as in 'threshold|keys_'; . * + ? ^ $ | \\ ( ) [ ] { } have "
                  "meanings of their own");
  }
}

/// Which steps are timed together where they are adjacent.
class Groups {
public:
  explicit Groups(std::span<const heddle_cuda_group_t> given) {
    for (const heddle_cuda_group_t &group : given)
      groups.push_back({expressionOf(group), {group.name, true}});
  }

  /// That of the group which a step of this name belongs to, or its own.
  StepName nameOf(const std::string &step) const {
    for (const Group &group : groups)
      if (std::regex_search(step, group.expression))
        return group.name;
    return {step, false};
  }

private:
  struct Group {
    std::regex expression;
    StepName name;
  };
  std::vector<Group> groups;
};

/// What all calls of a profile have taken, by the names of entries.
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
  case Step::Kind::Aside:
  case Step::Kind::Return:
  case Step::Kind::Join:
    break;
  }
  return "";
}

std::vector<StepTimes> Function::profile(void *const *buffers, std::span<const heddle_cuda_refill_t> refills,
                                         std::span<const heddle_cuda_group_t> together, int64_t calls) {
  const Groups groups(together);
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
  CallState first(*this, CallState::Mode::Direct);
  call([&] { run(first, addresses); });
  if (first.steps > mostSteps)
    throw Failure(HEDDLE_UNSUPPORTED,
                  "a call of '" + name + "' has " + std::to_string(first.steps) + " steps, and only up to " +
                      std::to_string(mostSteps) + " are profiled",
                  "profile smaller dimensions, or a function that is a part of this one");
  std::map<std::pair<Step::Kind, int32_t>, StepName> names; // so that each is matched once
  Timeline timeline(driver, [&](const Step &step) -> const StepName & {
    auto [known, isNew] = names.try_emplace({step.kind, step.number});
    if (isNew)
      known->second = groups.nameOf(nameOf(step));
    return known->second;
  });
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
      CallState state(*this, CallState::Mode::Direct);
      state.timeline = &timeline;
      run(state, addresses);
    });
    for (size_t entry = 0; entry < timeline.size(); ++entry)
      samples.add(at, timeline.name(entry), timeline.microseconds(entry));
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

heddle_status_t heddle_cuda_group_check(const heddle_cuda_group_t *group) {
  return guard([&] {
    requirePointer(group, "the group");
    expressionOf(*group);
  });
}

heddle_status_t heddle_cuda_function_profile(heddle_cuda_function_t *function, void *const *buffers,
                                             const heddle_cuda_refill_t *refills, int32_t refill_count,
                                             const heddle_cuda_group_t *groups, int32_t group_count,
                                             int64_t calls, heddle_cuda_profile_t **out) {
  return guard([&] {
    requirePointer(function, "the function");
    requirePointer(static_cast<const void *>(buffers), "the list of buffers");
    if (refill_count > 0)
      requirePointer(refills, "the list of refills");
    if (group_count > 0)
      requirePointer(groups, "the list of groups");
    requireResult(out);
    if (calls < 1)
      throw Failure(HEDDLE_INVALID_ARGUMENT,
                    "the number of calls is " + std::to_string(calls) + ", not positive");
    auto profile = std::make_unique<Profile>();
    profile->times = function->function->profile(
        buffers, std::span(refills, static_cast<size_t>(std::max(refill_count, 0))),
        std::span(groups, static_cast<size_t>(std::max(group_count, 0))), calls);
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
