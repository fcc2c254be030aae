//===- Fusible.cpp - What can be part of a group --------------------------===//

#include "compiler/conversion/HeddleToCPU/Fusible.h"

#include "mlir/IR/Builders.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include <functional>

using namespace mlir;
using namespace heddle::cpu;
using namespace heddle::ir;

static bool isSplat(ConstantOp op) {
  auto dense = dyn_cast<DenseElementsAttr>(op.getValue());
  return dense && dense.isSplat();
}

bool heddle::cpu::isMove(Operation *op) {
  if (op->hasAttr(repeatedAttr))
    return true;
  if (auto constant = dyn_cast<ConstantOp>(op))
    return isSplat(constant);
  return isa<BroadcastOp, ReshapeOp, TransposeOp, SliceOp, ReverseOp, IotaOp, CastOp, DynamicSliceOp>(op);
}

/// The constant behind moves.
static bool isConstant(Value value) {
  Operation *op = value.getDefiningOp();
  return op &&
         (isa<ConstantOp>(op) || (isMove(op) && op->getNumOperands() == 1 && isConstant(op->getOperand(0))));
}

bool heddle::cpu::isFusible(Operation *op) {
  // Replacing a block of a tensor in memory is writing the block; one of a constant is a choice for each
  // element.
  if (auto update = dyn_cast<DynamicUpdateSliceOp>(op))
    return isConstant(update.getX());
  if (isMove(op) || isa<ReduceOp, ArgReduceOp>(op))
    return true;
  if (isa<PadOp, ConcatOp, GatherOp, TakeAlongOp, RandomOp, FoldInOp, SelectOp, CompareOp>(op))
    return true;
  return isa<NegOp, AbsOp, SignOp, ExpOp, Expm1Op, LogOp, Log1pOp, SqrtOp, RsqrtOp, SinOp, CosOp, TanhOp,
             ErfOp, SigmoidOp, FloorOp, CeilOp, RoundOp, NotOp, AddOp, SubOp, MulOp, DivOp, RemOp, PowOp,
             MaxOp, MinOp, AndOp, OrOp>(op);
}

bool heddle::cpu::isReduction(Operation *op) { return isa<ReduceOp, ArgReduceOp>(op); }

void heddle::cpu::hoistInvariants(ForOp loop) {
  Region &body = loop.getBody();
  for (Operation &op : llvm::make_early_inc_range(body.front().without_terminator()))
    if (op.getNumRegions() == 0 && isPure(&op) && llvm::none_of(op.getOperands(), [&](Value operand) {
          return body.isAncestor(operand.getParentRegion());
        }))
      op.moveBefore(loop);
}

void heddle::cpu::sinkMoves(Block &block) {
  for (Operation &op : llvm::make_early_inc_range(block)) {
    if (!isFusible(&op))
      continue;
    for (OpOperand &operand : op.getOpOperands()) {
      Operation *source = operand.get().getDefiningOp();
      if (!source || source->getBlock() == &block || !isMove(source))
        continue;
      // The copy's own operands may be moves too: clone the whole chain.
      std::function<Value(Value)> copy = [&](Value value) -> Value {
        Operation *from = value.getDefiningOp();
        if (!from || from->getBlock() == &block || !isMove(from))
          return value;
        OpBuilder builder(&op);
        Operation *clone = from->clone();
        for (OpOperand &inner : clone->getOpOperands())
          inner.set(copy(inner.get()));
        builder.insert(clone);
        return clone->getResult(0);
      };
      operand.set(copy(operand.get()));
    }
  }
}
