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
  // The rule takes cotangents of the floating-point results, or of all results, which are zeros for the
  // others.
  Location loc = call.getLoc();
  SmallVector<Value> results(call.getResults()), operands(call.getOperands());
  if (!rule || rule.getNumArguments() != operands.size() + results.size())
    llvm::erase_if(results, [](Value result) { return !isFloat(result); });
  for (Value result : results)
    operands.push_back(orZeros(builder, loc, scope.cotangent(result), result.getType()));
  // Of what it gives, the floating-point values are the gradients of the floating-point arguments.
  SmallVector<Value> targets;
  llvm::copy_if(call.getOperands(), std::back_inserter(targets), [](Value value) { return isFloat(value); });
  SmallVector<Type> given;
  if (rule)
    llvm::copy_if(rule.getResultTypes(), std::back_inserter(given), [](Type type) { return isFloat(type); });
  bool fits = rule && llvm::equal(rule.getArgumentTypes(), TypeRange(operands)) &&
              llvm::equal(given, TypeRange(targets));
  if (!fits) {
    auto type = FunctionType::get(call.getContext(), TypeRange(operands), TypeRange(targets));
    InFlightDiagnostic error = call.emitError()
                               << "the rule of @" << call.getCallee() << " must have type " << type;
    if (rule)
      error.attachNote(rule.getLoc()) << "the rule has type " << rule.getFunctionType();
    return error;
  }
  SmallVector<Value> gradients;
  auto made = func::CallOp::create(builder, loc, rule, operands);
  llvm::copy_if(made.getResults(), std::back_inserter(gradients), [](Value value) { return isFloat(value); });
  for (auto [target, gradient] : llvm::zip(targets, gradients))
    scope.accumulate(target, gradient);
  return success();
}

} // namespace heddle::autodiff
