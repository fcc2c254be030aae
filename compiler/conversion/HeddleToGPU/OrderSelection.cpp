//===- OrderSelection.cpp - Room for other work beside selection ----------===//
//
// What computes scores runs as soon as it can and what needs their thresholds, or the gradients of these, as
// late as it can, so that other work lies in between: early steps of selection run beside it. Only tensors
// the size of scores wait longer for that than the program says.
//
//===----------------------------------------------------------------------===//

#include "compiler/conversion/HeddleToCPU/Buffers.h"
#include "compiler/conversion/HeddleToGPU/HeddleToGPU.h"

#include "dialects/heddle/IR/Heddle.h"
#include "dialects/sparsek/IR/SparseK.h"
#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Pass/Pass.h"

using namespace mlir;
using namespace heddle::ir;
namespace sk = heddle::sparsek;

namespace {

int64_t bitsOf(Value value) {
  auto tensor = cast<RankedTensorType>(value.getType());
  return tensor.getNumElements() * tensor.getElementTypeBitWidth();
}

bool staysInPlace(Operation *op) { return op->hasTrait<OpTrait::IsTerminator>() || !isMemoryEffectFree(op); }

/// Behind the last operation of the block that makes an operand, or has an effect.
void moveUp(Operation *op) {
  Operation *after = nullptr;
  for (Operation *before = op->getPrevNode(); before && !after; before = before->getPrevNode()) {
    bool isNeeded = false;
    op->walk([&](Operation *inner) {
      for (Value operand : inner->getOperands())
        isNeeded |= operand.getDefiningOp() == before;
    });
    if (isNeeded || staysInPlace(before))
      after = before;
  }
  if (after)
    op->moveAfter(after);
  else
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
  Operation *producer = heddle::cpu::originOf(value).getDefiningOp();
  return producer && producer->getBlock() == block;
}

void separate(Operation *selection) {
  Block *block = selection->getBlock();
  const int64_t scores = 64 * cast<RankedTensorType>(selection->getResult(0).getType()).getNumElements();
  auto areLittle = [&](auto values) {
    return llvm::all_of(values, [&](Value v) { return !isMadeIn(block, v) || bitsOf(v) <= scores; });
  };
  auto mayMove = [&](Operation *op) {
    return op->getBlock() == block && !staysInPlace(op) && !isa<ForOp, IfOp>(op);
  };
  auto isEarlier = [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); };

  BackwardSliceOptions toScores([&](Operation *op) { return mayMove(op) && areLittle(op->getResults()); });
  toScores.omitBlockArguments = true;
  SetVector<Operation *> sources;
  (void)getBackwardSlice(selection, &sources, toScores);
  SmallVector<Operation *> ordered = sources.takeVector();
  llvm::sort(ordered, isEarlier);
  for (Operation *op : ordered)
    moveUp(op);

  SetVector<Operation *> dependants;
  getForwardSlice(selection, &dependants, ForwardSliceOptions([&](Operation *op) {
                    return op == selection || (mayMove(op) && areLittle(op->getOperands()));
                  }));
  ordered = dependants.takeVector();
  ordered.push_back(selection);
  llvm::sort(ordered, isEarlier);
  for (Operation *op : llvm::reverse(ordered))
    moveDown(op);
}

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
    for (Operation *selection : selections)
      separate(selection);
  }
};

} // namespace

std::unique_ptr<Pass> heddle::gpu::createOrderSelectionPass() {
  return std::make_unique<OrderSelectionPass>();
}
