//===- Reductions.cpp - One step of a reduction ---------------------------===//

#include "compiler/conversion/HeddleToCPU/Reductions.h"
#include "compiler/conversion/HeddleToCPU/ScalarOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace heddle::cpu;
using namespace heddle::ir;

static Type elementOf(Value tensor) { return cast<RankedTensorType>(tensor.getType()).getElementType(); }

SmallVector<Type, 2> heddle::cpu::accumulatorTypes(Operation *op) {
  SmallVector<Type, 2> types = {computeType(elementOf(op->getOperand(0)))};
  if (isa<ArgReduceOp>(op))
    types.push_back(IntegerType::get(op->getContext(), 32));
  return types;
}

SmallVector<Value, 2> heddle::cpu::startReduction(OpBuilder &builder, Operation *op) {
  ScalarEmitter emit(builder, op->getLoc());
  Type type = computeType(elementOf(op->getOperand(0)));
  if (auto reduce = dyn_cast<ReduceOp>(op))
    return {emit.identity(reduce.getKind(), type)};
  bool isMax = cast<ArgReduceOp>(op).getKind() == ArgReductionKind::argmax;
  return {emit.identity(isMax ? ReductionKind::max : ReductionKind::min, type),
          emit.integer(builder.getI32Type(), 0)};
}

SmallVector<Value, 2> heddle::cpu::stepReduction(OpBuilder &builder, Operation *op, ValueRange accumulators,
                                                 Value x, Value position) {
  Location loc = op->getLoc();
  ScalarEmitter emit(builder, loc);
  if (auto reduce = dyn_cast<ReduceOp>(op))
    return {emit.combine(reduce.getKind(), accumulators[0], x)};
  // The first of equal elements stays; the first NaN takes precedence over all others.
  bool isMax = cast<ArgReduceOp>(op).getKind() == ArgReductionKind::argmax;
  Value best = accumulators[0], better;
  if (isa<FloatType>(x.getType())) {
    auto compare = [&](arith::CmpFPredicate p, Value a, Value b) -> Value {
      return arith::CmpFOp::create(builder, loc, p, a, b);
    };
    better = compare(isMax ? arith::CmpFPredicate::OGT : arith::CmpFPredicate::OLT, x, best);
    Value isNan = compare(arith::CmpFPredicate::UNO, x, x),
          hadNone = compare(arith::CmpFPredicate::ORD, best, best);
    better = arith::OrIOp::create(builder, loc, better, arith::AndIOp::create(builder, loc, isNan, hadNone));
  } else {
    better = arith::CmpIOp::create(builder, loc,
                                   isMax ? arith::CmpIPredicate::sgt : arith::CmpIPredicate::slt, x, best);
  }
  Value number = position;
  if (position.getType().isIndex())
    number = arith::IndexCastOp::create(builder, loc, builder.getI32Type(), position);
  return {arith::SelectOp::create(builder, loc, better, x, best),
          arith::SelectOp::create(builder, loc, better, number, accumulators[1])};
}

SmallVector<Value, 2> heddle::cpu::mergeReductions(OpBuilder &builder, Operation *op, ValueRange a,
                                                   ValueRange b) {
  Location loc = op->getLoc();
  if (auto reduce = dyn_cast<ReduceOp>(op))
    return {ScalarEmitter(builder, loc).combine(reduce.getKind(), a[0], b[0])};
  bool isMax = cast<ArgReduceOp>(op).getKind() == ArgReductionKind::argmax;
  auto both = [&](Value x, Value y) -> Value { return arith::AndIOp::create(builder, loc, x, y); };
  auto either = [&](Value x, Value y) -> Value { return arith::OrIOp::create(builder, loc, x, y); };
  auto less = [&](Value x, Value y) -> Value {
    return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::slt, x, y);
  };
  Value earlier = less(b[1], a[1]), better, equal;
  if (isa<FloatType>(a[0].getType())) {
    auto compare = [&](arith::CmpFPredicate p, Value x, Value y) -> Value {
      return arith::CmpFOp::create(builder, loc, p, x, y);
    };
    Value nanA = compare(arith::CmpFPredicate::UNO, a[0], a[0]),
          nanB = compare(arith::CmpFPredicate::UNO, b[0], b[0]);
    Value numberA = compare(arith::CmpFPredicate::ORD, a[0], a[0]);
    better = compare(isMax ? arith::CmpFPredicate::OGT : arith::CmpFPredicate::OLT, b[0], a[0]);
    better = either(better, both(nanB, numberA));
    equal = either(compare(arith::CmpFPredicate::OEQ, a[0], b[0]), both(nanA, nanB));
  } else {
    better = isMax ? less(a[0], b[0]) : less(b[0], a[0]);
    equal = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, a[0], b[0]);
  }
  better = either(better, both(equal, earlier));
  return {arith::SelectOp::create(builder, loc, better, b[0], a[0]),
          arith::SelectOp::create(builder, loc, better, b[1], a[1])};
}

Value heddle::cpu::finishReduction(OpBuilder &builder, Operation *op, ValueRange accumulators) {
  if (isa<ArgReduceOp>(op))
    return accumulators[1];
  return ScalarEmitter(builder, op->getLoc()).rounded(accumulators[0], elementOf(op->getResult(0)));
}
