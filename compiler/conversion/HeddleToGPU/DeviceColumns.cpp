//===- DeviceColumns.cpp - Groups that sum up rows ------------------------===//

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

void DeviceGroup::emitColumns(ValueRange results) {
  ImplicitLocOpBuilder &b = code->b;
  const int64_t pieces = (columns + vector - 1) / vector, blocks = (pieces + laneCount - 1) / laneCount;
  const int64_t walkers = blockThreads / laneCount; ///< threads that share the rows of a column
  Value thread = threadNumber(), block = blockNumber();
  Value lane = arith::RemUIOp::create(b, thread, index(laneCount));
  Value walker = arith::DivUIOp::create(b, thread, index(laneCount));
  Value rowNumber = block, piece = lane, valid;
  if (blocks > 1) {
    rowNumber = arith::DivUIOp::create(b, block, index(blocks));
    Value number = arith::RemUIOp::create(b, block, index(blocks));
    piece = arith::AddIOp::create(b, arith::MulIOp::create(b, number, index(laneCount)), lane);
  }
  if (pieces % laneCount != 0) {
    valid = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, piece, index(pieces));
    piece = arith::MinUIOp::create(b, piece, index(pieces - 1));
  }
  row = counter({0, rows - 1}, 1, rowNumber);
  Linear start = space.scale(counter({0, pieces - 1}, 1, piece), vector);

  // One accumulator for each reduction and column.
  Values accumulators;
  for (int64_t j = 0; j < vector; ++j)
    for (Operation *op : reductions)
      llvm::append_range(accumulators, startReduction(b, op));
  Operation *after = placeholders.back();
  auto loop = scf::ForOp::create(b, walker, index(reduced), index(walkers), accumulators);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToEnd(loop.getBody());
    evaluator->levels[0].anchor = evaluator->levels[1].anchor = loop;
    openHere({2, 3});
    step = counter({0, reduced - 1}, 2, loop.getInductionVar());
    Linear walked = space.add(space.scale(row, reduced), step);
    Values next(loop.getRegionIterArgs().begin(), loop.getRegionIterArgs().end());
    size_t at = 0;
    for (int64_t j = 0; j < vector; ++j) {
      Linear column = space.add(start, Linear(j));
      Linear position = space.add(space.scale(walked, columns), column);
      evaluator->column = column;
      for (Operation *op : reductions) {
        Value x = evaluator->eval(op->getOperand(0), this->at(op->getOperand(0), position));
        auto stepped =
            stepReduction(b, op, ValueRange(next).slice(at, widthOf(op)), x, loop.getInductionVar());
        llvm::copy(stepped, next.begin() + at);
        at += widthOf(op);
      }
    }
    b.setInsertionPointToEnd(loop.getBody());
    scf::YieldOp::create(b, next);
  }
  for (unsigned level : {0, 1, 2, 3})
    evaluator->levels[level].anchor = after;
  evaluator->levels[2].clear();
  Values total(loop.getResults().begin(), loop.getResults().end());

  // The walkers' parts go through shared memory to the first, which takes them in order.
  SmallVector<Pointer> parts;
  Scalar at = code->thread();
  if (walkers > 1) {
    for (Value value : total)
      parts.push_back(code->shared(blockThreads, value.getType()));
    for (auto [value, part] : llvm::zip(total, parts))
      code->store(code->wrap(value), part, at);
    code->barrier();
    valid = both(arith::CmpIOp::create(b, arith::CmpIPredicate::eq, walker, index(0)), valid);
  }
  storeIf(valid, [&] {
    for (int64_t other = 1; other < walkers; ++other) {
      Values theirs, merged;
      for (const Pointer &part : parts)
        theirs.push_back(code->load(part, at + other * laneCount));
      size_t n = 0;
      for (int64_t j = 0; j < vector; ++j)
        for (Operation *op : reductions) {
          llvm::append_range(merged, mergeReductions(b, op, ValueRange(total).slice(n, widthOf(op)),
                                                     ValueRange(theirs).slice(n, widthOf(op))));
          n += widthOf(op);
        }
      total = merged;
    }
    openHere({2, 3});
    evaluator->levels[0].anchor = evaluator->levels[1].anchor = evaluator->levels[2].anchor;
    SmallVector<Value> values, positions;
    size_t n = 0;
    for (int64_t j = 0; j < vector; ++j) {
      Linear column = space.add(start, Linear(j)), position = element(column);
      evaluator->column = column;
      for (Operation *op : reductions) {
        Evaluator::Reduced info;
        info.position = position;
        info.scalar = finishReduction(b, op, ValueRange(total).slice(n, widthOf(op)));
        evaluator->reduced[op->getResult(0)] = info;
        n += widthOf(op);
      }
      for (Value output : outputs)
        values.push_back(evaluator->eval(output, this->at(output, position)));
      positions.push_back(evaluator->position(position));
    }
    for (auto [i, output] : llvm::enumerate(outputs))
      for (int64_t j = 0; j < vector; ++j)
        ScalarEmitter(b, output.getLoc())
            .store(values[j * outputs.size() + i], results[i], positions[j], elementOf(output));
  });
}
