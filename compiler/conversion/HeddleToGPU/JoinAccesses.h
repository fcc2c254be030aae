//===- JoinAccesses.h - Accesses of 16 bytes ---------------------*- C++ -*-===//
#ifndef HEDDLE_COMPILER_CONVERSION_HEDDLETOGPU_JOINACCESSES_H
#define HEDDLE_COMPILER_CONVERSION_HEDDLETOGPU_JOINACCESSES_H

#include "mlir/Dialect/GPU/IR/GPUDialect.h"

namespace heddle::gpu {

/// Joins loads and stores of adjacent elements of the kernel's parameters to up to 16 bytes, as far as their
/// attributes `llvm.align` allow. The parameters do not overlap.
void joinAccesses(mlir::gpu::GPUFuncOp kernel);

} // namespace heddle::gpu

#endif // HEDDLE_COMPILER_CONVERSION_HEDDLETOGPU_JOINACCESSES_H
