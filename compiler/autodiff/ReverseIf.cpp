//===- ReverseIf.cpp - The adjoint of a condition -------------------------===//
//
// The adjoint is a condition too. What a branch computed is computed again inside the adjoint branch, so that
// nothing of the branch not taken has to exist.
//
//===----------------------------------------------------------------------===//

#include "compiler/autodiff/Reverse.h"

#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace heddle::ir;

namespace heddle::autodiff {

LogicalResult ReverseSweep::sweepIf(IfOp choice, BlockCotangents &outer, OpBuilder &builder) {
  Location loc = choice.getLoc();
  Region scratch[2] = {Region(choice), Region(choice)};
  SmallVector<llvm::MapVector<Value, Value>> cotangents;
  llvm::SetVector<Value> captured;
  for (auto [k, branch] : llvm::enumerate(choice->getRegions())) {
    auto *block = new Block;
    scratch[k].push_back(block);
    OpBuilder inside = OpBuilder::atBlockEnd(block);
    IRMapping mapping;
    for (Operation &op : branch.front().without_terminator()) {
      if (op.getNumResults() == 0)
        continue; // A check, made by the forward pass.
      inside.clone(op, mapping);
      activity.copy(op, mapping);
    }
    BlockCotangents inner(activity, inside);
    for (auto [result, value] : llvm::zip(choice.getResults(), branch.front().getTerminator()->getOperands()))
      if (Value cotangent = outer.cotangent(result))
        inner.accumulate(mapping.lookupOrDefault(value), cotangent);
    if (failed(sweep(*block, inner, inside)))
      return failure();
    for (auto [value, cotangent] : inner.all())
      if (value.getParentBlock() != block)
        captured.insert(value);
    cotangents.push_back(inner.all());
  }
  if (captured.empty())
    return success();

  SmallVector<Type> types = llvm::map_to_vector(captured, [](Value value) { return value.getType(); });
  auto adjoint = IfOp::create(builder, loc, types, choice.getCondition());
  for (auto [k, branch] : llvm::enumerate(adjoint->getRegions())) {
    branch.takeBody(scratch[k]);
    OpBuilder inside = OpBuilder::atBlockEnd(&branch.front());
    SmallVector<Value> yields;
    for (Value value : captured)
      yields.push_back(orZeros(inside, loc, cotangents[k].lookup(value), value.getType()));
    YieldOp::create(inside, loc, yields);
  }
  for (auto [value, result] : llvm::zip(captured, adjoint.getResults()))
    outer.accumulate(value, result);
  return success();
}

} // namespace heddle::autodiff
