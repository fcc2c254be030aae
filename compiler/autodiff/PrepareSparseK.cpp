//===- PrepareSparseK.cpp - Dense forms where a derivative needs them -----===//

#include "compiler/autodiff/Prepare.h"
#include "compiler/autodiff/Support.h"
#include "dialects/sparsek/IR/SparseK.h"
#include "dialects/sparsek/Transforms/Decompose.h"

using namespace mlir;
using namespace heddle::sparsek;

namespace heddle::autodiff {

/// Whether something but the backward pass of the same attention reads its lse.
static bool lseIsRead(AttentionOp op) {
  return llvm::any_of(op.getLse().getUses(),
                      [](OpOperand &use) { return !isa<AttentionBackwardOp>(use.getOwner()); });
}

bool decomposeForDerivative(func::FuncOp function, const Activity &activity, bool forward) {
  auto isActive = [&](Operation *op) {
    return llvm::any_of(op->getOperands(), [&](Value value) { return activity.contains(value); });
  };
  bool again = false; // a derivative of a backward operation is taken
  function.walk(
      [&](Operation *op) { again |= isa<AttentionBackwardOp, ThresholdBackwardOp>(op) && isActive(op); });
  SmallVector<Operation *> ops;
  function.walk([&](Operation *op) {
    if (!isActive(op))
      return;
    bool dense = isa<AttentionBackwardOp, ThresholdBackwardOp, VariantAttentionBackwardOp>(op) ||
                 (isa<VariantAttentionOp>(op) && forward) ||
                 (isa<AttentionOp>(op) && (forward || again || lseIsRead(cast<AttentionOp>(op)))) ||
                 (isa<ThresholdOp>(op) && forward);
    if (dense)
      ops.push_back(op);
  });
  for (Operation *op : ops) {
    op->emitRemark() << "'" << op->getName() << "' is differentiated in its dense form, of quadratic size: "
                     << (forward ? "it has no tangent of its own" : "it has no adjoint of its own here");
    decompose(op);
  }
  return !ops.empty();
}

} // namespace heddle::autodiff
