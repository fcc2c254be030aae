//===- Fusible.h - What can be part of a group -------------------*- C++ -*-===//
#ifndef HEDDLE_COMPILER_CONVERSION_HEDDLETOCPU_FUSIBLE_H
#define HEDDLE_COMPILER_CONVERSION_HEDDLETOCPU_FUSIBLE_H

#include "dialects/heddle/IR/Heddle.h"

namespace heddle::cpu {

/// Moves of elements and other values that cost nothing to have again: they are repeated where they are read.
bool isMove(mlir::Operation *op);
/// Marks work that is repeated like a move.
constexpr llvm::StringLiteral repeatedAttr = "heddle.repeated";
/// What the evaluator computes one element at a time, and reductions.
bool isFusible(mlir::Operation *op);
bool isReduction(mlir::Operation *op);

/// What a loop's body computes without the loop's values is computed once, before the loop.
void hoistInvariants(ir::ForOp loop);
/// Moves outside a loop or condition are repeated inside where a group can read through them; otherwise their
/// results would have to be in memory.
void sinkMoves(mlir::Block &block);
/// Values that were in memory for groups alone which wait for something that is no group, such as a product
/// of what is computed from them, are computed again there, if what they are computed from takes fewer bytes:
/// the f32 values of a norm of bf16 rows for its gradient.
void repeatNarrow(mlir::Block &block);

} // namespace heddle::cpu

#endif // HEDDLE_COMPILER_CONVERSION_HEDDLETOCPU_FUSIBLE_H
