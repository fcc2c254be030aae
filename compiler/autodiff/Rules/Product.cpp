//===- Product.cpp - The rule of einsum -----------------------------------===//

#include "compiler/autodiff/Rules/Rules.h"

using namespace mlir;
using namespace heddle::ir;

namespace heddle::autodiff {
namespace {

struct EinsumRule : Rule<EinsumRule, EinsumOp> {
  /// The cotangent of one operand: c times the other operand, over the operand's labels. A label that only
  /// this operand has was summed over, so its cotangent repeats along that axis.
  static Value pullBack(EinsumOp op, OpBuilder &builder, Value c, Value operand, StringRef labels,
                        Value other, StringRef otherLabels) {
    std::string kept;
    SmallVector<int64_t> axes;
    for (auto [axis, label] : llvm::enumerate(labels))
      if (op.getResultLabels().contains(label) || otherLabels.contains(label)) {
        kept += label;
        axes.push_back(axis);
      }
    std::string equation = (op.getResultLabels() + "," + otherLabels + "->" + kept).str();
    Value product = EinsumOp::create(builder, op.getLoc(), equation, c, other);
    if (kept.size() == labels.size())
      return product;
    return BroadcastOp::create(builder, op.getLoc(), operand.getType(), product, axes);
  }
  static void adjoint(EinsumOp op, OpBuilder &builder, CotangentScope &scope) {
    Value c = scope.cotangent(op.getResult()), lhs = op.getLhs(), rhs = op.getRhs();
    if (scope.wanted(lhs))
      scope.accumulate(lhs, pullBack(op, builder, c, lhs, op.getLhsLabels(), rhs, op.getRhsLabels()));
    if (scope.wanted(rhs))
      scope.accumulate(rhs, pullBack(op, builder, c, rhs, op.getRhsLabels(), lhs, op.getLhsLabels()));
  }
  static void tangent(EinsumOp op, OpBuilder &builder, TangentScope &scope) {
    Value lhs = scope.tangent(op.getLhs()), rhs = scope.tangent(op.getRhs());
    auto product = [&](Value a, Value b) {
      return EinsumOp::create(builder, op.getLoc(), op.getEquation(), a, b).getResult();
    };
    if (lhs)
      lhs = product(lhs, op.getRhs());
    if (rhs)
      rhs = product(op.getLhs(), rhs);
    if (Value sum = addOrNull(builder, op.getLoc(), lhs, rhs))
      scope.setTangent(op.getResult(), sum);
  }
};

} // namespace

void attachProductRules(MLIRContext *context) { EinsumOp::attachInterface<EinsumRule>(*context); }

} // namespace heddle::autodiff
