//===- Keep.h - What a loop keeps for its backward pass ---------*- C++ -*-===//

#ifndef HEDDLE_COMPILER_AUTODIFF_KEEP_H
#define HEDDLE_COMPILER_AUTODIFF_KEEP_H

#include "dialects/heddle/IR/Heddle.h"

#include "llvm/ADT/SetVector.h"

namespace heddle::autodiff {

/// Whether an operation costs little enough to be done again instead of keeping its result: elementwise work
/// and movement of elements, but no product, reduction, scan, sort, gather or loop.
bool isCheap(mlir::Operation &op);

/// Whether an operation takes so long for the few bytes of its result that those are kept in a checkpointed
/// loop too: attention and its thresholds.
bool isLong(mlir::Operation &op);

/// What decides between keeping and computing again.
struct KeepOptions {
  /// The results of a product that is twice as large as its factors, or larger, are computed again where
  /// those of all steps take this many bytes.
  int64_t expandingBytes = INT64_MAX;
};

/// Whether the body of a loop is to be recomputed from its carries: the attribute `heddle.checkpoint` on it.
bool isCheckpointed(ir::ForOp loop);

/// The values of a loop's body to stack in the forward loop, so that every value of `needed` can be had in
/// the backward loop from them, the step number, slices of the scanned operands and values from around the
/// loop, by cheap operations alone. Of all such sets this is one with the fewest bytes (a minimum cut; of
/// equal ones, the nearest to `needed`). In a checkpointed loop every operation counts as cheap that is not
/// long, so that carries are kept and what attention gave.
llvm::SmallVector<mlir::Value> chooseKept(ir::ForOp loop, const llvm::SetVector<mlir::Value> &needed,
                                          const KeepOptions &options);

} // namespace heddle::autodiff

#endif // HEDDLE_COMPILER_AUTODIFF_KEEP_H
