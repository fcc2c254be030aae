//===- Keep.h - What a loop keeps for its backward pass ---------*- C++ -*-===//

#ifndef HEDDLE_COMPILER_AUTODIFF_KEEP_H
#define HEDDLE_COMPILER_AUTODIFF_KEEP_H

#include "dialects/heddle/IR/Heddle.h"

#include "llvm/ADT/SetVector.h"

namespace heddle::autodiff {

/// Whether an operation costs little enough to be done again instead of keeping its result: elementwise work
/// and movement of elements, but no product, reduction, scan, sort, gather or loop.
bool isCheap(mlir::Operation &op);

/// Whether the body of a loop is to be recomputed from its carries: the attribute `heddle.checkpoint` on it.
bool isCheckpointed(ir::ForOp loop);

/// The values of a loop's body to stack in the forward loop, so that every value of `needed` can be had in
/// the backward loop from them, the step number, slices of the scanned operands and values from around the
/// loop, by cheap operations alone. Of all such sets this is one with the fewest bytes (a minimum cut; of
/// equal ones, the nearest to `needed`). In a checkpointed loop every operation counts as cheap, so that only
/// carries are kept.
llvm::SmallVector<mlir::Value> chooseKept(ir::ForOp loop, const llvm::SetVector<mlir::Value> &needed);

} // namespace heddle::autodiff

#endif // HEDDLE_COMPILER_AUTODIFF_KEEP_H
