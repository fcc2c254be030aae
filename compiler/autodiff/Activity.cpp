//===- Activity.cpp - Which values depend on the arguments ----------------===//

#include "compiler/autodiff/Activity.h"
#include "compiler/autodiff/Support.h"

#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace heddle::ir;

namespace heddle::autodiff {

bool passesDerivative(Operation &op) { return !isa<SignOp, FloorOp, CeilOp, RoundOp, StopGradientOp>(op); }

SmallVector<Value> readValues(Operation &op) {
  llvm::SetVector<Value> values(op.operand_begin(), op.operand_end());
  if (op.getNumRegions())
    op.walk([&](Operation *inner) {
      for (Value operand : inner->getOperands()) {
        Operation *owner = operand.getParentBlock()->getParentOp();
        if (!owner || !op.isAncestor(owner)) // A block under construction has no owner yet.
          values.insert(operand);
      }
    });
  return values.takeVector();
}

bool Activity::mark(Value value) { return isFloat(value) && active.insert(value).second; }

void Activity::propagate(Block &block) {
  for (Operation &op : block)
    propagate(op);
}

void Activity::propagate(Operation &op) {
  if (auto loop = dyn_cast<ForOp>(op)) {
    for (auto [scanned, slice] : llvm::zip(loop.getScanned(), loop.getSlices()))
      if (contains(scanned))
        mark(slice);
    for (auto [init, carry] : llvm::zip(loop.getInits(), loop.getCarries()))
      if (contains(init))
        mark(carry);
    bool grew = true;
    while (grew) {
      grew = false;
      propagate(loop.getBody().front());
      for (auto [carry, next] : llvm::zip(loop.getCarries(), loop.getYield().getValues()))
        if (contains(next))
          grew |= mark(carry);
    }
    for (auto [result, value] : llvm::zip(loop.getResults(), loop.getYield().getValues()))
      if (contains(value))
        mark(result);
    // A loop of no steps gives its initial carries.
    for (auto [result, carry] : llvm::zip(loop.getCarryResults(), loop.getCarries()))
      if (contains(carry))
        mark(result);
    return;
  }
  if (auto choice = dyn_cast<IfOp>(op)) {
    for (Region &region : choice->getRegions()) {
      propagate(region.front());
      for (auto [result, value] :
           llvm::zip(choice.getResults(), region.front().getTerminator()->getOperands()))
        if (contains(value))
          mark(result);
    }
    return;
  }
  if (!passesDerivative(op))
    return;
  if (llvm::any_of(readValues(op), [&](Value value) { return contains(value); }))
    for (Value result : op.getResults())
      mark(result);
}

void Activity::copy(Operation &op, const IRMapping &mapping) {
  op.walk([&](Operation *inner) {
    for (Value result : inner->getResults())
      if (contains(result) && mapping.contains(result))
        insert(mapping.lookup(result));
    for (Region &region : inner->getRegions())
      for (Block &block : region)
        for (Value argument : block.getArguments())
          if (contains(argument) && mapping.contains(argument))
            insert(mapping.lookup(argument));
  });
}

} // namespace heddle::autodiff
