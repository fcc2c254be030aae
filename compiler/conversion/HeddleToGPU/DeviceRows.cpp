//===- DeviceRows.cpp - Groups that reduce rows ---------------------------===//

#include "compiler/conversion/HeddleToCPU/Reductions.h"
#include "compiler/conversion/HeddleToCPU/ScalarOps.h"
#include "compiler/conversion/HeddleToGPU/DeviceGroup.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace heddle::gpu;
using namespace heddle::cpu;
using namespace heddle::ir;
using heddle::gpu::DeviceGroup;

static Type elementOf(Value tensor) { return tensorType(tensor).getElementType(); }
static size_t widthOf(Operation *op) { return isa<ArgReduceOp>(op) ? 2 : 1; }

void DeviceGroup::emitRows(ValueRange results) {
  ImplicitLocOpBuilder &b = code->b;
  const int64_t rowsPerBlock = blockThreads / rowThreads;
  Value rowNumber = blockNumber();
  rowLane = threadNumber();
  rowValid = {};
  if (rowsPerBlock > 1) {
    Value inBlock = arith::DivUIOp::create(b, rowLane, index(rowThreads));
    rowNumber = arith::AddIOp::create(b, arith::MulIOp::create(b, rowNumber, index(rowsPerBlock)), inBlock);
    rowLane = arith::RemUIOp::create(b, rowLane, index(rowThreads));
    // All lanes take part in shuffles: those without a row repeat the last one and store nothing.
    if (rows % rowsPerBlock != 0) {
      rowValid = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, rowNumber, index(rows));
      rowNumber = arith::MinUIOp::create(b, rowNumber, index(rows - 1));
    }
  }
  row = counter({0, rows - 1}, 1, rowNumber);
  placeVectors(2);
  emitPasses(results);
}

void DeviceGroup::placeVectors(unsigned level) {
  ImplicitLocOpBuilder &b = code->b;
  const int64_t pieces = (columns + vector - 1) / vector;
  starts.clear();
  startValid.clear();
  for (int64_t n = 0; n < steps && !looped; ++n) {
    const int64_t first = n * rowThreads, last = std::min(first + rowThreads, pieces) - 1;
    Value piece = arith::AddIOp::create(b, rowLane, index(first)), valid;
    if (first + rowThreads > pieces) {
      valid = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, piece, index(pieces));
      piece = arith::MinUIOp::create(b, piece, index(pieces - 1));
    }
    starts.push_back(space.scale(counter({std::min(first, last), last}, level, piece), vector));
    startValid.push_back(valid);
  }
}

void DeviceGroup::emitPasses(ValueRange results) {
  for (const Phase &phase : phases)
    if (!phase.empty())
      emitPass(phase, results);
  emitRowOutputs(results);
}

DeviceGroup::Values DeviceGroup::stepPass(const Phase &phase, ValueRange accumulators, const Linear &start,
                                          Value condition) {
  ImplicitLocOpBuilder &b = code->b;
  Values next(accumulators.begin(), accumulators.end());
  for (int64_t j = 0; j < vector; ++j) {
    Linear column = space.add(start, Linear(j)), position = element(column);
    size_t at = 0;
    for (Operation *op : phase.reductions) {
      Value x = evaluator->eval(op->getOperand(0), this->at(op->getOperand(0), position));
      const size_t width = widthOf(op);
      Value number = width == 2 ? evaluator->position(column) : Value();
      auto stepped = stepReduction(b, op, ValueRange(next).slice(at, width), x, number);
      for (size_t i = 0; i < width; ++i)
        next[at + i] =
            condition ? Value(arith::SelectOp::create(b, condition, stepped[i], next[at + i])) : stepped[i];
      at += width;
    }
  }
  return next;
}

void DeviceGroup::emitPass(const Phase &phase, ValueRange results) {
  ImplicitLocOpBuilder &b = code->b;
  Values accumulators;
  for (Operation *op : phase.reductions)
    llvm::append_range(accumulators, startReduction(b, op));
  if (looped) {
    const int64_t pieces = (columns + vector - 1) / vector;
    Operation *after = placeholders.back();
    auto loop = scf::ForOp::create(b, index(0), index(steps), index(1), accumulators);
    {
      OpBuilder::InsertionGuard guard(b);
      if (accumulators.empty())
        b.setInsertionPointToStart(loop.getBody());
      else
        b.setInsertionPointToEnd(loop.getBody());
      // What does not depend on the column is computed before the loop.
      evaluator->levels[0].anchor = evaluator->levels[1].anchor = loop;
      evaluator->levels[2].clear();
      openHere({2, 3});
      Value piece = arith::AddIOp::create(
          b, arith::MulIOp::create(b, loop.getInductionVar(), index(rowThreads)), rowLane);
      Value valid;
      if (pieces % rowThreads != 0) {
        valid = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, piece, index(pieces));
        piece = arith::MinUIOp::create(b, piece, index(pieces - 1));
      }
      Linear start = space.scale(counter({0, pieces - 1}, 2, piece), vector);
      evaluator->column = start;
      Values next = stepPass(phase, loop.getRegionIterArgs(), start, valid);
      storeOutputs(phase.outputs, start, vector, results, both(valid, rowValid));
      if (!accumulators.empty()) {
        b.setInsertionPointToEnd(loop.getBody());
        scf::YieldOp::create(b, next);
      }
    }
    for (unsigned level : {0, 1, 2, 3})
      evaluator->levels[level].anchor = after;
    evaluator->levels[2].clear();
    accumulators.assign(loop.getResults().begin(), loop.getResults().end());
  } else {
    for (auto [n, start] : llvm::enumerate(starts)) {
      Value valid = startValid[n];
      evaluator->column = start;
      accumulators = stepPass(phase, accumulators, start, valid);
      stepColumnSums(phase, n);
      storeOutputs(phase.outputs, start, vector, results, both(valid, rowValid));
    }
  }
  Values total = mergeThreads(phase.reductions, accumulators);
  size_t at = 0;
  for (Operation *op : phase.reductions) {
    Evaluator::Reduced info;
    info.position = row;
    info.scalar = finishReduction(b, op, ValueRange(total).slice(at, widthOf(op)));
    evaluator->reduced[op->getResult(0)] = info;
    at += widthOf(op);
  }
}

DeviceGroup::Values DeviceGroup::mergeThreads(ArrayRef<Operation *> operations, ValueRange accumulators) {
  ImplicitLocOpBuilder &b = code->b;
  Values values(accumulators.begin(), accumulators.end());
  auto merge = [&](const Values &mine, const Values &others) {
    Values merged;
    for (size_t at = 0, n = 0; n < operations.size(); at += widthOf(operations[n++])) {
      const size_t width = widthOf(operations[n]);
      llvm::append_range(merged, mergeReductions(b, operations[n], ValueRange(mine).slice(at, width),
                                                 ValueRange(others).slice(at, width)));
    }
    return merged;
  };
  for (int64_t mask = std::min(rowThreads, warpSize) / 2; mask > 0; mask /= 2) {
    Values others;
    for (Value value : values)
      others.push_back(code->shuffleXor(code->wrap(value), mask));
    values = merge(values, others);
  }
  if (rowThreads <= warpSize || operations.empty())
    return values;
  // Each warp leaves its part; every thread adds them up in the order of warps. Every pass has memory of its
  // own, so that the next one may write before all have read.
  const int64_t warps = rowThreads / warpSize;
  SmallVector<Pointer> slots;
  for (Value value : values)
    slots.push_back(code->shared(warps, value.getType()));
  code->when(code->lane() == 0, [&] {
    for (auto [value, slot] : llvm::zip(values, slots))
      code->store(code->wrap(value), slot, code->warp());
  });
  code->barrier();
  auto partsOf = [&](int64_t warp) {
    Values loaded;
    for (const Pointer &slot : slots)
      loaded.push_back(code->load(slot, code->i32(warp)));
    return loaded;
  };
  values = partsOf(0);
  for (int64_t warp = 1; warp < warps; ++warp)
    values = merge(values, partsOf(warp));
  // In a loop over rows the barriers of other passes keep the next row's parts from coming too early.
  if (parts && llvm::count_if(phases, [](const Phase &phase) { return !phase.reductions.empty(); }) == 1)
    code->barrier();
  return values;
}

/// One thread stores the results of the row, once all have read what these may replace.
void DeviceGroup::emitRowOutputs(ValueRange results) {
  if (rowOutputs.empty())
    return;
  ImplicitLocOpBuilder &b = code->b;
  evaluator->column = Linear(0);
  SmallVector<Value> values;
  for (unsigned i : rowOutputs)
    values.push_back(evaluator->eval(outputs[i], at(outputs[i], row)));
  Value position = evaluator->position(row);
  if (rowThreads > warpSize)
    code->barrier();
  else if (rowThreads > 1)
    code->warpBarrier();
  Value first = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, rowLane, index(0));
  storeIf(both(first, rowValid), [&] {
    for (auto [x, i] : llvm::zip(values, rowOutputs))
      ScalarEmitter(b, outputs[i].getLoc()).store(x, results[i], position, elementOf(outputs[i]));
  });
}
