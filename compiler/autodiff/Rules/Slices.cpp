//===- Slices.cpp - Rules of slices, borders and concatenation ------------===//

#include "compiler/autodiff/Rules/Rules.h"

using namespace mlir;
using namespace heddle::ir;

namespace heddle::autodiff {
namespace {

/// The cotangent of a slice stands at its place among zeros: a border that the slice undoes.
struct SliceRule : Rule<SliceRule, SliceOp> {
  static void adjoint(SliceOp op, OpBuilder &builder, CotangentScope &scope) {
    auto type = tensorType(op.getX());
    SmallVector<int64_t> high, interior;
    for (int64_t d = 0; d < type.getRank(); ++d) {
      int64_t size = op.getSizes()[d], stride = op.getStrides()[d];
      if (size == 0)
        return;
      high.push_back(type.getDimSize(d) - op.getStarts()[d] - (size - 1) * stride - 1);
      interior.push_back(size == 1 ? 0 : stride - 1);
    }
    Value zero = zeros(builder, op.getLoc(), withShape(type, {}));
    scope.accumulate(op.getX(), PadOp::create(builder, op.getLoc(), scope.cotangent(op.getResult()), zero,
                                              op.getStarts(), high, interior));
  }
  static void tangent(SliceOp op, OpBuilder &builder, TangentScope &scope) {
    if (Value t = scope.tangent(op.getX()))
      scope.setTangent(op.getResult(), SliceOp::create(builder, op.getLoc(), t, op.getStarts(), op.getSizes(),
                                                       op.getStrides()));
  }
};

/// The operand's part is the slice that undoes the border; the rest belongs to the filling value.
struct PadRule : Rule<PadRule, PadOp> {
  static void adjoint(PadOp op, OpBuilder &builder, CotangentScope &scope) {
    Value c = scope.cotangent(op.getResult());
    auto type = tensorType(op.getX());
    auto strides = llvm::map_to_vector(op.getInterior(), [](int64_t gap) { return gap + 1; });
    Value inner = SliceOp::create(builder, op.getLoc(), c, op.getLow(), type.getShape(), strides);
    scope.accumulate(op.getX(), inner);
    if (!scope.wanted(op.getValue()))
      return;
    // Zeros at the operand's elements, not a difference of sums, which would lose digits.
    Value zero = zeros(builder, op.getLoc(), type), one = splat(builder, op.getLoc(), withShape(type, {}), 1);
    Value border =
        PadOp::create(builder, op.getLoc(), zero, one, op.getLow(), op.getHigh(), op.getInterior());
    Value outer = MulOp::create(builder, op.getLoc(), c, border);
    scope.accumulate(op.getValue(), reduceSum(builder, op.getLoc(), outer, otherAxes(type.getRank(), {})));
  }
  static void tangent(PadOp op, OpBuilder &builder, TangentScope &scope) {
    Value x = scope.tangent(op.getX()), value = scope.tangent(op.getValue());
    if (!x && !value)
      return;
    x = orZeros(builder, op.getLoc(), x, op.getX().getType());
    value = orZeros(builder, op.getLoc(), value, op.getValue().getType());
    scope.setTangent(op.getResult(), PadOp::create(builder, op.getLoc(), x, value, op.getLow(), op.getHigh(),
                                                   op.getInterior()));
  }
};

/// Each operand's cotangent is its slice of the result's.
struct ConcatRule : Rule<ConcatRule, ConcatOp> {
  static void adjoint(ConcatOp op, OpBuilder &builder, CotangentScope &scope) {
    Value c = scope.cotangent(op.getResult());
    int64_t rank = tensorType(c).getRank(), axis = op.getAxis();
    SmallVector<int64_t> starts(rank, 0), strides(rank, 1);
    for (Value input : op.getInputs()) {
      auto type = tensorType(input);
      if (scope.wanted(input))
        scope.accumulate(input, SliceOp::create(builder, op.getLoc(), c, starts, type.getShape(), strides));
      starts[axis] += type.getDimSize(axis);
    }
  }
  static void tangent(ConcatOp op, OpBuilder &builder, TangentScope &scope) {
    auto tangents = llvm::map_to_vector(op.getInputs(), [&](Value input) { return scope.tangent(input); });
    if (llvm::none_of(tangents, [](Value t) { return (bool)t; }))
      return;
    for (auto [t, input] : llvm::zip(tangents, op.getInputs()))
      t = orZeros(builder, op.getLoc(), t, input.getType());
    scope.setTangent(op.getResult(), ConcatOp::create(builder, op.getLoc(), tangents, op.getAxis()));
  }
};

struct DynamicSliceRule : Rule<DynamicSliceRule, DynamicSliceOp> {
  static void adjoint(DynamicSliceOp op, OpBuilder &builder, CotangentScope &scope) {
    Value zero = zeros(builder, op.getLoc(), op.getX().getType());
    scope.accumulate(op.getX(), DynamicUpdateSliceOp::create(builder, op.getLoc(), zero.getType(), zero,
                                                             scope.cotangent(op.getResult()), op.getStart(),
                                                             op.getAxis()));
  }
  static void tangent(DynamicSliceOp op, OpBuilder &builder, TangentScope &scope) {
    if (Value t = scope.tangent(op.getX()))
      scope.setTangent(op.getResult(), DynamicSliceOp::create(builder, op.getLoc(), t, op.getStart(),
                                                              op.getAxis(), op.getSize()));
  }
};

struct DynamicUpdateSliceRule : Rule<DynamicUpdateSliceRule, DynamicUpdateSliceOp> {
  static void adjoint(DynamicUpdateSliceOp op, OpBuilder &builder, CotangentScope &scope) {
    Value c = scope.cotangent(op.getResult());
    auto update = tensorType(op.getUpdate());
    if (scope.wanted(op.getX())) {
      Value zero = zeros(builder, op.getLoc(), update);
      scope.accumulate(op.getX(), DynamicUpdateSliceOp::create(builder, op.getLoc(), c.getType(), c, zero,
                                                               op.getStart(), op.getAxis()));
    }
    if (scope.wanted(op.getUpdate()))
      scope.accumulate(op.getUpdate(), DynamicSliceOp::create(builder, op.getLoc(), c, op.getStart(),
                                                              op.getAxis(), update.getDimSize(op.getAxis())));
  }
  static void tangent(DynamicUpdateSliceOp op, OpBuilder &builder, TangentScope &scope) {
    Value x = scope.tangent(op.getX()), update = scope.tangent(op.getUpdate());
    if (!x && !update)
      return;
    x = orZeros(builder, op.getLoc(), x, op.getX().getType());
    update = orZeros(builder, op.getLoc(), update, op.getUpdate().getType());
    scope.setTangent(op.getResult(), DynamicUpdateSliceOp::create(builder, op.getLoc(), x.getType(), x,
                                                                  update, op.getStart(), op.getAxis()));
  }
};

} // namespace

void attachSliceRules(MLIRContext *context) {
  SliceOp::attachInterface<SliceRule>(*context);
  PadOp::attachInterface<PadRule>(*context);
  ConcatOp::attachInterface<ConcatRule>(*context);
  DynamicSliceOp::attachInterface<DynamicSliceRule>(*context);
  DynamicUpdateSliceOp::attachInterface<DynamicUpdateSliceRule>(*context);
}

} // namespace heddle::autodiff
