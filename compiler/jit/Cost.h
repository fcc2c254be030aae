//===- Cost.h - What a compiled function does -------------------*- C++ -*-===//
#pragma once

#include "mlir/IR/BuiltinOps.h"

#include <cstdint>
#include <string>
#include <vector>

namespace heddle::jit {

/// One step of a function at the stage `fused`.
struct Step {
  std::string what;  ///< `matmul 4096x384x128`, `fusion of 12: mul, add, reduce`
  std::string where; ///< `file:line` in the source; of a fusion that of its last operation
  int64_t times = 1; ///< how often it runs in one call
  int64_t flops = 0; ///< of one run
  int64_t bytes = 0; ///< operands read and results written in one run
};

/// The steps of an entry in order, those of loops with their trip counts.
std::vector<Step> countSteps(mlir::ModuleOp fused, const std::string &entry);

} // namespace heddle::jit
