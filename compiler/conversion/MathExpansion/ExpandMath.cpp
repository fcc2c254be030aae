//===- ExpandMath.cpp - Elementary functions as arithmetic ----------------===//

#include "compiler/conversion/MathExpansion/Functions.h"
#include "compiler/conversion/MathExpansion/MathExpansion.h"

#include "mlir/Conversion/MathToLibm/MathToLibm.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Transforms/DialectConversion.h"
#include "llvm/ADT/TypeSwitch.h"

namespace heddle::cpu {
#define GEN_PASS_DEF_EXPANDMATH
#include "compiler/conversion/MathExpansion/Passes.h.inc"
} // namespace heddle::cpu

using namespace mlir;
using namespace heddle::cpu;

namespace {

struct ExpandMath : heddle::cpu::impl::ExpandMathBase<ExpandMath> {
  using ExpandMathBase::ExpandMathBase;
  void runOnOperation() override;
};

bool isElementary(Operation *op) {
  return isa<math::ExpOp, math::Exp2Op, math::ExpM1Op, math::LogOp, math::Log1pOp, math::TanhOp, math::ErfOp,
             math::SinOp, math::CosOp, math::PowFOp>(op);
}

Type elementOf(Operation *op) { return getElementTypeOrSelf(op->getResult(0).getType()); }

bool hasKnownShape(Operation *op) {
  Type type = op->getResult(0).getType();
  auto vector = dyn_cast<VectorType>(type);
  return vector ? !vector.isScalable() : isa<FloatType>(type);
}

bool isExpanded(Operation *op) {
  if (!isElementary(op) || !hasKnownShape(op))
    return false;
  Type element = elementOf(op);
  return element.isF32() || element.isF16() || element.isBF16() ||
         (element.isF64() && isa<math::ExpOp, math::LogOp>(op));
}

Value emit(Operation *op, Arithmetic &m, ArrayRef<Value> operands) {
  Value x = operands[0];
  return TypeSwitch<Operation *, Value>(op)
      .Case<math::ExpOp>([&](auto) { return emitExp(m, x); })
      .Case<math::Exp2Op>([&](auto) { return emitExp2(m, x); })
      .Case<math::ExpM1Op>([&](auto) { return emitExpm1(m, x); })
      .Case<math::LogOp>([&](auto) { return emitLog(m, x); })
      .Case<math::Log1pOp>([&](auto) { return emitLog1p(m, x); })
      .Case<math::TanhOp>([&](auto) { return emitTanh(m, x); })
      .Case<math::ErfOp>([&](auto) { return emitErf(m, x); })
      .Case<math::SinOp>([&](auto) { return emitSin(m, x); })
      .Case<math::CosOp>([&](auto) { return emitCos(m, x); })
      .Case<math::PowFOp>([&](auto) { return emitPow(m, x, operands[1]); });
}

void expand(Operation *op, bool fused) {
  ImplicitLocOpBuilder builder(op->getLoc(), op);
  Type type = op->getResult(0).getType();
  Arithmetic given(builder, type, fused);
  bool narrow = elementOf(op).getIntOrFloatBitWidth() == 16;
  Arithmetic m = narrow ? given.single() : given;
  SmallVector<Value> operands;
  for (Value operand : op->getOperands())
    operands.push_back(m.convert(operand));
  Value result = emit(op, m, operands);
  if (narrow)
    result = arith::TruncFOp::create(builder, type, result);
  op->getResult(0).replaceAllUsesWith(result);
  op->erase();
}

/// Calls of the C library for what remains on f64.
LogicalResult callLibrary(ModuleOp module) {
  auto remains = [](Operation *op) { return isElementary(op) && hasKnownShape(op) && elementOf(op).isF64(); };
  if (!module
           .walk([&](Operation *op) { return remains(op) ? WalkResult::interrupt() : WalkResult::advance(); })
           .wasInterrupted())
    return success();
  ConversionTarget target(*module.getContext());
  target.markUnknownOpDynamicallyLegal([&](Operation *op) { return !remains(op); });
  RewritePatternSet patterns(module.getContext());
  populateMathToLibmConversionPatterns(patterns);
  return applyPartialConversion(module, target, std::move(patterns));
}

} // namespace

void ExpandMath::runOnOperation() {
  SmallVector<Operation *> functions;
  getOperation().walk([&](Operation *op) {
    if (isExpanded(op))
      functions.push_back(op);
  });
  for (Operation *op : functions)
    expand(op, fused);
  if (library && failed(callLibrary(getOperation())))
    signalPassFailure();
}
