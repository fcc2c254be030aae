//===- ReverseCall.cpp - The adjoints of calls ----------------------------===//
//
// Plain calls are inlined before the sweep. What is left are calls whose backward pass is not that of their
// body: of functions that are computed again (`heddle.checkpoint`), and of functions with a rule
// (`heddle.custom_vjp`).
//
//===----------------------------------------------------------------------===//

#include "compiler/autodiff/Reverse.h"

using namespace mlir;
using namespace heddle::ir;

namespace heddle::autodiff {

LogicalResult ReverseSweep::sweepCall(func::CallOp call, BlockCotangents &scope, OpBuilder &builder) {
  auto callee = symbols.lookup<func::FuncOp>(call.getCallee());
  if (auto rule = callee->getAttrOfType<FlatSymbolRefAttr>("heddle.custom_vjp"))
    return sweepCustom(call, symbols.lookup<func::FuncOp>(rule.getValue()), scope, builder);

  SmallVector<int64_t> wrt;
  for (auto [i, operand] : llvm::enumerate(call.getOperands()))
    if (scope.wanted(operand))
      wrt.push_back(i);
  func::FuncOp derived = derive(callee, wrt);
  if (!derived)
    return failure();
  // The derived function computes the forward pass again, from values that hide behind fences.
  SmallVector<Value> operands;
  for (Value operand : call.getOperands())
    operands.push_back(FenceOp::create(builder, call.getLoc(), operand, fences++));
  for (Value result : call.getResults())
    if (isFloat(result))
      operands.push_back(orZeros(builder, call.getLoc(), scope.cotangent(result), result.getType()));
  auto adjoint = func::CallOp::create(builder, call.getLoc(), derived, operands);
  for (auto [i, result] : llvm::zip(wrt, adjoint.getResults().drop_front(call.getNumResults())))
    scope.accumulate(call.getOperand(i), result);
  return success();
}

LogicalResult ReverseSweep::sweepCustom(func::CallOp call, func::FuncOp rule, BlockCotangents &scope,
                                        OpBuilder &builder) {
  SmallVector<Value> operands(call.getOperands());
  for (Value result : call.getResults())
    if (isFloat(result))
      operands.push_back(orZeros(builder, call.getLoc(), scope.cotangent(result), result.getType()));
  // One gradient for each argument, or for each that is of floating point.
  SmallVector<Value> targets(call.getOperands()), floats;
  llvm::copy_if(targets, std::back_inserter(floats), [](Value value) { return isFloat(value); });
  if (rule && rule.getNumResults() != targets.size())
    targets = floats;
  bool fits = rule && llvm::equal(rule.getArgumentTypes(), TypeRange(operands)) &&
              llvm::equal(rule.getResultTypes(), TypeRange(targets));
  if (!fits) {
    auto type = FunctionType::get(call.getContext(), TypeRange(operands), TypeRange(floats));
    InFlightDiagnostic error = call.emitError()
                               << "the rule of @" << call.getCallee() << " must have type " << type;
    if (rule)
      error.attachNote(rule.getLoc()) << "the rule has type " << rule.getFunctionType();
    return error;
  }
  auto gradients = func::CallOp::create(builder, call.getLoc(), rule, operands);
  for (auto [target, gradient] : llvm::zip(targets, gradients.getResults()))
    if (isFloat(target))
      scope.accumulate(target, gradient);
  return success();
}

} // namespace heddle::autodiff
