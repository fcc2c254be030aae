//===- Prepare.h - Rewrites of a function before it is differentiated ------*- C++ -*-===//

#ifndef HEDDLE_COMPILER_AUTODIFF_PREPARE_H
#define HEDDLE_COMPILER_AUTODIFF_PREPARE_H

#include "compiler/autodiff/Activity.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace heddle::autodiff {

/// Whether reverse mode treats calls of this function as one step: it is computed again, or has its own rule.
bool isOpaque(mlir::func::FuncOp function);

/// Replaces calls by the bodies of the callees, to any depth; calls of opaque functions stay where
/// `keepOpaque`. An error where functions call each other in a circle.
mlir::LogicalResult inlineCalls(mlir::func::FuncOp function, mlir::SymbolTable &symbols, bool keepOpaque);

/// Makes loops whose costly work is nothing but calls of checkpointed functions with attention in them
/// checkpointed loops over the bodies of those functions, so that the results of attention can be kept. Loops
/// of one step stay.
mlir::LogicalResult inlineAttention(mlir::func::FuncOp function, mlir::SymbolTable &symbols);

/// Moves costly work that is the same in each step out of loops, so that it is done once and not stacked.
void hoistInvariants(mlir::func::FuncOp function);

/// Cuts checkpointed loops of more than 64 steps into about sqrt(n) segments: an outer loop, which keeps its
/// carries only, around an inner one, and a loop over the rest. Loops whose costly work is nothing but calls
/// of checkpointed functions count as checkpointed.
void cutLongLoops(mlir::func::FuncOp function, mlir::SymbolTable &symbols);

/// Replaces active sparsek operations without the derivative that is asked for by dense ones, with a remark:
/// those which are derivatives themselves, and in forward mode attention variants.
bool decomposeForDerivative(mlir::func::FuncOp function, const Activity &activity, bool forward);

/// Fails, with an error, where a value's shape is not static.
mlir::LogicalResult checkStatic(mlir::func::FuncOp function);

} // namespace heddle::autodiff

#endif // HEDDLE_COMPILER_AUTODIFF_PREPARE_H
