//===- OrderSelection.cpp - Room for other work beside selection ----------===//
//
// What computes scores runs as soon as it can and what needs their thresholds, or the gradients of these, as
// late as it can, so that other work lies in between: early steps of selection run beside it. Only tensors
// the size of scores wait longer for that than the program says.
//
//===----------------------------------------------------------------------===//

#include "compiler/conversion/HeddleToCPU/Buffers.h"
#include "compiler/conversion/HeddleToCPU/ScalarOps.h"
#include "compiler/conversion/HeddleToGPU/HeddleToGPU.h"

#include "dialects/heddle/IR/Heddle.h"
#include "dialects/sparsek/IR/SparseK.h"
#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Pass/Pass.h"

using namespace mlir;
using namespace heddle::cpu;
using namespace heddle::ir;
namespace sk = heddle::sparsek;

namespace {

bool staysInPlace(Operation *op) { return op->hasTrait<OpTrait::IsTerminator>() || !isMemoryEffectFree(op); }

/// Behind the last operation of the block that makes an operand, or has an effect.
void moveUp(Operation *op) {
  if (isa<ConstantOp>(op))
    return op->moveBefore(&op->getBlock()->front());
  llvm::DenseSet<Operation *> producers;
  op->walk([&](Operation *inner) {
    for (Value operand : inner->getOperands())
      producers.insert(operand.getDefiningOp());
  });
  for (Operation *before = op->getPrevNode(); before; before = before->getPrevNode())
    if (producers.contains(before) || staysInPlace(before))
      return op->moveAfter(before);
  op->moveBefore(&op->getBlock()->front());
}

/// Before the first operation of the block that reads a result, or has an effect.
void moveDown(Operation *op) {
  Block *block = op->getBlock();
  llvm::DenseSet<Operation *> users;
  for (Operation *user : op->getUsers())
    users.insert(block->findAncestorOpInBlock(*user));
  for (Operation *next = op->getNextNode(); next; next = next->getNextNode())
    if (users.contains(next) || staysInPlace(next))
      return op->moveBefore(next);
}

/// Of what an operation reads or makes: a value of its block, not only another name of one from outside.
bool isMadeIn(Block *block, Value value) {
  Operation *producer = originOf(value).getDefiningOp();
  return producer && producer->getBlock() == block;
}

/// Moves the operations around selections, each of them once.
class Separation {
public:
  /// What makes the scores, as far as it is no larger than they are.
  void raiseSources(Operation *selection) {
    BackwardSliceOptions options([&](Operation *op) {
      return mayMove(selection, op) && areLittle(selection, op->getResults()) && !raised.contains(op);
    });
    options.omitBlockArguments = true;
    SetVector<Operation *> sources;
    (void)getBackwardSlice(selection, &sources, options);
    for (Operation *op : inOrder(sources)) {
      moveUp(op);
      raised.insert(op);
    }
  }
  /// The selection, and what follows it and reads nothing larger than scores.
  void lowerDependants(Operation *selection) {
    SetVector<Operation *> dependants;
    getForwardSlice(selection, &dependants, ForwardSliceOptions([&](Operation *op) {
                      return op == selection || (mayMove(selection, op) && !lowered.contains(op) &&
                                                 areLittle(selection, op->getOperands()));
                    }));
    dependants.insert(selection);
    const SmallVector<Operation *> ordered = inOrder(dependants);
    for (Operation *op : llvm::reverse(ordered)) {
      moveDown(op);
      lowered.insert(op);
    }
  }

private:
  static bool mayMove(Operation *selection, Operation *op) {
    return op->getBlock() == selection->getBlock() && !staysInPlace(op) && !isa<ForOp, IfOp>(op);
  }
  static bool areLittle(Operation *selection, ValueRange values) {
    const int64_t scores =
        8 * cast<RankedTensorType>(selection->getResult(0).getType()).getNumElements(); // of f64
    return llvm::all_of(values, [&](Value v) {
      return !isMadeIn(selection->getBlock(), v) || tensorBytes(v.getType()) <= scores;
    });
  }
  static SmallVector<Operation *> inOrder(SetVector<Operation *> &operations) {
    SmallVector<Operation *> result = operations.takeVector();
    llvm::sort(result, [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
    return result;
  }

  llvm::DenseSet<Operation *> raised, lowered;
};

struct OrderSelectionPass : PassWrapper<OrderSelectionPass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(OrderSelectionPass)
  StringRef getArgument() const final { return "heddle-order-selection"; }
  StringRef getDescription() const final { return "Put other work between scores and what needs thresholds"; }

  void runOnOperation() final {
    SmallVector<Operation *> selections;
    getOperation().walk([&](Operation *op) {
      if (isa<sk::ThresholdOp, sk::ThresholdBackwardOp, sk::ThresholdTangentOp>(op))
        selections.push_back(op);
    });
    Separation separation;
    for (Operation *selection : selections)
      separation.raiseSources(selection);
    for (Operation *selection : llvm::reverse(selections))
      separation.lowerDependants(selection);
  }
};

} // namespace

std::unique_ptr<Pass> heddle::gpu::createOrderSelectionPass() {
  return std::make_unique<OrderSelectionPass>();
}
