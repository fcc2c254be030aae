//===- Variant.cpp - Rules of attention with a written score and mask -----===//
//
// The block of the backward pass is that of the forward pass with its adjoint behind it, which the rules of
// the operations in it give: those of scalars, and for a read an accumulation. Tangents go through the dense
// form.
//
//===----------------------------------------------------------------------===//

#include "compiler/autodiff/Reverse.h"
#include "compiler/autodiff/Rules/Rules.h"
#include "dialects/sparsek/IR/SparseK.h"

using namespace mlir;
using namespace heddle::sparsek;

namespace heddle::autodiff {
namespace {

/// Fills the block of `back` from that of `op`.
LogicalResult buildAdjointBlock(VariantAttentionOp op, VariantAttentionBackwardOp back) {
  Block &forward = op.getBody().front();
  OpBuilder builder(op.getContext());
  Block *block = builder.createBlock(&back.getBody());
  IRMapping map;
  auto copyArgument = [&](BlockArgument argument) {
    map.map(argument, block->addArgument(argument.getType(), argument.getLoc()));
  };
  constexpr unsigned numPair = VariantAttentionOp::numPairArguments;
  for (BlockArgument argument : forward.getArguments().take_front(numPair))
    copyArgument(argument);
  Type score = op.getScoreArgument().getType();
  Value dscore = block->addArgument(score, op.getLoc()), dgate = block->addArgument(score, op.getLoc());
  for (BlockArgument argument : op.getCaptureArguments())
    copyArgument(argument);
  for (Operation &inner : forward.without_terminator())
    builder.clone(inner, map);

  Activity activity;
  activity.insert(block->getArgument(0));
  for (int64_t capture : back.getWanted())
    activity.insert(back.getCaptureArguments()[capture]);
  activity.propagate(*block);
  SmallVector<Operation *> ops;
  for (Operation &inner : *block)
    ops.push_back(&inner);
  BlockCotangents scope(activity, builder);
  YieldOp yield = op.getYield();
  Value outputs[] = {map.lookup(yield.getScore()), map.lookup(yield.getGate()),
                     map.lookup(yield.getVisible())};
  scope.accumulate(outputs[0], dscore);
  scope.accumulate(outputs[1], dgate);
  for (Operation *inner : llvm::reverse(ops)) {
    if (llvm::none_of(inner->getResults(), [&](Value result) { return (bool)scope.cotangent(result); }))
      continue;
    auto differentiable = dyn_cast<DifferentiableOpInterface>(inner);
    if (!differentiable)
      return inner->emitError() << "'" << inner->getName() << "' has no derivative";
    if (failed(differentiable.emitAdjoint(builder, scope)))
      return failure();
  }
  Value ds = orZeros(builder, op.getLoc(), scope.cotangent(block->getArgument(0)), score);
  YieldAdjointOp::create(builder, yield.getLoc(), outputs[0], outputs[1], outputs[2], ds);
  return success();
}

struct VariantRule : DifferentiableOpInterface::ExternalModel<VariantRule, VariantAttentionOp> {
  LogicalResult emitAdjoint(Operation *operation, OpBuilder &builder, CotangentScope &scope) const {
    auto op = cast<VariantAttentionOp>(operation);
    SmallVector<int64_t> wanted;
    for (auto [i, capture] : llvm::enumerate(op.getCaptures()))
      if (isFloat(capture) && scope.wanted(capture))
        wanted.push_back(i);
    Value dout = orZeros(builder, op.getLoc(), scope.cotangent(op.getO()), op.getO().getType());
    auto back = VariantAttentionBackwardOp::create(builder, op.getLoc(), op.getQ(), op.getK(), op.getV(),
                                                   op.getCaptures(), op.getO(), op.getLse(), dout,
                                                   scope.cotangent(op.getLse()), wanted, op.getScale());
    if (failed(buildAdjointBlock(op, back)))
      return failure();
    scope.accumulate(op.getQ(), back.getDq());
    scope.accumulate(op.getK(), back.getDk());
    scope.accumulate(op.getV(), back.getDv());
    for (auto [i, result] : llvm::zip_equal(wanted, back.getDcaptures()))
      scope.accumulate(op.getCaptures()[i], result);
    return success();
  }
  LogicalResult emitTangent(Operation *op, OpBuilder &, TangentScope &) const {
    return op->emitOpError("has no tangent of its own: it must be decomposed first");
  }
};

struct VariantReadRule : DifferentiableOpInterface::ExternalModel<VariantReadRule, ReadOp> {
  LogicalResult emitAdjoint(Operation *operation, OpBuilder &builder, CotangentScope &scope) const {
    auto op = cast<ReadOp>(operation);
    if (scope.wanted(op.getCapture()))
      AccumulateOp::create(builder, op.getLoc(), scope.cotangent(op.getResult()), op.getCapture(),
                           op.getIndices());
    return success();
  }
  LogicalResult emitTangent(Operation *op, OpBuilder &, TangentScope &) const {
    return op->emitOpError("stands in a block that has no tangent of its own");
  }
};

} // namespace

void attachVariantRules(MLIRContext *context) {
  VariantAttentionOp::attachInterface<VariantRule>(*context);
  ReadOp::attachInterface<VariantReadRule>(*context);
}

} // namespace heddle::autodiff
