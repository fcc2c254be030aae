//===- PrepareSparseK.cpp - Dense forms where a derivative needs them -----===//

#include "compiler/autodiff/Prepare.h"
#include "compiler/autodiff/Support.h"
#include "dialects/sparsek/IR/SparseK.h"
#include "dialects/sparsek/Transforms/Decompose.h"

using namespace mlir;
using namespace heddle::sparsek;

namespace heddle::autodiff {

bool decomposeForDerivative(func::FuncOp function, const Activity &activity, bool forward) {
  SmallVector<Operation *> ops;
  function.walk([&](Operation *op) {
    bool dense = isa<AttentionBackwardOp, ThresholdBackwardOp, AttentionTangentOp, ThresholdTangentOp,
                     VariantAttentionBackwardOp>(op) ||
                 (isa<VariantAttentionOp>(op) && forward);
    if (dense && llvm::any_of(op->getOperands(), [&](Value value) { return activity.contains(value); }))
      ops.push_back(op);
  });
  for (Operation *op : ops) {
    op->emitRemark() << "'" << op->getName() << "' is differentiated in its dense form, of quadratic size: "
                     << (isa<VariantAttentionOp>(op) ? "it has no tangent of its own"
                                                     : "second derivatives have no fused form");
    decompose(op);
  }
  return !ops.empty();
}

} // namespace heddle::autodiff
