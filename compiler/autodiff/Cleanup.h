//===- Cleanup.h - Simplification of derived functions ----------*- C++ -*-===//

#ifndef HEDDLE_COMPILER_AUTODIFF_CLEANUP_H
#define HEDDLE_COMPILER_AUTODIFF_CLEANUP_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace heddle::autodiff {

/// Adds patterns for what differentiation leaves behind: sums that start from zeros, and parts put
/// together.
void populateCleanupPatterns(mlir::RewritePatternSet &patterns);

/// Canonicalises the function with those patterns too, merges common subexpressions and drops dead code.
void cleanUp(mlir::func::FuncOp function);

} // namespace heddle::autodiff

#endif // HEDDLE_COMPILER_AUTODIFF_CLEANUP_H
