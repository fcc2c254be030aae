//===- ReverseFor.cpp - The adjoint of a loop -----------------------------===//
//
// The adjoint loop runs the other way. Its carries are the cotangents of the loop's carries and a running sum
// for each value from around the loop; it scans the cotangents of collected results and what the forward loop
// kept, and collects the cotangents of scanned operands.
//
// The adjoint body is built first, in a block of its own that reads the forward body's values as if both were
// one block. Then `chooseKept` cuts the two apart: values on the cut are stacked by the forward loop, what
// lies behind the cut is computed again in the adjoint body.
//
//===----------------------------------------------------------------------===//

#include "compiler/autodiff/Keep.h"
#include "compiler/autodiff/Reverse.h"

using namespace mlir;
using namespace heddle::ir;

namespace heddle::autodiff {
namespace {

/// For each yielded value, whether it can reach a result that has a cotangent.
llvm::BitVector usefulYields(ForOp loop, BlockCotangents &outer, const Activity &activity) {
  Block *body = &loop.getBody().front();
  auto yielded = loop.getYield().getValues();
  llvm::BitVector useful(yielded.size());
  llvm::SetVector<Value> work;
  auto add = [&](size_t i) {
    useful.set(i);
    work.insert(yielded[i]);
  };
  for (auto [i, result] : llvm::enumerate(loop.getResults()))
    if (outer.cotangent(result))
      add(i);
  unsigned firstCarry = 1 + loop.getScanned().size();
  for (size_t i = 0; i < work.size(); ++i) {
    Value value = work[i];
    if (value.getParentBlock() != body || !activity.contains(value))
      continue;
    if (auto argument = dyn_cast<BlockArgument>(value)) {
      if (argument.getArgNumber() >= firstCarry)
        add(argument.getArgNumber() - firstCarry);
      continue;
    }
    for (Value read : readValues(*value.getDefiningOp()))
      work.insert(read);
  }
  return useful;
}

/// The type of a sum over the steps: of bf16 and f16 in f32, as all sums.
RankedTensorType sumType(RankedTensorType type) {
  Type element = type.getElementType();
  return element.getIntOrFloatBitWidth() < 32
             ? RankedTensorType::get(type.getShape(), Float32Type::get(type.getContext()))
             : type;
}

Value converted(OpBuilder &builder, Location loc, Value value, RankedTensorType type) {
  return value.getType() == type ? value : CastOp::create(builder, loc, type, value).getResult();
}

/// The adjoint loop's body and what its arguments stand for, while it is built.
class AdjointLoop {
public:
  AdjointLoop(ForOp loop) : loop(loop), loc(loop.getLoc()), scratch(loop) {
    block = new Block;
    scratch.push_back(block);
    step = block->addArgument(loop.getStep().getType(), loc);
  }

  /// A body argument for the slice of `stack`, which is given later where it is null.
  Value addScanned(Type sliceType, Value stack) {
    scannedArguments.push_back(block->addArgument(sliceType, loc));
    scanned.push_back(stack);
    return scannedArguments.back();
  }
  Value addCarry(Value init) {
    carryArguments.push_back(block->addArgument(init.getType(), loc));
    inits.push_back(init);
    return carryArguments.back();
  }

  /// Values of the forward body that the block reads.
  llvm::SetVector<Value> needed() {
    llvm::SetVector<Value> values;
    Block *forward = &loop.getBody().front();
    for (Operation &op : *block)
      for (Value read : readValues(op))
        if (read.getParentBlock() == forward)
          values.insert(read);
    return values;
  }

  /// Makes the block independent of the forward body: `kept` become scanned arguments whose stacks are set
  /// later (in order, from scanned operand `firstKept`), the other needed values are computed again.
  void detach(const llvm::SetVector<Value> &needed, ArrayRef<Value> kept) {
    SmallVector<Operation *> ops;
    for (Operation &op : *block)
      ops.push_back(&op);
    mapping.map(loop.getStep(), step);
    firstKept = scanned.size();
    for (Value value : kept)
      mapping.map(value, addScanned(value.getType(), Value()));
    OpBuilder front(block, block->begin());
    for (Value value : needed)
      provide(value, front);
    for (Operation *op : ops)
      op->walk([&](Operation *inner) {
        for (OpOperand &operand : inner->getOpOperands())
          if (Value replacement = mapping.lookupOrNull(operand.get()))
            operand.set(replacement);
      });
  }

  ForOp build(OpBuilder &builder, ArrayRef<Value> stacks) {
    llvm::copy(stacks, scanned.begin() + firstKept);
    auto yield = cast<YieldOp>(block->getTerminator());
    SmallVector<Type> types;
    for (auto [i, value] : llvm::enumerate(yield.getValues())) {
      auto type = tensorType(value);
      SmallVector<int64_t> shape(type.getShape());
      if (i >= inits.size())
        shape.insert(shape.begin(), loop.getCount());
      types.push_back(withShape(type, shape));
    }
    auto adjoint = ForOp::create(builder, loc, types, loop.getCount(), scanned, inits, !loop.getReverse());
    // The arguments in the order that the operation wants.
    auto *body = new Block;
    adjoint.getBody().push_back(body);
    SmallVector<Value> arguments = {step};
    llvm::append_range(arguments, scannedArguments);
    llvm::append_range(arguments, carryArguments);
    for (Value argument : arguments)
      argument.replaceAllUsesWith(body->addArgument(argument.getType(), loc));
    body->getOperations().splice(body->end(), block->getOperations());
    return adjoint;
  }

  Block *getBlock() { return block; }

private:
  /// A value of the forward body as this block has it.
  Value provide(Value value, OpBuilder &front) {
    if (Value known = mapping.lookupOrNull(value))
      return known;
    if (value.getParentBlock() != &loop.getBody().front())
      return value;
    if (auto argument = dyn_cast<BlockArgument>(value)) {
      // Only slices are left: carries are kept where they are read.
      Value stack = loop.getScanned()[argument.getArgNumber() - 1];
      mapping.map(value, addScanned(value.getType(), stack));
      return mapping.lookup(value);
    }
    Operation *op = value.getDefiningOp();
    for (Value read : readValues(*op))
      provide(read, front);
    front.clone(*op, mapping);
    return mapping.lookup(value);
  }

  ForOp loop;
  Location loc;
  Region scratch;
  Block *block;
  IRMapping mapping;
  Value step;
  SmallVector<Value> scannedArguments, carryArguments, scanned, inits;
  size_t firstKept = 0;
};

} // namespace

ForOp ReverseSweep::collect(ForOp loop, ArrayRef<Value> values, SmallVectorImpl<Value> &stacks) {
  YieldOp yield = loop.getYield();
  auto collected = yield.getValues().drop_front(loop.getNumCarries());
  SmallVector<unsigned> numbers; // of the result that holds each value
  SmallVector<Value> added;
  for (Value value : values) {
    auto found = llvm::find(collected, value);
    if (found != collected.end()) {
      numbers.push_back(loop.getNumCarries() + (found - collected.begin()));
      continue;
    }
    numbers.push_back(loop.getNumResults() + added.size());
    added.push_back(value);
  }
  if (!added.empty()) {
    SmallVector<Type> types(loop.getResultTypes());
    for (Value value : added) {
      SmallVector<int64_t> shape(tensorType(value).getShape());
      shape.insert(shape.begin(), loop.getCount());
      types.push_back(withShape(tensorType(value), shape));
    }
    OpBuilder builder(loop);
    auto wider = ForOp::create(builder, loop.getLoc(), types, loop.getCount(), loop.getScanned(),
                               loop.getInits(), loop.getReverse());
    wider->setDiscardableAttrs(loop->getDiscardableAttrDictionary());
    wider.getBody().takeBody(loop.getBody());
    yield.getValuesMutable().append(added);
    loop->replaceAllUsesWith(wider.getResults().take_front(loop.getNumResults()));
    retire(loop);
    loop = wider;
  }
  for (unsigned number : numbers)
    stacks.push_back(loop.getResult(number));
  return loop;
}

LogicalResult ReverseSweep::sweepFor(ForOp loop, BlockCotangents &outer, OpBuilder &builder) {
  Location loc = loop.getLoc();
  Block *body = &loop.getBody().front();
  unsigned numCarries = loop.getNumCarries();
  llvm::BitVector useful = usefulYields(loop, outer, activity);
  AdjointLoop adjoint(loop);
  OpBuilder inside = OpBuilder::atBlockEnd(adjoint.getBlock());
  BlockCotangents inner(activity, inside);

  // Seeds: cotangents of the next carries, and slices of those of the collected results.
  SmallVector<unsigned> carried;
  for (auto [i, value] : llvm::enumerate(loop.getYield().getValues())) {
    Value result = loop.getResult(i), cotangent = outer.cotangent(result);
    if (i < numCarries && useful[i] && activity.contains(loop.getCarries()[i])) {
      carried.push_back(i);
      inner.accumulate(value, adjoint.addCarry(orZeros(builder, loc, cotangent, result.getType())));
    } else if (i >= numCarries && cotangent && activity.contains(value)) {
      inner.accumulate(value, adjoint.addScanned(value.getType(), cotangent));
    }
  }
  if (failed(sweep(*body, inner, inside)))
    return failure();

  SmallVector<Value> yields;
  for (unsigned i : carried)
    yields.push_back(
        orZeros(inside, loc, inner.cotangent(loop.getCarries()[i]), loop.getCarries()[i].getType()));
  SmallVector<Value> captured;
  for (auto [value, cotangent] : inner.all())
    if (value.getParentBlock() != body) {
      captured.push_back(value);
      auto wide = sumType(tensorType(value));
      Value sum = adjoint.addCarry(zeros(builder, loc, wide));
      yields.push_back(AddOp::create(inside, loc, sum, converted(inside, loc, cotangent, wide)));
    }
  SmallVector<Value> scanned;
  for (auto [operand, slice] : llvm::zip(loop.getScanned(), loop.getSlices()))
    if (Value cotangent = inner.cotangent(slice)) {
      scanned.push_back(operand);
      yields.push_back(cotangent);
    }
  YieldOp::create(inside, loc, yields);

  llvm::SetVector<Value> needed = adjoint.needed();
  SmallVector<Value> kept = chooseKept(loop, needed, options), stacks;
  adjoint.detach(needed, kept);
  SmallVector<Value> inits(loop.getInits());
  collect(loop, kept, stacks);
  ForOp back = adjoint.build(builder, stacks);

  auto results = back.getResults();
  for (auto [k, i] : llvm::enumerate(carried))
    outer.accumulate(inits[i], results[k]);
  results = results.drop_front(carried.size());
  for (auto [k, value] : llvm::enumerate(captured))
    outer.accumulate(value, converted(builder, loc, results[k], tensorType(value)));
  results = results.drop_front(captured.size());
  for (auto [k, operand] : llvm::enumerate(scanned))
    outer.accumulate(operand, results[k]);
  return success();
}

} // namespace heddle::autodiff
