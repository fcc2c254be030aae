//===- Tune.h - Plans of kernels by measurement -----------------*- C++ -*-===//
//
// Operations that have more than one plan are compiled alone, once for each candidate, run on random operands
// of their own shapes, compared with what the model's plan gives, and timed by the device's events.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "compiler/cache/Plans.h"
#include "compiler/jit/DeviceProgram.h"
#include "compiler/jit/Target.h"

#include "mlir/IR/BuiltinOps.h"

namespace heddle::jit {

/// The plans that the cache has for a device, none where it is switched off.
cache::MeasuredPlans knownPlans(const DeviceTarget &target);
/// The same as the compiler wants them, and as part of a key.
std::shared_ptr<const gpu::Choices> choicesOf(const cache::MeasuredPlans &plans);
std::string describeForCache(const cache::MeasuredPlans &plans);

/// What measuring gave for one operation.
struct TunedOperation {
  std::string what; ///< `sparsek.attention 1x16x4096x128 bf16, …`
  cache::MeasuredPlan plan;
  bool isNew = true; ///< measured now, not before
  /// `sparsek.attention …: block=80 in 71.2 us; the model's block=96 takes 75.0 us`
  std::string str() const;
};

/// Measures what a module at the stage `fused` has and `plans` does not, adds it there, and keeps it in the
/// cache, each as soon as it is known. Gives one entry for each operation that has a measured plan; where
/// measuring fails, a warning says why.
std::vector<TunedOperation> tune(mlir::ModuleOp fused, const DeviceTarget &target, int device,
                                 const CpuTarget &host, const gpu::GpuOptions &options,
                                 cache::MeasuredPlans &plans);

} // namespace heddle::jit
