//===- DeviceRowSums.cpp - Groups over rows that also sum up rows ---------===//
//
// A block works on the rows of one part, one after the other, or several at a time where they are short. The
// rows of parts take turns, so that all blocks together read memory from its start to its end. A block's
// threads keep their columns and with them the sums over the rows so far, in registers; what they store at
// the end is a row of partial results for each part.
//
//===----------------------------------------------------------------------===//

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

void DeviceGroup::emitRowsOfPart(ValueRange results) {
  ImplicitLocOpBuilder &b = code->b;
  const int64_t partRows = rows / parts, rowsAtOnce = blockThreads / rowThreads,
                trips = (partRows + rowsAtOnce - 1) / rowsAtOnce;
  sumOutputs.clear();
  for (const Phase &phase : phases)
    llvm::append_range(sumOutputs, phase.sums);
  // A part is worked on from its first row to its last, so all blocks should be resident from the start,
  // where registers allow: those of the sums, of rows that are kept (three hold for norms), and some more.
  constexpr int64_t multiprocessors = 132, residentThreads = 1024, allRegisters = 65536;
  const int64_t resident =
      std::min((blockCount + multiprocessors - 1) / multiprocessors, residentThreads / blockThreads);
  const int64_t registers = steps * vector * (int64_t(sumOutputs.size()) + 3) + 32;
  if (resident > 1 && resident * blockThreads * registers <= allRegisters)
    code->function->setAttr("nvvm.minctasm", b.getI32IntegerAttr(int32_t(resident)));
  Value team = index(0);
  rowLane = threadNumber();
  if (rowsAtOnce > 1) {
    team = arith::DivUIOp::create(b, rowLane, index(rowThreads));
    rowLane = arith::RemUIOp::create(b, rowLane, index(rowThreads));
  }
  const Linear part = counter({0, parts - 1}, 0, blockNumber());
  placeVectors(0);

  columnSums.clear();
  for (unsigned i : sumOutputs)
    for (int64_t n = 0; n < steps * vector; ++n)
      llvm::append_range(columnSums, startReduction(b, outputs[i].getDefiningOp()));
  Operation *after = placeholders.back();
  auto loop = scf::ForOp::create(b, index(0), index(trips), index(1), columnSums);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToEnd(loop.getBody());
    // What depends on the column alone is computed before the loop.
    evaluator->levels[0].anchor = loop;
    openHere({1, 2, 3});
    columnSums.assign(loop.getRegionIterArgs().begin(), loop.getRegionIterArgs().end());
    Value number =
        arith::AddIOp::create(b, arith::MulIOp::create(b, loop.getInductionVar(), index(rowsAtOnce)), team);
    // All lanes take part in shuffles: those without a row repeat the last one and keep nothing of it.
    rowValid = {};
    if (partRows % rowsAtOnce != 0) {
      rowValid = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, number, index(partRows));
      number = arith::MinUIOp::create(b, number, index(partRows - 1));
    }
    const Linear inPart = counter({0, partRows - 1}, 1, number);
    row = interleaved ? space.add(space.scale(inPart, parts), part)
                      : space.add(space.scale(part, partRows), inPart);
    emitPasses(results);
    b.setInsertionPointToEnd(loop.getBody());
    scf::YieldOp::create(b, columnSums);
  }
  for (unsigned level : {0, 1, 2, 3})
    evaluator->levels[level].anchor = after;
  columnSums.assign(loop.getResults().begin(), loop.getResults().end());
  row = part;
  storeColumnSums(results);
}

void DeviceGroup::stepColumnSums(const Phase &phase, size_t piece) {
  ImplicitLocOpBuilder &b = code->b;
  for (unsigned i : phase.sums) {
    Operation *op = outputs[i].getDefiningOp();
    const int64_t number = llvm::find(sumOutputs, i) - sumOutputs.begin();
    for (int64_t j = 0; j < vector; ++j) {
      Linear position = element(space.add(starts[piece], Linear(j)));
      Value x = evaluator->eval(op->getOperand(0), at(op->getOperand(0), position));
      Value &sum = columnSums[(number * steps + piece) * vector + j];
      Value next = stepReduction(b, op, sum, x, {})[0];
      sum = rowValid ? Value(arith::SelectOp::create(b, rowValid, next, sum)) : next;
    }
  }
}

void DeviceGroup::storeColumnSums(ValueRange results) {
  ImplicitLocOpBuilder &b = code->b;
  const int64_t teams = blockThreads / rowThreads;
  Scalar thread = code->thread();
  Value first;
  for (auto [number, i] : llvm::enumerate(sumOutputs)) {
    Operation *op = outputs[i].getDefiningOp();
    MutableArrayRef<Value> sums = MutableArrayRef(columnSums).slice(number * steps * vector, steps * vector);
    // Rows that were worked on at the same time: the first team adds the sums of the others in their order.
    if (teams > 1) {
      const int64_t used = code->sharedBytes();
      SmallVector<Pointer> theirs;
      for (Value sum : sums) {
        theirs.push_back(code->shared(blockThreads, sum.getType()));
        code->store(code->wrap(sum), theirs.back(), thread);
      }
      code->barrier();
      for (auto [sum, part] : llvm::zip(sums, theirs))
        for (int64_t team = 1; team < teams; ++team) {
          // Threads of other teams add something too, inside the buffer, and store nothing.
          Scalar at = code->wrap(
              arith::RemUIOp::create(b, (thread + team * rowThreads).value, code->i32(blockThreads).value));
          sum = mergeReductions(b, op, sum, code->load(part, at).value)[0];
        }
      code->barrier();
      code->releaseShared(used);
      first = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, threadNumber(), index(rowThreads));
    }
    for (int64_t n = 0; n < steps; ++n) {
      SmallVector<Value> positions;
      for (int64_t j = 0; j < vector; ++j)
        positions.push_back(evaluator->position(element(space.add(starts[n], Linear(j)))));
      storeIf(both(first, startValid[n]), [&] {
        for (int64_t j = 0; j < vector; ++j)
          ScalarEmitter(b, op->getLoc())
              .store(finishReduction(b, op, sums[n * vector + j]), results[i], positions[j],
                     elementOf(outputs[i]));
      });
    }
  }
}
