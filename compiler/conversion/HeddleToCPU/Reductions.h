//===- Reductions.h - One step of a reduction --------------------*- C++ -*-===//
#ifndef HEDDLE_COMPILER_CONVERSION_HEDDLETOCPU_REDUCTIONS_H
#define HEDDLE_COMPILER_CONVERSION_HEDDLETOCPU_REDUCTIONS_H

#include "dialects/heddle/IR/Heddle.h"

namespace heddle::cpu {

/// What a heddle.reduce or heddle.arg_reduce carries: a value, and for the latter its position as i32.
llvm::SmallVector<mlir::Type, 2> accumulatorTypes(mlir::Operation *op);
llvm::SmallVector<mlir::Value, 2> startReduction(mlir::OpBuilder &builder, mlir::Operation *op);
/// One more element, at `position`, an index or i32.
llvm::SmallVector<mlir::Value, 2> stepReduction(mlir::OpBuilder &builder, mlir::Operation *op,
                                                mlir::ValueRange accumulators, mlir::Value x,
                                                mlir::Value position);
/// What two parts of the elements gave.
llvm::SmallVector<mlir::Value, 2> mergeReductions(mlir::OpBuilder &builder, mlir::Operation *op,
                                                  mlir::ValueRange a, mlir::ValueRange b);
mlir::Value finishReduction(mlir::OpBuilder &builder, mlir::Operation *op, mlir::ValueRange accumulators);

} // namespace heddle::cpu

#endif // HEDDLE_COMPILER_CONVERSION_HEDDLETOCPU_REDUCTIONS_H
