//===- RepeatNarrow.cpp - Work that is done again instead of kept ---------===//
//
// A value that is read on both sides of something which is no group cannot stay in registers: it would be
// written and read again. Where it is wide, and follows from narrow tensors by a few cheap operations, those
// are repeated for each later reader.
//
//===----------------------------------------------------------------------===//

#include "compiler/conversion/HeddleToCPU/Evaluator.h"
#include "compiler/conversion/HeddleToCPU/Fusible.h"
#include "compiler/conversion/HeddleToCPU/ScalarOps.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace heddle::cpu;
using namespace heddle::ir;

namespace {

constexpr size_t maxWork = 12; ///< operations of a value that are repeated, moves included
constexpr int64_t smallBytes = 1 << 16;

/// Arithmetic that costs less than reading its result.
bool isCheapArithmetic(Operation *op) {
  return isa<AddOp, SubOp, MulOp, NegOp, AbsOp, MaxOp, MinOp, CompareOp, SelectOp>(op);
}

class Repetition {
public:
  Repetition(Block &block, Value value) : block(block), value(value) {}

  void run() {
    if (tensorBytes(value.getType()) < smallBytes || isInMemory(value) || !isNarrow())
      return;
    for (Operation *reader : laterReaders()) {
      OpBuilder builder(reader);
      IRMapping mapping;
      for (OpOperand &operand : reader->getOpOperands())
        operand.set(copy(operand.get(), builder, mapping));
    }
  }

private:
  bool isLocal(Value x) const {
    Operation *op = x.getDefiningOp();
    return op && op->getBlock() == &block;
  }

  /// Whether something that is no group reads it, so that it is in memory anyway.
  bool isInMemory(Value x) const {
    return llvm::any_of(x.getUsers(), [&](Operation *user) {
      return user->getBlock() != &block || !isFusible(user) ||
             (isa<ReshapeOp>(user) && isInMemory(user->getResult(0)));
    });
  }

  /// Finds the operations to repeat, and whether what they read takes fewer bytes.
  bool isNarrow() {
    const Source found = sourceOf(value, 0);
    work = found.work;
    return work.size() <= maxWork && found.bytes() < tensorBytes(value.getType());
  }

  /// What a value can be had from: work, and what that reads from memory.
  struct Source {
    llvm::SetVector<Operation *> work;
    llvm::SetVector<Value> leaves;
    int64_t bytes() const {
      int64_t sum = 0;
      for (Value leaf : leaves)
        sum += tensorBytes(leaf.getType());
      return sum;
    }
  };

  /// With the fewest bytes: a value on the way is read itself where it takes less than what it comes from.
  Source sourceOf(Value x, size_t depth) const {
    Source here, behind;
    here.leaves.insert(x);
    Operation *op = x.getDefiningOp();
    if (!isLocal(x) || depth > maxWork || !(isMove(op) || isCheapArithmetic(op)))
      return here;
    for (Value operand : op->getOperands()) {
      const Source source = sourceOf(operand, depth + 1);
      behind.work.insert_range(source.work);
      behind.leaves.insert_range(source.leaves);
    }
    behind.work.insert(op);
    return x == value || behind.bytes() <= tensorBytes(x.getType()) ? behind : here;
  }

  /// Whether the value is read through moves.
  bool reads(Value x) const {
    return x == value || (isLocal(x) && isMove(x.getDefiningOp()) && !work.contains(x.getDefiningOp()) &&
                          llvm::any_of(x.getDefiningOp()->getOperands(), [&](Value y) { return reads(y); }));
  }

  /// Members of groups that read it but wait for what is no group and waits for it.
  SmallVector<Operation *> laterReaders() const {
    enum { Free, Waits, Later };
    llvm::DenseMap<Operation *, int> states = {{value.getDefiningOp(), Waits}};
    SmallVector<Operation *> readers;
    for (Operation *op = value.getDefiningOp()->getNextNode(); op; op = op->getNextNode()) {
      int state = Free;
      op->walk([&](Operation *inner) {
        for (Value operand : inner->getOperands())
          if (isLocal(operand))
            state = std::max(state, states.lookup(operand.getDefiningOp()));
      });
      if (state == Waits && !isFusible(op))
        state = Later;
      states[op] = state;
      if (state == Later && isFusible(op) && !isMove(op) &&
          llvm::any_of(op->getOperands(), [&](Value operand) { return reads(operand); }))
        readers.push_back(op);
    }
    return readers;
  }

  Value copy(Value x, OpBuilder &builder, IRMapping &mapping) {
    if (!reads(x))
      return x;
    return copyOf(x, builder, mapping);
  }

  /// Copies of what leads from the value to `x`, and of the work behind the value.
  Value copyOf(Value x, OpBuilder &builder, IRMapping &mapping) {
    if (Value known = mapping.lookupOrNull(x))
      return known;
    Operation *op = x.getDefiningOp();
    const bool isWork = isLocal(x) && work.contains(op);
    if (!isWork && !reads(x))
      return x;
    for (Value operand : op->getOperands())
      copyOf(operand, builder, mapping);
    Operation *clone = builder.clone(*op, mapping);
    if (isWork)
      clone->setAttr(repeatedAttr, builder.getUnitAttr());
    return mapping.lookup(x);
  }

  Block &block;
  Value value;
  llvm::SetVector<Operation *> work;
};

} // namespace

void heddle::cpu::repeatNarrow(Block &block) {
  for (Operation &op : llvm::make_early_inc_range(block))
    if (isCheapArithmetic(&op) && !op.hasAttr(repeatedAttr))
      Repetition(block, op.getResult(0)).run();
}
