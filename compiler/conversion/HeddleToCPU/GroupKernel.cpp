//===- GroupKernel.cpp - Emits the kernel of a group ----------------------===//

#include "compiler/conversion/HeddleToCPU/GroupKernel.h"
#include "compiler/conversion/HeddleToCPU/Reductions.h"
#include "compiler/conversion/HeddleToCPU/ScalarOps.h"

#include "dialects/heddle/IR/Heddle.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace heddle::cpu;
using namespace heddle::ir;

static Type elementOf(Value tensor) { return tensorType(tensor).getElementType(); }

void GroupKernel::emit(func::FuncOp function, ArrayRef<std::pair<Value, Value>> inputs, ValueRange results) {
  OpBuilder builder = OpBuilder::atBlockBegin(&function.getBody().front());
  evaluator->startEmission(builder);
  for (auto [leaf, memref] : inputs)
    evaluator->buffers[leaf] = memref;
  if (kind == Kind::Columns)
    emitColumns(function, results);
  else
    emitRows(function, results);
}

//===----------------------------------------------------------------------===//
// Rows and elementwise groups
//===----------------------------------------------------------------------===//

/// One buffer for each kept value of a segment; the segments share buffers, since they cover different
/// columns.
void GroupKernel::allocateStashes(OpBuilder &builder, Location loc) {
  std::map<std::pair<void *, int>, Value> buffers;
  std::map<std::pair<void *, int>, int> used;
  for (auto &[key, stash] : evaluator->stashes) {
    void *tensor = stash.tensor.getAsOpaquePointer();
    int ordinal = used[{tensor, stash.segment}]++;
    Value &buffer = buffers[{tensor, ordinal}];
    if (!buffer) {
      auto type = MemRefType::get({columns}, storageType(computeType(stash.type)));
      buffer = memref::AllocaOp::create(builder, loc, type, builder.getI64IntegerAttr(64));
    }
    stash.scratch = buffer;
    stash.type = computeType(stash.type);
  }
}

void GroupKernel::emitRows(func::FuncOp function, ValueRange results) {
  Location loc = function.getLoc();
  Block *entry = &function.getBody().front();
  OpBuilder builder = OpBuilder::atBlockBegin(entry);
  allocateStashes(builder, loc);
  Value begin = entry->getArgument(0), end = entry->getArgument(1);
  Value one = arith::ConstantIndexOp::create(builder, loc, 1);
  if (flat) {
    auto anchor = func::ReturnOp::create(builder, loc);
    evaluator->levels[0].anchor = evaluator->levels[1].anchor = anchor;
    emitPass(phases[0], results, begin, end);
    return;
  }
  auto rowLoop = scf::ForOp::create(builder, loc, begin, end, one);
  func::ReturnOp::create(builder, loc);
  evaluator->levels[0].anchor = rowLoop;
  if (!row.isConstant())
    space.atom(row.terms[0].first).value = rowLoop.getInductionVar();
  Operation *rowEnd = rowLoop.getBody()->getTerminator();
  for (const Phase &phase : phases) {
    evaluator->levels[1].anchor = rowEnd;
    if (!phase.reductions.empty() || !phase.outputs.empty())
      emitPass(phase, results, {}, {});
  }
  evaluator->levels[1].anchor = rowEnd;
  evaluator->column = Linear(0);
  // As in the passes: everything is read before anything is written.
  SmallVector<Value> values;
  for (unsigned i : rowOutputs)
    values.push_back(evaluator->eval(outputs[i], at(outputs[i], row)));
  for (auto [x, i] : llvm::zip(values, rowOutputs)) {
    Value position = evaluator->position(row);
    builder.setInsertionPoint(rowEnd);
    ScalarEmitter(builder, outputs[i].getLoc()).store(x, results[i], position, elementOf(outputs[i]));
  }
}

/// The loops of one pass over a row, before level 1's anchor. `begin` and `end` bound the columns of a flat
/// kernel.
void GroupKernel::emitPass(const Phase &phase, ValueRange results, Value begin, Value end) {
  Operation *anchor = evaluator->levels[1].anchor;
  Location loc = anchor->getLoc();
  OpBuilder builder(anchor);
  Value one = arith::ConstantIndexOp::create(builder, loc, 1);
  SmallVector<Value> accumulators;
  for (Operation *op : phase.reductions)
    llvm::append_range(accumulators, startReduction(builder, op));

  for (auto [number, column] : llvm::enumerate(segments)) {
    builder.setInsertionPoint(anchor);
    Value low = arith::ConstantIndexOp::create(builder, loc, cuts[number]);
    Value high = arith::ConstantIndexOp::create(builder, loc, cuts[number + 1]);
    if (begin) {
      low = segments.size() == 1 ? begin : Value(arith::MaxSIOp::create(builder, loc, low, begin));
      high = segments.size() == 1 ? end : Value(arith::MinSIOp::create(builder, loc, high, end));
    }
    auto loop = scf::ForOp::create(builder, loc, low, high, one, accumulators);
    Block *body = loop.getBody();
    if (accumulators.empty())
      body->getTerminator()->erase();
    OpBuilder inside = OpBuilder::atBlockEnd(body);
    // A placeholder that code goes before until the real terminator is known.
    auto yield = scf::YieldOp::create(inside, loc, loop.getRegionIterArgs());
    evaluator->column = column;
    evaluator->segment = number;
    evaluator->levels[2].clear();
    evaluator->levels[2].anchor = yield;
    if (number == 0 || !flat)
      evaluator->levels[1].anchor = loop;
    if (number == 0 && flat)
      evaluator->levels[0].anchor = loop;
    if (!column.isConstant())
      space.atom(column.terms[0].first).value = loop.getInductionVar();

    Linear position = element(column);
    SmallVector<Value> next;
    auto carried = loop.getRegionIterArgs();
    for (Operation *op : phase.reductions) {
      Value x = evaluator->eval(op->getOperand(0), at(op->getOperand(0), position));
      size_t width = isa<ArgReduceOp>(op) ? 2 : 1;
      ValueRange accumulator = ValueRange(carried).slice(next.size(), width);
      inside.setInsertionPoint(yield);
      llvm::append_range(next, stepReduction(inside, op, accumulator, x, loop.getInductionVar()));
    }
    // Everything is read before anything is written: a result may take the place of an input.
    SmallVector<Value> values;
    for (unsigned i : phase.outputs)
      values.push_back(evaluator->eval(outputs[i], at(outputs[i], position)));
    for (auto [x, i] : llvm::zip(values, phase.outputs)) {
      Value where = evaluator->position(position);
      inside.setInsertionPoint(yield);
      ScalarEmitter(inside, outputs[i].getLoc()).store(x, results[i], where, elementOf(outputs[i]));
    }
    if (!next.empty())
      yield->setOperands(next);
    accumulators.assign(loop.getResults().begin(), loop.getResults().end());
  }
  builder.setInsertionPoint(anchor);
  size_t at = 0;
  for (Operation *op : phase.reductions) {
    size_t width = isa<ArgReduceOp>(op) ? 2 : 1;
    Evaluator::Reduced info;
    info.position = row;
    info.scalar = finishReduction(builder, op, ValueRange(accumulators).slice(at, width));
    evaluator->reduced[op->getResult(0)] = info;
    at += width;
  }
  evaluator->levels[1].anchor = anchor;
}

//===----------------------------------------------------------------------===//
// Columns
//===----------------------------------------------------------------------===//

void GroupKernel::emitColumns(func::FuncOp function, ValueRange results) {
  Location loc = function.getLoc();
  Block *entry = &function.getBody().front();
  OpBuilder builder = OpBuilder::atBlockBegin(entry);
  auto index = [&](int64_t value) -> Value { return arith::ConstantIndexOp::create(builder, loc, value); };
  SmallVector<SmallVector<Value, 2>> scratch;
  for (Operation *op : reductions) {
    scratch.emplace_back();
    for (Type type : accumulatorTypes(op))
      scratch.back().push_back(memref::AllocaOp::create(
          builder, loc, MemRefType::get({columnBlock}, storageType(type)), builder.getI64IntegerAttr(64)));
  }
  Value one = index(1), zero = index(0);
  auto taskLoop = scf::ForOp::create(builder, loc, entry->getArgument(0), entry->getArgument(1), one);
  func::ReturnOp::create(builder, loc);
  evaluator->levels[0].anchor = taskLoop;
  Operation *taskEnd = taskLoop.getBody()->getTerminator();

  // The task's row of results and its columns.
  builder.setInsertionPoint(taskEnd);
  int64_t blocks = (columns + columnBlock - 1) / columnBlock;
  Value task = taskLoop.getInductionVar(), rowValue = task, low = zero, high = index(columns);
  if (blocks > 1) {
    rowValue = arith::DivUIOp::create(builder, loc, task, index(blocks));
    Value block = arith::RemUIOp::create(builder, loc, task, index(blocks));
    low = arith::MulIOp::create(builder, loc, block, index(columnBlock));
    Value next = arith::AddIOp::create(builder, loc, low, index(columnBlock));
    high = columns % columnBlock ? Value(arith::MinSIOp::create(builder, loc, next, high)) : next;
  }
  auto setAtom = [&](const Linear &x, Value value) {
    if (!x.isConstant())
      space.atom(x.terms[0].first).value = value;
  };
  setAtom(row, rowValue);
  setAtom(first, low);
  auto local = [&](OpBuilder &b, Value column) -> Value {
    return arith::SubIOp::create(b, loc, column, low);
  };

  auto startLoop = scf::ForOp::create(builder, loc, low, high, one);
  {
    OpBuilder inside(startLoop.getBody()->getTerminator());
    Value at = local(inside, startLoop.getInductionVar());
    for (auto [op, buffers] : llvm::zip(reductions, scratch))
      for (auto [value, buffer] : llvm::zip(startReduction(inside, op), buffers))
        ScalarEmitter(inside, loc).store(value, buffer, at, value.getType());
  }

  builder.setInsertionPoint(taskEnd);
  auto stepLoop = scf::ForOp::create(builder, loc, zero, index(reduced), one);
  builder.setInsertionPoint(stepLoop.getBody()->getTerminator());
  auto columnLoop = scf::ForOp::create(builder, loc, low, high, one);
  setAtom(step, stepLoop.getInductionVar());
  setAtom(segments[0], columnLoop.getInductionVar());
  evaluator->levels[1].anchor = stepLoop;
  evaluator->levels[2].anchor = columnLoop;
  evaluator->levels[3].anchor = columnLoop.getBody()->getTerminator();
  evaluator->column = segments[0];
  Linear position = space.add(space.scale(space.add(space.scale(row, reduced), step), columns), segments[0]);
  for (auto [op, buffers] : llvm::zip(reductions, scratch)) {
    Value x = evaluator->eval(op->getOperand(0), at(op->getOperand(0), position));
    OpBuilder inside(columnLoop.getBody()->getTerminator());
    Value where = local(inside, columnLoop.getInductionVar());
    SmallVector<Value, 2> accumulators;
    ScalarEmitter emit(inside, loc);
    for (auto [buffer, type] : llvm::zip(buffers, accumulatorTypes(op)))
      accumulators.push_back(emit.load(buffer, where, type));
    for (auto [value, buffer] :
         llvm::zip(stepReduction(inside, op, accumulators, x, stepLoop.getInductionVar()), buffers))
      emit.store(value, buffer, where, value.getType());
  }

  builder.setInsertionPoint(taskEnd);
  auto resultLoop = scf::ForOp::create(builder, loc, low, high, one);
  Operation *resultEnd = resultLoop.getBody()->getTerminator();
  setAtom(segments[1], resultLoop.getInductionVar());
  evaluator->levels[1].anchor = resultLoop;
  evaluator->levels[2].clear();
  evaluator->levels[2].anchor = resultEnd;
  evaluator->column = segments[1];
  Linear result = space.add(space.scale(row, columns), segments[1]);
  builder.setInsertionPoint(resultEnd);
  Value where = local(builder, resultLoop.getInductionVar());
  for (auto [op, buffers] : llvm::zip(reductions, scratch)) {
    SmallVector<Value, 2> accumulators;
    for (auto [buffer, type] : llvm::zip(buffers, accumulatorTypes(op)))
      accumulators.push_back(ScalarEmitter(builder, loc).load(buffer, where, type));
    Evaluator::Reduced info;
    info.position = result;
    info.level = 2;
    info.scalar = finishReduction(builder, op, accumulators);
    evaluator->reduced[op->getResult(0)] = info;
  }
  SmallVector<Value> values;
  for (Value output : outputs)
    values.push_back(evaluator->eval(output, at(output, result)));
  for (auto [i, output] : llvm::enumerate(outputs)) {
    Value to = evaluator->position(result);
    builder.setInsertionPoint(resultEnd);
    ScalarEmitter(builder, output.getLoc()).store(values[i], results[i], to, elementOf(output));
  }
}

int64_t GroupKernel::taskCount() const {
  if (kind == Kind::Columns)
    return rows * ((columns + columnBlock - 1) / std::max<int64_t>(columnBlock, 1));
  return flat ? columns : rows;
}

int64_t GroupKernel::grain() {
  int64_t perElement = 8;
  for (Value output : outputs)
    perElement += evaluator->cost(output);
  for (Operation *op : reductions)
    perElement += evaluator->cost(op->getOperand(0));
  int64_t elements = std::max<int64_t>(1024, (1 << 18) / perElement);
  int64_t perTask = kind == Kind::Columns ? reduced * columnBlock : flat ? 1 : columns;
  return std::max<int64_t>(1, elements / std::max<int64_t>(perTask, 1));
}
