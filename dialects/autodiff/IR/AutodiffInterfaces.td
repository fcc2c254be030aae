//===- AutodiffInterfaces.td - How an operation is differentiated ---------===//

#ifndef HEDDLE_AUTODIFF_INTERFACES
#define HEDDLE_AUTODIFF_INTERFACES

include "mlir/IR/OpBase.td"

def DifferentiableOpInterface : OpInterface<"DifferentiableOpInterface"> {
  let cppNamespace = "::heddle::autodiff";
  let description = [{
    The derivative of one operation, as IR. Every operation with a floating-point operand implements it, mostly by
    an external model registered beside the differentiation passes; an operation without it stops differentiation
    with an error that names the operation.

    Both methods build at the builder's insertion point and may use the operation's operands and results, which
    dominate that point. What the derivative uses is what is kept for the backward pass; nothing else is.
  }];
  let methods = [
    InterfaceMethod<[{
      Adds the operation's contribution to the cotangents of its operands. `scope.cotangent(result)` is null where no
      cotangent reaches a result. Contributions are given by `scope.accumulate(operand, value)`, of the operand's
      type; operands that need none (`!scope.wanted(operand)`) may be skipped.
    }], "::llvm::LogicalResult", "emitAdjoint", (ins "::mlir::OpBuilder &":$builder,
                                                     "::heddle::autodiff::CotangentScope &":$scope)>,
    InterfaceMethod<[{
      Sets the tangents of the results. `scope.tangent(operand)` is null where the tangent is zero; a result whose
      tangent is never set has a zero tangent.
    }], "::llvm::LogicalResult", "emitTangent", (ins "::mlir::OpBuilder &":$builder,
                                                     "::heddle::autodiff::TangentScope &":$scope)>,
  ];
}

#endif // HEDDLE_AUTODIFF_INTERFACES
