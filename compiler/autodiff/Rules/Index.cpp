//===- Index.cpp - Rules of gathers and scatters --------------------------===//
//
// A gather is linear in its table and its transpose adds into zeros. Sorting is take_along with the order
// from argsort, which has no derivative itself.
//
//===----------------------------------------------------------------------===//

#include "compiler/autodiff/Rules/Rules.h"

using namespace mlir;
using namespace heddle::ir;

namespace heddle::autodiff {
namespace {

Value source(GatherOp op) { return op.getTable(); }
Value source(TakeAlongOp op) { return op.getX(); }

/// gather with scatter_add, take_along with put_along.
template <typename Read, typename Add>
struct ReadRule : Rule<ReadRule<Read, Add>, Read> {
  static void adjoint(Read op, OpBuilder &builder, CotangentScope &scope) {
    Value zero = zeros(builder, op.getLoc(), source(op).getType());
    scope.accumulate(source(op), Add::create(builder, op.getLoc(), zero.getType(), zero, op.getIds(),
                                             scope.cotangent(op.getResult()), op.getAxis()));
  }
  static void tangent(Read op, OpBuilder &builder, TangentScope &scope) {
    if (Value t = scope.tangent(source(op)))
      scope.setTangent(op.getResult(), Read::create(builder, op.getLoc(), t, op.getIds(), op.getAxis()));
  }
};

template <typename Read, typename Add>
struct AddRule : Rule<AddRule<Read, Add>, Add> {
  static void adjoint(Add op, OpBuilder &builder, CotangentScope &scope) {
    Value c = scope.cotangent(op.getResult());
    scope.accumulate(op.getBase(), c);
    if (scope.wanted(op.getUpdates()))
      scope.accumulate(op.getUpdates(), Read::create(builder, op.getLoc(), c, op.getIds(), op.getAxis()));
  }
  static void tangent(Add op, OpBuilder &builder, TangentScope &scope) {
    Value base = scope.tangent(op.getBase()), updates = scope.tangent(op.getUpdates());
    if (!updates) {
      if (base)
        scope.setTangent(op.getResult(), base);
      return;
    }
    base = orZeros(builder, op.getLoc(), base, op.getBase().getType());
    scope.setTangent(op.getResult(), Add::create(builder, op.getLoc(), base.getType(), base, op.getIds(),
                                                 updates, op.getAxis()));
  }
};

} // namespace

void attachIndexRules(MLIRContext *context) {
  GatherOp::attachInterface<ReadRule<GatherOp, ScatterAddOp>>(*context);
  TakeAlongOp::attachInterface<ReadRule<TakeAlongOp, PutAlongOp>>(*context);
  ScatterAddOp::attachInterface<AddRule<GatherOp, ScatterAddOp>>(*context);
  PutAlongOp::attachInterface<AddRule<TakeAlongOp, PutAlongOp>>(*context);
}

} // namespace heddle::autodiff
