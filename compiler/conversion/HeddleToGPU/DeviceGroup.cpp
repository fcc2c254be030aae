//===- DeviceGroup.cpp - Threads of a group, and elementwise groups -------===//

#include "compiler/conversion/HeddleToGPU/DeviceGroup.h"
#include "compiler/conversion/HeddleToCPU/ScalarOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace heddle::gpu;
using namespace heddle::cpu;
using namespace heddle::ir;
using heddle::gpu::DeviceGroup;

static Type elementOf(Value tensor) { return tensorType(tensor).getElementType(); }
static int64_t ceilDivide(int64_t x, int64_t y) { return (x + y - 1) / y; }

GroupLimits heddle::gpu::groupLimits() {
  GroupLimits limits;
  limits.scratchBytes = INT64_MAX;
  limits.keptColumns = 8192;
  limits.keptElements = 32768;
  limits.columnSums = true;
  return limits;
}

//===----------------------------------------------------------------------===//
// Threads
//===----------------------------------------------------------------------===//

/// As many elements as 16 bytes hold of the narrowest tensor that is walked along, if every row and every
/// piece of it starts at a multiple of that.
int64_t DeviceGroup::widestVector() const {
  int64_t narrowest = 16, all = rows * reduced * columns;
  auto visit = [&](Value tensor) {
    if (tensorType(tensor).getNumElements() >= std::min(all, rows * columns))
      narrowest = std::min<int64_t>(narrowest, storageType(elementOf(tensor)).getIntOrFloatBitWidth() / 8);
  };
  llvm::for_each(outputs, visit);
  for (const Evaluator::Load &load : evaluator->loads)
    visit(load.leaf);
  int64_t width = std::clamp<int64_t>(16 / narrowest, 1, 8);
  // Across the memory neither loads nor stores of a thread would be joined.
  if (readsAcross())
    width = 1;
  auto divides = [&](int64_t at) { return at % width == 0 || (flat && at == columns); };
  while (width > 1 && !(kind == Kind::Columns ? columns % width == 0 : llvm::all_of(cuts, divides)))
    width /= 2;
  return width;
}

void DeviceGroup::cut() {
  vector = widestVector();
  if (rows * reduced * columns == 0)
    return;
  switch (kind) {
  case Kind::Elementwise:
    blockCount = ceilDivide(rows * ceilDivide(columns, vector), blockThreads);
    return;
  case Kind::Rows:
    cutRows();
    return;
  case Kind::Columns: {
    // Narrower and higher blocks where there would be few.
    constexpr int64_t enoughBlocks = 256, mostThreads = 1024;
    auto blocksOf = [&] { return rows * ceilDivide(ceilDivide(columns, vector), laneCount); };
    while (vector > 1 && blocksOf() < enoughBlocks)
      vector /= 2;
    const int64_t pieces = ceilDivide(columns, vector);
    while (laneCount > 1 && laneCount / 2 >= pieces)
      laneCount /= 2;
    while (blockThreads < mostThreads && blocksOf() < enoughBlocks &&
           reduced * laneCount >= 16 * blockThreads)
      blockThreads *= 2;
    while (blockThreads > laneCount && blockThreads / laneCount / 2 >= reduced)
      blockThreads /= 2;
    blockThreads = std::max(blockThreads, warpSize);
    blockCount = blocksOf();
    return;
  }
  }
}

/// Threads for each row: enough to be busy, and so many that each keeps its elements in registers.
void DeviceGroup::cutRows() {
  const int64_t pieces = ceilDivide(columns, vector);
  int64_t arithmetic = 1, kept = evaluator->stashes.size() + columnReductions.size();
  for (Value output : outputs)
    arithmetic += evaluator->cost(output);
  for (Operation *op : reductions)
    arithmetic += evaluator->cost(op->getOperand(0));
  llvm::DenseSet<Value> read;
  for (const Evaluator::Load &load : evaluator->loads)
    if (tensorType(load.leaf).getNumElements() >= columns && read.insert(load.leaf).second)
      ++kept;
  for (Operation *op : columnReductions)
    arithmetic += evaluator->cost(op->getOperand(0));
  const int passes = llvm::count_if(phases, [](const Phase &phase) { return !phase.empty(); });
  const int64_t tasks = parts ? parts : rows;
  looped = readsAgain;
  auto fits = [&](int64_t threads) {
    const int64_t elements = ceilDivide(pieces, threads) * vector;
    return elements <= 32 && elements * kept <= (parts ? 96 : 64) && elements * arithmetic <= 4096;
  };
  constexpr int64_t mostThreads = 1024, busyThreads = 1 << 16;
  rowThreads = 1;
  if (looped) {
    rowThreads = 512;
  } else {
    while (rowThreads < mostThreads &&
           ((rowThreads < warpSize && rowThreads < pieces) || !fits(rowThreads) ||
            (rowThreads < pieces && tasks * rowThreads < busyThreads && ceilDivide(pieces, rowThreads) > 2)))
      rowThreads *= 2;
  }
  // One pass reads nothing twice: short code does as well.
  looped |= !parts && passes == 1 && ceilDivide(pieces, rowThreads) > 4;
  blockThreads = std::max<int64_t>(rowThreads, rowThreads > warpSize ? rowThreads : parts ? 256 : 128);
  steps = ceilDivide(pieces, rowThreads);
  blockCount = parts ? parts : ceilDivide(rows, blockThreads / rowThreads);
}

//===----------------------------------------------------------------------===//
// Code
//===----------------------------------------------------------------------===//

Value DeviceGroup::index(int64_t value) { return arith::ConstantIndexOp::create(code->b, value); }
Value DeviceGroup::threadNumber() {
  return mlir::gpu::ThreadIdOp::create(code->b, mlir::gpu::Dimension::x, code->b.getIndexAttr(blockThreads));
}
Value DeviceGroup::blockNumber() {
  return mlir::gpu::BlockIdOp::create(code->b, mlir::gpu::Dimension::x, code->b.getIndexAttr(blockCount));
}

void DeviceGroup::openHere(ArrayRef<unsigned> levels) {
  Operation *placeholder = arith::ConstantIndexOp::create(code->b, 0);
  placeholders.push_back(placeholder);
  code->b.setInsertionPoint(placeholder);
  for (unsigned level : levels)
    evaluator->levels[level].anchor = placeholder;
}

Linear DeviceGroup::counter(heddle::cpu::Range range, unsigned level, Value value) {
  Linear x = space.loop(range, level);
  if (!x.isConstant())
    space.atom(x.terms[0].first).value = value;
  return x;
}

Value DeviceGroup::both(Value a, Value b) {
  return a && b ? Value(arith::AndIOp::create(code->b, a, b)) : a ? a : b;
}

void DeviceGroup::storeIf(Value condition, llvm::function_ref<void()> body) {
  if (!condition)
    return body();
  auto choice = scf::IfOp::create(code->b, condition, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(code->b);
  code->b.setInsertionPointToStart(choice.thenBlock());
  body();
}

void DeviceGroup::storeOutputs(ArrayRef<unsigned> numbers, const Linear &start, int64_t count,
                               ValueRange results, Value condition) {
  SmallVector<Value> values, positions;
  for (int64_t j = 0; j < count; ++j) {
    Linear position = element(space.add(start, Linear(j)));
    for (unsigned i : numbers)
      values.push_back(evaluator->eval(outputs[i], at(outputs[i], position)));
    positions.push_back(evaluator->position(position));
  }
  storeIf(condition, [&] {
    for (auto [n, i] : llvm::enumerate(numbers))
      for (int64_t j = 0; j < count; ++j)
        ScalarEmitter(code->b, outputs[i].getLoc())
            .store(values[j * numbers.size() + n], results[i], positions[j], elementOf(outputs[i]));
  });
}

void DeviceGroup::emit(KernelCode &kernel, ArrayRef<std::pair<Value, Value>> inputs, ValueRange results) {
  code = &kernel;
  // The plan's positions belong to its own loops.
  space = IndexSpace();
  evaluator = std::make_unique<Evaluator>(space, isLeaf, nullptr);
  OpBuilder builder(kernel.b);
  evaluator->startEmission(builder);
  evaluator->constantsLast = true;
  for (auto [leaf, memref] : inputs)
    evaluator->buffers[leaf] = memref;
  openHere({0, 1, 2, 3});
  switch (kind) {
  case Kind::Elementwise:
    emitElementwise(results);
    break;
  case Kind::Rows:
    parts ? emitRowsOfPart(results) : emitRows(results);
    break;
  case Kind::Columns:
    emitColumns(results);
    break;
  }
  kernel.b.setInsertionPointToEnd(&kernel.function.getBody().front());
  for (Operation *placeholder : placeholders)
    placeholder->erase();
}

void DeviceGroup::emitElementwise(ValueRange results) {
  ImplicitLocOpBuilder &b = code->b;
  const int64_t pieces = ceilDivide(columns, vector), all = rows * pieces;
  Value thread = arith::AddIOp::create(
      b, arith::MulIOp::create(b, blockNumber(), index(blockThreads), arith::IntegerOverflowFlags::nsw),
      threadNumber(), arith::IntegerOverflowFlags::nsw);
  auto body = [&] {
    Value piece = thread;
    row = Linear(0);
    if (rows > 1) {
      row = counter({0, rows - 1}, 1, arith::DivUIOp::create(b, thread, index(pieces)));
      piece = arith::RemUIOp::create(b, thread, index(pieces));
    }
    // What does not depend on the column comes before the conditions on it.
    openHere({0, 1});
    b.setInsertionPointAfter(placeholders.back());
    SmallVector<unsigned> numbers(phases[0].outputs.begin(), phases[0].outputs.end());
    auto inside = [&](int64_t low, int64_t high, llvm::function_ref<void()> emit) {
      Value condition;
      auto compare = [&](arith::CmpIPredicate predicate, int64_t bound) -> Value {
        return arith::CmpIOp::create(b, predicate, piece, index(bound));
      };
      if (low > 0)
        condition = compare(arith::CmpIPredicate::uge, low);
      if (high < pieces)
        condition = both(condition, compare(arith::CmpIPredicate::ult, high));
      storeIf(condition, [&] {
        evaluator->levels[2].clear();
        openHere({2, 3});
        emit();
      });
    };
    for (size_t i = 0; i + 1 < cuts.size(); ++i) {
      const int64_t low = cuts[i] / vector, high = cuts[i + 1] / vector;
      if (low < high)
        inside(low, high, [&] {
          Linear start = space.scale(counter({low, high - 1}, 2, piece), vector);
          evaluator->column = start;
          storeOutputs(numbers, start, vector, results, {});
        });
    }
    // The last elements of a flat group one by one.
    const int64_t rest = columns % vector;
    if (rest != 0)
      inside(columns / vector, pieces, [&] {
        auto loop = scf::ForOp::create(b, index(columns - rest), index(columns), index(1));
        b.setInsertionPointToStart(loop.getBody());
        evaluator->levels[2].clear();
        openHere({2, 3});
        evaluator->column = counter({columns - rest, columns - 1}, 2, loop.getInductionVar());
        storeOutputs(numbers, evaluator->column, 1, results, {});
      });
  };
  if (all % blockThreads != 0)
    storeIf(arith::CmpIOp::create(b, arith::CmpIPredicate::ult, thread, index(all)), body);
  else
    body();
}
