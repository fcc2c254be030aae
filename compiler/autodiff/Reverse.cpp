//===- Reverse.cpp - The reverse sweep over a block -----------------------===//

#include "compiler/autodiff/Reverse.h"

using namespace mlir;
using namespace heddle::ir;

namespace heddle::autodiff {

void BlockCotangents::accumulate(Value forward, Value value) {
  if (!wanted(forward))
    return;
  Value &sum = cotangents[forward];
  sum = addOrNull(builder, value.getLoc(), sum, value);
}

ReverseSweep::~ReverseSweep() {
  for (Operation *op : retired)
    op->destroy();
}

void ReverseSweep::retire(Operation *op) {
  op->dropAllReferences();
  op->remove();
  retired.push_back(op);
}

LogicalResult ReverseSweep::sweep(Block &block, BlockCotangents &scope, OpBuilder &builder) {
  SmallVector<Operation *> ops;
  for (Operation &op : block.without_terminator())
    ops.push_back(&op);
  for (Operation *op : llvm::reverse(ops))
    if (failed(sweepOp(*op, scope, builder)))
      return failure();
  return success();
}

LogicalResult ReverseSweep::sweepOp(Operation &op, BlockCotangents &scope, OpBuilder &builder) {
  if (llvm::none_of(op.getResults(), [&](Value result) { return (bool)scope.cotangent(result); }))
    return success();
  if (llvm::none_of(readValues(op), [&](Value value) { return activity.contains(value); }))
    return success();
  if (auto loop = dyn_cast<ForOp>(op))
    return sweepFor(loop, scope, builder);
  if (auto choice = dyn_cast<IfOp>(op))
    return sweepIf(choice, scope, builder);
  if (auto call = dyn_cast<func::CallOp>(op))
    return sweepCall(call, scope, builder);
  if (auto differentiable = dyn_cast<DifferentiableOpInterface>(op))
    return differentiable.emitAdjoint(builder, scope);
  return reportNoDerivative(op, request, "gradient");
}

} // namespace heddle::autodiff
