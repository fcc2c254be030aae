//===- Forward.cpp - The forward sweep ------------------------------------===//

#include "compiler/autodiff/Forward.h"
#include "compiler/autodiff/Support.h"

using namespace mlir;
using namespace heddle::ir;

namespace heddle::autodiff {

ForwardSweep::~ForwardSweep() {
  for (Operation *op : retired)
    op->destroy();
}

void ForwardSweep::retire(Operation *op) {
  op->dropAllReferences();
  op->remove();
  retired.push_back(op);
}

LogicalResult ForwardSweep::sweep(Block &block) {
  SmallVector<Operation *> ops;
  for (Operation &op : block.without_terminator())
    ops.push_back(&op);
  for (Operation *op : ops)
    if (failed(sweepOp(*op)))
      return failure();
  return success();
}

LogicalResult ForwardSweep::sweepOp(Operation &op) {
  if (llvm::none_of(op.getResults(), [&](Value result) { return activity.contains(result); }))
    return success();
  if (auto loop = dyn_cast<ForOp>(op))
    return sweepFor(loop);
  if (auto choice = dyn_cast<IfOp>(op))
    return sweepIf(choice);
  if (auto differentiable = dyn_cast<DifferentiableOpInterface>(op)) {
    OpBuilder builder(op.getContext());
    builder.setInsertionPointAfter(&op);
    return differentiable.emitTangent(builder, *this);
  }
  return reportNoDerivative(op, request, "tangent");
}

/// A loop with further scanned operands and carries for the tangents of the active ones, and further
/// collected results. Results stay in order within the carries and within the collected ones.
LogicalResult ForwardSweep::sweepFor(ForOp loop) {
  Location loc = loop.getLoc();
  OpBuilder builder(loop);
  Block &body = loop.getBody().front();
  YieldOp yield = loop.getYield();
  unsigned numCarries = loop.getNumCarries();

  SmallVector<Value> scanned(loop.getScanned()), inits(loop.getInits());
  unsigned at = 1 + scanned.size();
  SmallVector<Value> slices(loop.getSlices().begin(), loop.getSlices().end());
  for (auto [operand, slice] : llvm::zip(loop.getScanned(), slices))
    if (Value t = tangent(operand)) {
      scanned.push_back(t);
      setTangent(slice, body.insertArgument(at++, slice.getType(), loc));
    }
  SmallVector<unsigned> active;
  for (unsigned i = 0; i < numCarries; ++i) {
    Value carry = body.getArgument(at + i);
    if (!activity.contains(carry))
      continue;
    active.push_back(i);
    inits.push_back(orZeros(builder, loc, tangent(loop.getInits()[i]), carry.getType()));
    setTangent(carry, body.addArgument(carry.getType(), loc));
  }
  if (failed(sweep(body)))
    return failure();

  builder.setInsertionPoint(yield);
  SmallVector<Value> values(yield.getValues().take_front(numCarries)),
      collected(yield.getValues().drop_front(numCarries));
  for (unsigned i : active)
    values.push_back(orZeros(builder, loc, tangent(values[i]), values[i].getType()));
  SmallVector<unsigned> activeCollected;
  for (unsigned i = 0, n = collected.size(); i < n; ++i)
    if (Value t = tangent(collected[i])) {
      activeCollected.push_back(i);
      collected.push_back(t);
    }
  llvm::append_range(values, collected);
  yield->setOperands(values);

  SmallVector<Type> types(ValueRange(inits).getTypes());
  llvm::append_range(types, loop.getCollectedResults().getTypes());
  for (unsigned i : activeCollected)
    types.push_back(loop.getCollectedResults()[i].getType());
  builder.setInsertionPoint(loop);
  auto both = ForOp::create(builder, loc, types, loop.getCount(), scanned, inits, loop.getReverse());
  both->setDiscardableAttrs(loop->getDiscardableAttrDictionary());
  both.getBody().takeBody(loop.getBody());

  unsigned numCollected = loop.getNumCollected();
  for (unsigned i = 0; i < loop.getNumResults(); ++i)
    loop.getResult(i).replaceAllUsesWith(both.getResult(i < numCarries ? i : i + active.size()));
  auto result = [&](unsigned i) { return both.getResult(i < numCarries ? i : i + active.size()); };
  for (auto [k, i] : llvm::enumerate(active))
    setTangent(result(i), both.getResult(numCarries + k));
  for (auto [k, i] : llvm::enumerate(activeCollected))
    setTangent(result(numCarries + i), both.getResult(numCarries + active.size() + numCollected + k));
  retire(loop);
  return success();
}

LogicalResult ForwardSweep::sweepIf(IfOp choice) {
  Location loc = choice.getLoc();
  for (Region &region : choice->getRegions())
    if (failed(sweep(region.front())))
      return failure();
  SmallVector<unsigned> active;
  SmallVector<Type> types(choice.getResultTypes());
  for (auto [i, result] : llvm::enumerate(choice.getResults()))
    if (activity.contains(result)) {
      active.push_back(i);
      types.push_back(result.getType());
    }
  OpBuilder builder(choice);
  auto both = IfOp::create(builder, loc, types, choice.getCondition());
  for (auto [from, to] : llvm::zip(choice->getRegions(), both->getRegions())) {
    Operation *yield = from.front().getTerminator();
    builder.setInsertionPoint(yield);
    SmallVector<Value> values(yield->getOperands());
    for (unsigned i : active)
      values.push_back(orZeros(builder, loc, tangent(values[i]), values[i].getType()));
    yield->setOperands(values);
    to.takeBody(from);
  }
  choice->replaceAllUsesWith(both.getResults().take_front(choice.getNumResults()));
  for (auto [k, i] : llvm::enumerate(active))
    setTangent(both.getResult(i), both.getResult(choice.getNumResults() + k));
  retire(choice);
  return success();
}

} // namespace heddle::autodiff
