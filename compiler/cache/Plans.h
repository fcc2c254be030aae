//===- Plans.h - Measured plans of a device ---------------------*- C++ -*-===//
#pragma once

#include "compiler/cache/Store.h"

#include <map>

namespace heddle::cache {

/// What a measurement chose for one operation, beside what the model would have.
struct MeasuredPlan {
  std::string plan, model;
  double microseconds = 0, modelMicroseconds = 0;
  bool operator==(const MeasuredPlan &) const = default;
};

/// By operation, as gpu::planKey names it.
using MeasuredPlans = std::map<std::string, MeasuredPlan>;

/// The plans that are kept for devices of a name. A file that is damaged counts as none, with a warning.
MeasuredPlans readPlans(const Store &store, const std::string &device);

/// Keeps further plans, in place of those of the same operations.
void addPlans(const Store &store, const std::string &device, const MeasuredPlans &plans);

} // namespace heddle::cache
