//===- Scatter.h - Kernels that write at run-time positions -----*- C++ -*-===//
#ifndef HEDDLE_COMPILER_CONVERSION_HEDDLETOGPU_SCATTER_H
#define HEDDLE_COMPILER_CONVERSION_HEDDLETOGPU_SCATTER_H

#include "compiler/conversion/SparseKToGPU/Steps.h"

#include "dialects/heddle/IR/Heddle.h"

namespace heddle::gpu {

/// The elements before, along and after an axis.
struct Split {
  int64_t outer = 1, extent = 1, inner = 1;
  Split(mlir::RankedTensorType type, int64_t axis) {
    for (auto [d, n] : llvm::enumerate(type.getShape()))
      ((int64_t)d < axis ? outer : (int64_t)d == axis ? extent : inner) *= n;
  }
};

/// An id as a position in [0, extent): checks have reported what is outside.
Scalar clampedId(Scalar id, int64_t extent);

/// The number of this thread in the grid, as i64.
Scalar globalThread(KernelCode &k);

constexpr int64_t wholeOpThreads = 256;
inline int64_t blocksFor(int64_t threads) { return (threads + wholeOpThreads - 1) / wholeOpThreads; }

/// Additions by number. The ids are sorted, and sums of what goes to one place are made of parts whose order
/// follows from the ids alone.
void emitScatter(StepBuilder &steps, ir::ScatterAddOp op);
void emitScatter(StepBuilder &steps, ir::PutAlongOp op);

} // namespace heddle::gpu

#endif // HEDDLE_COMPILER_CONVERSION_HEDDLETOGPU_SCATTER_H
