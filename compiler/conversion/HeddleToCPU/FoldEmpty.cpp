//===- FoldEmpty.cpp - Tensors without elements ---------------------------===//

#include "compiler/conversion/HeddleToCPU/Evaluator.h"
#include "compiler/conversion/HeddleToCPU/HeddleToCPU.h"

#include "dialects/heddle/IR/Heddle.h"
#include "dialects/sparsek/IR/SparseK.h"
#include "mlir/Pass/Pass.h"

#include <limits>

using namespace mlir;
using namespace heddle::cpu;
using namespace heddle::ir;

namespace {

bool isEmpty(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && tensor.hasStaticShape() && tensor.getNumElements() == 0;
}

/// What a reduction gives over no elements.
TypedAttr identity(Builder &b, ReductionKind kind, Type element) {
  bool least = kind == ReductionKind::max;
  if (kind == ReductionKind::max || kind == ReductionKind::min) {
    if (auto real = dyn_cast<FloatType>(element))
      return b.getFloatAttr(real, least ? -std::numeric_limits<double>::infinity()
                                        : std::numeric_limits<double>::infinity());
    unsigned bits = element.getIntOrFloatBitWidth();
    return b.getIntegerAttr(element, least ? APInt::getSignedMinValue(bits) : APInt::getSignedMaxValue(bits));
  }
  bool one = kind == ReductionKind::prod || kind == ReductionKind::all;
  return one ? b.getOneAttr(element) : b.getZeroAttr(element);
}

/// Operations that make no element that is used, and sums over none, become constants: loops over tasks and
/// columns divide by extents. Operations at run-time positions stay for their checks.
struct FoldEmptyPass : PassWrapper<FoldEmptyPass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(FoldEmptyPass)
  StringRef getArgument() const final { return "heddle-fold-empty"; }
  StringRef getDescription() const final { return "Replace what computes no elements by constants"; }

  void runOnOperation() final {
    SmallVector<Operation *> dead;
    getOperation().walk([&](Operation *op) {
      if (op->getNumResults() == 0 || op->getNumRegions() != 0 || isa<ConstantOp>(op) ||
          !isa<HeddleDialect, heddle::sparsek::SparseKDialect>(op->getDialect()) ||
          isa<GatherOp, ScatterAddOp, TakeAlongOp, PutAlongOp, DynamicSliceOp, DynamicUpdateSliceOp>(op))
        return;
      OpBuilder b(op);
      bool noInput = llvm::any_of(op->getOperandTypes(), isEmpty);
      auto replace = [&](Value result, TypedAttr element) {
        auto type = cast<RankedTensorType>(result.getType());
        result.replaceAllUsesWith(
            ConstantOp::create(b, op->getLoc(), type, DenseElementsAttr::get(type, element)).getResult());
      };
      auto elementOf = [](Value value) { return cast<RankedTensorType>(value.getType()).getElementType(); };
      auto isUseless = [](Value result) { return result.use_empty() || isEmpty(result.getType()); };
      if (llvm::all_of(op->getResults(), isUseless)) {
        for (Value result : op->getResults())
          replace(result, b.getZeroAttr(elementOf(result)));
      } else if (auto reduce = dyn_cast<ReduceOp>(op); reduce && noInput) {
        replace(reduce.getResult(), identity(b, reduce.getKind(), elementOf(reduce.getResult())));
      } else if (isa<EinsumOp>(op) && noInput) {
        replace(op->getResult(0), b.getZeroAttr(elementOf(op->getResult(0))));
      } else {
        return;
      }
      dead.push_back(op);
    });
    for (Operation *op : dead)
      op->erase();
  }
};

} // namespace

std::unique_ptr<Pass> heddle::cpu::createFoldEmptyPass() { return std::make_unique<FoldEmptyPass>(); }
