//===- HoistInvariants.cpp - Invariant work in front of loops -------------===//

#include "dialects/heddle/IR/Heddle.h"
#include "dialects/heddle/Transforms/Passes.h"

using namespace mlir;
using namespace heddle::ir;

namespace heddle::ir {

#define GEN_PASS_DEF_HEDDLEHOISTINVARIANTS
#include "dialects/heddle/Transforms/Passes.h.inc"

namespace {

/// Whether the kernels that read the result may as well compute it again: moves of elements and simple
/// arithmetic.
bool isCheap(Operation &op) {
  return isa<ConstantOp, IotaOp, BroadcastOp, ReshapeOp, TransposeOp, SliceOp, PadOp, ConcatOp, ReverseOp,
             DynamicSliceOp, DynamicUpdateSliceOp, NegOp, AbsOp, SignOp, FloorOp, CeilOp, RoundOp, NotOp,
             AddOp, SubOp, MulOp, MaxOp, MinOp, AndOp, OrOp, CompareOp, SelectOp, CastOp, StopGradientOp>(op);
}

/// Whether the operation, or one in its regions, may report an index out of range.
bool canFail(Operation &op) {
  return op
      .walk([](Operation *inner) {
        return isa<GatherOp, ScatterAddOp, TakeAlongOp, PutAlongOp, DynamicSliceOp, DynamicUpdateSliceOp>(
                   inner)
                   ? WalkResult::interrupt()
                   : WalkResult::advance();
      })
      .wasInterrupted();
}

unsigned hoistFrom(ForOp loop) {
  if (loop.getCount() == 0)
    return 0;
  Block &body = loop.getBody().front();
  llvm::DenseSet<Operation *> invariant;
  // A value of the body, or of a region inside it, is the loop's own unless its operation is invariant.
  auto isFixed = [&](Value value) {
    if (!loop.getBody().isAncestor(value.getParentRegion()))
      return true;
    Operation *op = value.getDefiningOp();
    return op && invariant.contains(op);
  };
  bool checked = false;
  for (Operation &op : body.without_terminator()) {
    if (!isMemoryEffectFree(&op)) {
      checked = true;
      continue;
    }
    WalkResult reads = op.walk([&](Operation *inner) {
      bool fixed = !isa<FenceOp>(inner) && llvm::all_of(inner->getOperands(), [&](Value value) {
        return isFixed(value) || (inner != &op && op.isAncestor(value.getParentRegion()->getParentOp()));
      });
      return fixed ? WalkResult::advance() : WalkResult::interrupt();
    });
    if (!reads.wasInterrupted() && !(checked && canFail(op)))
      invariant.insert(&op);
  }
  // What is costly moves, with what that reads.
  llvm::DenseSet<Operation *> moved;
  for (Operation &op : llvm::reverse(body))
    if (invariant.contains(&op) && (!isCheap(op) || llvm::any_of(op.getUsers(), [&](Operation *user) {
          return moved.contains(body.findAncestorOpInBlock(*user));
        })))
      moved.insert(&op);
  for (Operation &op : llvm::make_early_inc_range(body))
    if (moved.contains(&op))
      op.moveBefore(loop);
  return moved.size();
}

struct HoistInvariants : impl::HeddleHoistInvariantsBase<HoistInvariants> {
  void runOnOperation() override {
    // Inner loops first: what leaves them may leave the outer ones too.
    getOperation()->walk([&](ForOp loop) { numHoisted += hoistFrom(loop); });
  }
};

} // namespace
} // namespace heddle::ir
