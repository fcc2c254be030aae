//===- Movement.cpp - Rules of broadcasts and permutations ----------------===//
//
// Operations that move or repeat elements are linear: the tangent is moved as the value is, the cotangent
// moved back.
//
//===----------------------------------------------------------------------===//

#include "compiler/autodiff/Rules/Rules.h"

#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace heddle::ir;

namespace heddle::autodiff {
namespace {

/// The rule of an operation that is linear in its only tensor operand x: the tangent goes through a copy of
/// it.
template <typename Derived, typename Op>
struct LinearRule : Rule<Derived, Op> {
  static void adjoint(Op op, OpBuilder &builder, CotangentScope &scope) {
    scope.accumulate(op.getX(), Derived::transpose(op, builder, scope.cotangent(op.getResult())));
  }
  static void tangent(Op op, OpBuilder &builder, TangentScope &scope) {
    Value tangent = scope.tangent(op.getX());
    if (!tangent)
      return;
    IRMapping mapping;
    mapping.map(op.getX(), tangent);
    scope.setTangent(op.getResult(), builder.clone(*op, mapping)->getResult(0));
  }
};

struct BroadcastRule : LinearRule<BroadcastRule, BroadcastOp> {
  static Value transpose(BroadcastOp op, OpBuilder &builder, Value c) {
    return reduceSum(builder, op.getLoc(), c, otherAxes(tensorType(c).getRank(), op.getAxes()));
  }
};

struct ReshapeRule : LinearRule<ReshapeRule, ReshapeOp> {
  static Value transpose(ReshapeOp op, OpBuilder &builder, Value c) {
    return ReshapeOp::create(builder, op.getLoc(), op.getX().getType(), c);
  }
};

struct TransposeRule : LinearRule<TransposeRule, TransposeOp> {
  static Value transpose(TransposeOp op, OpBuilder &builder, Value c) {
    SmallVector<int64_t> inverse(op.getPermutation().size());
    for (auto [i, axis] : llvm::enumerate(op.getPermutation()))
      inverse[axis] = i;
    return TransposeOp::create(builder, op.getLoc(), c, inverse);
  }
};

struct ReverseRule : LinearRule<ReverseRule, ReverseOp> {
  static Value transpose(ReverseOp op, OpBuilder &builder, Value c) {
    return ReverseOp::create(builder, op.getLoc(), c.getType(), c, op.getAxes());
  }
};

/// Running sums go back in the other direction.
struct CumsumRule : LinearRule<CumsumRule, CumsumOp> {
  static Value transpose(CumsumOp op, OpBuilder &builder, Value c) {
    return CumsumOp::create(builder, op.getLoc(), c.getType(), c, op.getAxis(), !op.getReverse());
  }
};

} // namespace

void attachMovementRules(MLIRContext *context) {
  BroadcastOp::attachInterface<BroadcastRule>(*context);
  ReshapeOp::attachInterface<ReshapeRule>(*context);
  TransposeOp::attachInterface<TransposeRule>(*context);
  ReverseOp::attachInterface<ReverseRule>(*context);
  CumsumOp::attachInterface<CumsumRule>(*context);
}

} // namespace heddle::autodiff
