//===- ElementaryFunctions.h - f64 functions of device kernels --*- C++ -*-===//
#pragma once

#include <memory>

namespace mlir {
class Pass;
} // namespace mlir

namespace heddle::gpu {

/// On a gpu.module: exp2, expm1, log1p, tanh, erf, sin, cos and powf of f64 become calls of functions that
/// are added to the module.
std::unique_ptr<mlir::Pass> createCallElementaryFunctions();

} // namespace heddle::gpu
