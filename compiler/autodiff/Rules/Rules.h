//===- Rules.h - How rules are attached to operations -----------*- C++ -*-===//

#ifndef HEDDLE_COMPILER_AUTODIFF_RULES_RULES_H
#define HEDDLE_COMPILER_AUTODIFF_RULES_RULES_H

#include "compiler/autodiff/Support.h"
#include "dialects/autodiff/IR/Autodiff.h"

namespace heddle::autodiff {

/// Base of a rule for `Op`: `Derived` has `adjoint(Op, OpBuilder &, CotangentScope &)` and
/// `tangent(Op, OpBuilder &, TangentScope &)`, which cannot fail.
template <typename Derived, typename Op>
struct Rule : DifferentiableOpInterface::ExternalModel<Derived, Op> {
  mlir::LogicalResult emitAdjoint(mlir::Operation *op, mlir::OpBuilder &builder,
                                  CotangentScope &scope) const {
    Derived::adjoint(llvm::cast<Op>(op), builder, scope);
    return mlir::success();
  }
  mlir::LogicalResult emitTangent(mlir::Operation *op, mlir::OpBuilder &builder, TangentScope &scope) const {
    Derived::tangent(llvm::cast<Op>(op), builder, scope);
    return mlir::success();
  }
};

/// Rules by family; each attaches its models to a loaded dialect.
void attachScalarRules(mlir::MLIRContext *context);
void attachMovementRules(mlir::MLIRContext *context);
void attachSliceRules(mlir::MLIRContext *context);
void attachReductionRules(mlir::MLIRContext *context);
void attachProductRules(mlir::MLIRContext *context);
void attachIndexRules(mlir::MLIRContext *context);
void attachSparseKRules(mlir::MLIRContext *context);
void attachVariantRules(mlir::MLIRContext *context);

} // namespace heddle::autodiff

#endif // HEDDLE_COMPILER_AUTODIFF_RULES_RULES_H
