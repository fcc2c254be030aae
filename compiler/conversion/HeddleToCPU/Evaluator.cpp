//===- Evaluator.cpp - One element of a tensor, computed in place ---------===//

#include "compiler/conversion/HeddleToCPU/Evaluator.h"
#include "compiler/conversion/HeddleToCPU/ScalarOps.h"

#include "dialects/heddle/IR/Heddle.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace heddle::cpu;
using namespace heddle::ir;

static Type elementOf(Value tensor) { return tensorType(tensor).getElementType(); }

Evaluator::Key Evaluator::keyOf(Value tensor, ArrayRef<Linear> indices) {
  SmallVector<int64_t> key = {(int64_t)(intptr_t)tensor.getAsOpaquePointer()};
  for (const Linear &x : indices)
    x.profile(key);
  return Key(key.begin(), key.end());
}

/// Moves the builder to where code of a level goes. Inside a condition everything stays inside: what a
/// condition guards may not be safe to compute before it.
void Evaluator::at(unsigned level) {
  if (branches.empty())
    builder->setInsertionPoint(levels[level].anchor);
}

std::map<Evaluator::Key, Value> &Evaluator::memo(unsigned level) {
  return branches.empty() ? levels[level].values : branches.back();
}

Value *Evaluator::find(const Key &key, unsigned level) {
  for (auto &known : branches)
    if (auto found = known.find(key); found != known.end())
      return &found->second;
  auto &known = levels[level].values;
  auto found = known.find(key);
  return found == known.end() ? nullptr : &found->second;
}

unsigned Evaluator::leastLevel(Value tensor) {
  if (auto at = reduced.find(tensor); at != reduced.end())
    return at->second.level;
  if (isLeaf(tensor))
    return 0;
  if (auto found = leastLevels.find(tensor); found != leastLevels.end())
    return found->second;
  unsigned result = 0;
  for (Value operand : tensor.getDefiningOp()->getOperands())
    result = std::max(result, leastLevel(operand));
  return leastLevels[tensor] = result;
}

int Evaluator::cost(Value tensor) {
  if (isLeaf(tensor) || reduced.contains(tensor))
    return 1;
  if (auto found = costs.find(tensor); found != costs.end())
    return found->second;
  Operation *op = tensor.getDefiningOp();
  int own = llvm::TypeSwitch<Operation *, int>(op)
                .Case<ExpOp, LogOp, SinOp, CosOp, TanhOp, ErfOp, SigmoidOp, Expm1Op, Log1pOp>(
                    [](auto) { return 12; })
                .Case<PowOp, RandomOp>([](auto) { return 30; })
                .Case<DivOp, SqrtOp, RsqrtOp, RemOp>([](auto) { return 4; })
                .Case<GatherOp, TakeAlongOp>([](auto) { return 4; })
                .Case<ConstantOp, BroadcastOp, ReshapeOp, TransposeOp, SliceOp, IotaOp, ReverseOp>(
                    [](auto) { return 0; })
                .Default([](auto) { return 1; });
  Type element = elementOf(tensor);
  if (own && (element.isBF16() || element.isF16()))
    own += 3;
  int total = own;
  if (!isa<ConstantOp, IotaOp>(op))
    for (Value operand : op->getOperands())
      // A scalar operand is known outside the loops.
      total += tensorType(operand).getRank() == 0 ? 0 : cost(operand);
  return costs[tensor] = std::min(total, 1 << 20);
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

Value Evaluator::eval(Value tensor, ArrayRef<Linear> indices) {
  if (failed())
    return {};
  unsigned level = std::max(space.level(indices), leastLevel(tensor));
  Key key = keyOf(tensor, indices);
  if (Value *known = find(key, level))
    return *known;
  Location here = tensor.getLoc();
  auto outerLoc = std::exchange(loc, here);
  unsigned outerLevel = std::exchange(conditionLevel, level);

  auto stash = stashes.find(key);
  Value result;
  bool isColumnValue = branches.empty() && level == space.level(column) && !column.isConstant();
  if (stash != stashes.end() && builder && stash->second.stored) {
    Value position = this->position(column);
    at(level);
    result = ScalarEmitter(*builder, here).load(stash->second.scratch, position, stash->second.type);
  } else if (stash != stashes.end() && !builder) {
    stash->second.lastPhase = phase;
    result = {};
  } else {
    bool kept = false;
    if (!builder && !isLeaf(tensor) && level == space.level(column) && !column.isConstant() &&
        cost(tensor) >= stashCost) {
      auto [use, isNew] = firstUse.try_emplace(key, phase, isColumnValue);
      // A second pass over the row asks again for what the first one computed: keep it.
      if (!isNew && use->second.first < phase && use->second.second && isColumnValue) {
        stashes[key] = {{}, elementOf(tensor), false, tensor, segment, use->second.first, phase};
        kept = true;
      }
    }
    if (!kept)
      result = compute(tensor, indices);
    if (stash != stashes.end() && builder && isColumnValue) {
      Value position = this->position(column);
      at(level);
      ScalarEmitter(*builder, here).store(result, stash->second.scratch, position, stash->second.type);
      stash->second.stored = true;
    }
  }
  loc = outerLoc;
  conditionLevel = outerLevel;
  return memo(level)[key] = result;
}

Value Evaluator::load(Value tensor, ArrayRef<Linear> indices) {
  Linear linear = space.linearise(indices, tensorType(tensor).getShape());
  Value position = this->position(linear);
  if (!builder) {
    loads.push_back({tensor, linear, phase});
    return {};
  }
  at(space.level(linear));
  return ScalarEmitter(*builder, *loc).load(buffers.lookup(tensor), position, elementOf(tensor));
}

Value Evaluator::evalPad(Operation *op, ArrayRef<Linear> indices) {
  auto pad = cast<PadOp>(op);
  ArrayRef<int64_t> shape = tensorType(pad.getX()).getShape();
  Condition condition{Condition::Always, {}};
  Indices inner;
  for (auto [d, index] : llvm::enumerate(indices)) {
    int64_t step = pad.getInterior()[d] + 1, last = (shape[d] - 1) * step;
    if (shape[d] == 0) {
      condition = {Condition::Never, {}};
      inner.push_back(Linear(0));
      continue;
    }
    Linear x = space.add(index, Linear(-pad.getLow()[d]));
    condition = both(condition, inside(x, {0, last}));
    x = space.narrowed(x, {0, last});
    if (step > 1) {
      condition = both(condition, inside(space.remainder(x, step), {0, 0}));
      x = space.quotient(x, step);
    }
    inner.push_back(x);
  }
  return branch(
      condition, elementOf(pad.getX()), [&] { return eval(pad.getX(), inner); },
      [&] { return eval(pad.getValue(), {}); });
}

Value Evaluator::evalConcat(Operation *op, unsigned from, int64_t offset, ArrayRef<Linear> indices) {
  auto concat = cast<ConcatOp>(op);
  int64_t axis = concat.getAxis();
  Value input = concat.getInputs()[from];
  int64_t extent = tensorType(input).getDimSize(axis);
  auto take = [&] {
    Indices inner(indices);
    Linear x = space.add(indices[axis], Linear(-offset));
    inner[axis] = space.narrowed(x, {0, std::max<int64_t>(extent - 1, 0)});
    return eval(input, inner);
  };
  if (from + 1 == concat.getInputs().size())
    return take();
  Condition here = inside(indices[axis], {offset, offset + extent - 1});
  if (extent == 0)
    here = {Condition::Never, {}};
  return branch(here, elementOf(input), take,
                [&] { return evalConcat(op, from + 1, offset + extent, indices); });
}

Value Evaluator::evalUpdate(Operation *op, ArrayRef<Linear> indices) {
  auto update = cast<DynamicUpdateSliceOp>(op);
  int64_t axis = update.getAxis(), size = tensorType(update.getUpdate()).getDimSize(axis);
  int64_t extent = tensorType(update.getX()).getDimSize(axis);
  Linear start = runTimeIndex(update.getStart(), {}, extent - size + 1);
  Linear x = space.add(indices[axis], space.scale(start, -1));
  Indices inner(indices);
  inner[axis] = space.narrowed(x, {0, std::max<int64_t>(size - 1, 0)});
  Condition here = size == 0 ? Condition{Condition::Never, {}} : inside(x, {0, size - 1});
  return branch(
      here, elementOf(update.getX()), [&] { return eval(update.getUpdate(), inner); },
      [&] { return eval(update.getX(), indices); });
}

Value Evaluator::evalRandom(Operation *op, ArrayRef<Linear> indices) {
  auto random = cast<RandomOp>(op);
  auto type = cast<RankedTensorType>(random.getType());
  Value key = eval(random.getKey(), {});
  Linear linear = space.linearise(indices, type.getShape());
  Value position = this->position(linear);
  if (!builder)
    return {};
  at(std::max(space.level(linear), leastLevel(random.getResult())));
  Value i64 = arith::IndexCastOp::create(*builder, *loc, builder->getI64Type(), position);
  ScalarEmitter emit(*builder, *loc);
  Value x = emit.random(random.getDistribution(), key, random.getStream(), i64);
  return emit.cast(x, x.getType(), type.getElementType());
}

Value Evaluator::compute(Value tensor, ArrayRef<Linear> indices) {
  if (auto found = reduced.find(tensor); found != reduced.end()) {
    const Reduced &info = found->second;
    if (space.linearise(indices, tensorType(tensor).getShape()) != info.position) {
      failure = "a reduction is read at another position than its own";
      return {};
    }
    if (!builder || info.scalar)
      return info.scalar;
    Value position = this->position(info.scratchPosition);
    at(space.level(info.scratchPosition));
    return ScalarEmitter(*builder, *loc)
        .load(info.scratch, position, cast<MemRefType>(info.scratch.getType()).getElementType());
  }
  if (isLeaf(tensor))
    return load(tensor, indices);
  Operation *op = tensor.getDefiningOp();
  unsigned level = std::max(space.level(indices), leastLevel(tensor));
  return llvm::TypeSwitch<Operation *, Value>(op)
      .Case<ConstantOp>([&](ConstantOp constant) -> Value {
        auto dense = dyn_cast<DenseElementsAttr>(constant.getValue());
        if (!dense || !dense.isSplat()) {
          failure = "a constant of distinct elements is read in place";
          return {};
        }
        if (!builder)
          return {};
        at(level);
        return ScalarEmitter(*builder, *loc).constant(dense.getSplatValue<Attribute>(), elementOf(tensor));
      })
      .Case<IotaOp>([&](IotaOp iota) -> Value {
        const Linear &x = indices[iota.getAxis()];
        Value position = this->position(x);
        if (!builder)
          return {};
        at(level);
        return ScalarEmitter(*builder, *loc)
            .fromIndex(position, elementOf(tensor), space.range(x).high <= INT32_MAX);
      })
      .Case<BroadcastOp>([&](BroadcastOp broadcast) {
        Indices inner;
        for (int64_t axis : broadcast.getAxes())
          inner.push_back(indices[axis]);
        return eval(broadcast.getX(), inner);
      })
      .Case<ReshapeOp>([&](ReshapeOp reshape) {
        Linear linear = space.linearise(indices, cast<RankedTensorType>(reshape.getType()).getShape());
        return eval(reshape.getX(), space.delinearise(linear, tensorType(reshape.getX()).getShape()));
      })
      .Case<TransposeOp>([&](TransposeOp transpose) {
        Indices inner(indices.size());
        for (auto [i, axis] : llvm::enumerate(transpose.getPermutation()))
          inner[axis] = indices[i];
        return eval(transpose.getX(), inner);
      })
      .Case<SliceOp>([&](SliceOp slice) {
        Indices inner;
        for (auto [d, index] : llvm::enumerate(indices))
          inner.push_back(space.add(space.scale(index, slice.getStrides()[d]), Linear(slice.getStarts()[d])));
        return eval(slice.getX(), inner);
      })
      .Case<ReverseOp>([&](ReverseOp reverse) {
        Indices inner(indices);
        for (int64_t axis : reverse.getAxes())
          inner[axis] =
              space.add(Linear(tensorType(tensor).getDimSize(axis) - 1), space.scale(indices[axis], -1));
        return eval(reverse.getX(), inner);
      })
      .Case<PadOp>([&](auto) { return evalPad(op, indices); })
      .Case<ConcatOp>([&](auto) { return evalConcat(op, 0, 0, indices); })
      .Case<DynamicUpdateSliceOp>([&](auto) { return evalUpdate(op, indices); })
      .Case<DynamicSliceOp>([&](DynamicSliceOp slice) {
        Indices inner(indices);
        int64_t axis = slice.getAxis();
        int64_t extent = tensorType(slice.getX()).getDimSize(axis);
        Linear start = runTimeIndex(slice.getStart(), {}, extent - (int64_t)slice.getSize() + 1);
        inner[axis] = space.add(indices[axis], start);
        return eval(slice.getX(), inner);
      })
      .Case<GatherOp>([&](GatherOp gather) {
        int64_t axis = gather.getAxis(), rank = tensorType(gather.getIds()).getRank();
        Linear id = runTimeIndex(gather.getIds(), indices.slice(axis, rank),
                                 tensorType(gather.getTable()).getDimSize(axis));
        Indices inner(indices.take_front(axis));
        inner.push_back(id);
        llvm::append_range(inner, indices.drop_front(axis + rank));
        return eval(gather.getTable(), inner);
      })
      .Case<TakeAlongOp>([&](TakeAlongOp take) {
        int64_t axis = take.getAxis();
        Indices inner(indices);
        inner[axis] = runTimeIndex(take.getIds(), indices, tensorType(take.getX()).getDimSize(axis));
        return eval(take.getX(), inner);
      })
      .Case<RandomOp>([&](auto) { return evalRandom(op, indices); })
      .Case<FoldInOp>([&](FoldInOp fold) -> Value {
        Value key = eval(fold.getKey(), {}), data = eval(fold.getData(), {});
        if (!builder)
          return {};
        at(level);
        return ScalarEmitter(*builder, *loc).foldIn(key, data);
      })
      .Default([&](Operation *) -> Value {
        SmallVector<Value> operands;
        for (Value operand : op->getOperands())
          operands.push_back(eval(operand, indices));
        if (failed() || !builder)
          return {};
        at(level);
        Value result = ScalarEmitter(*builder, *loc).elementwise(op, operands);
        if (!result)
          failure = ("'" + op->getName().getStringRef() + "' has no elementwise form").str();
        return result;
      });
}
