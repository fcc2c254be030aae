//===- Reduction.cpp - The rule of reductions -----------------------------===//

#include "compiler/autodiff/Rules/Rules.h"

using namespace mlir;
using namespace heddle::ir;

namespace heddle::autodiff {
namespace {

/// A value of the result's shape, repeated over the reduced axes.
Value spread(ReduceOp op, OpBuilder &builder, Value value) {
  auto type = tensorType(op.getX());
  return BroadcastOp::create(builder, op.getLoc(), withShape(type, type.getShape()), value,
                             otherAxes(type.getRank(), op.getAxes()));
}

/// For a maximum or minimum: which elements attain it, and how many in each group, as a number.
struct Attaining {
  Value mask, count;
};
Attaining attaining(ReduceOp op, OpBuilder &builder) {
  Location loc = op.getLoc();
  Value mask =
      CompareOp::create(builder, loc, ComparePredicate::eq, op.getX(), spread(op, builder, op.getResult()));
  Value ones = CastOp::create(builder, loc, op.getX().getType(), mask);
  return {mask, reduceSum(builder, loc, ones, op.getAxes())};
}

/// A product as a tree of halves. A tree, not the quotient of the product by an element, is exact where
/// elements are zero, and so are its own derivatives. Works on [groups, n] with the product over the last
/// axis.
class ProductTree {
public:
  ProductTree(ReduceOp op, OpBuilder &builder) : op(op), builder(builder), loc(op.getLoc()) {
    auto type = tensorType(op.getX());
    permutation = otherAxes(type.getRank(), op.getAxes());
    llvm::append_range(permutation, op.getAxes());
    groups = 1, length = 1;
    for (auto [d, extent] : llvm::enumerate(type.getShape()))
      (llvm::is_contained(op.getAxes(), (int64_t)d) ? length : groups) *= extent;
    levels.push_back(rows(op.getX()));
    while (width(levels.back()) > 1) {
      auto [a, b, rest] = halves(levels.back());
      levels.push_back(join(MulOp::create(builder, loc, a, b), rest));
    }
  }

  Value adjoint(Value c) {
    c = reshape(c, {groups, 1});
    for (Value level : llvm::drop_begin(llvm::reverse(levels))) {
      auto [a, b, rest] = halves(level);
      int64_t half = width(a);
      Value pair = part(c, 0, half), left = MulOp::create(builder, loc, pair, b),
            right = MulOp::create(builder, loc, pair, a);
      Value both = join(left, right);
      c = rest ? join(both, part(c, half, 1)) : both;
    }
    // Back to the operand's axes.
    auto type = tensorType(op.getX());
    auto shape = llvm::map_to_vector(permutation, [&](int64_t axis) { return type.getDimSize(axis); });
    SmallVector<int64_t> inverse(permutation.size());
    for (auto [i, axis] : llvm::enumerate(permutation))
      inverse[axis] = i;
    return TransposeOp::create(builder, loc, reshape(c, shape), inverse);
  }

  Value tangent(Value t) {
    t = rows(t);
    for (Value level : ArrayRef(levels).drop_back()) {
      auto [a, b, rest] = halves(level);
      auto [ta, tb, trest] = halves(t);
      Value sum =
          AddOp::create(builder, loc, MulOp::create(builder, loc, ta, b), MulOp::create(builder, loc, a, tb));
      t = join(sum, trest);
    }
    return ReshapeOp::create(builder, loc, op.getType(), t);
  }

private:
  struct Halves {
    Value a, b, rest;
  };
  static int64_t width(Value rows) { return tensorType(rows).getDimSize(1); }
  Value reshape(Value value, ArrayRef<int64_t> shape) {
    return ReshapeOp::create(builder, loc, withShape(tensorType(value), shape), value);
  }
  Value rows(Value x) { return reshape(TransposeOp::create(builder, loc, x, permutation), {groups, length}); }
  Value part(Value rows, int64_t start, int64_t size) {
    return SliceOp::create(builder, loc, rows, ArrayRef<int64_t>{0, start}, ArrayRef<int64_t>{groups, size},
                           ArrayRef<int64_t>{1, 1});
  }
  /// Two halves, and the last column where the width is odd.
  Halves halves(Value rows) {
    int64_t half = width(rows) / 2;
    return {part(rows, 0, half), part(rows, half, half), width(rows) % 2 ? part(rows, 2 * half, 1) : Value()};
  }
  Value join(Value a, Value b) {
    return b ? ConcatOp::create(builder, loc, ValueRange{a, b}, 1).getResult() : a;
  }

  ReduceOp op;
  OpBuilder &builder;
  Location loc;
  SmallVector<int64_t> permutation;
  int64_t groups, length;
  SmallVector<Value> levels;
};

struct ReduceRule : Rule<ReduceRule, ReduceOp> {
  static void adjoint(ReduceOp op, OpBuilder &builder, CotangentScope &scope) {
    Value c = scope.cotangent(op.getResult());
    Location loc = op.getLoc();
    auto type = tensorType(op.getX());
    if (type.getNumElements() == 0)
      return;
    switch (op.getKind()) {
    case ReductionKind::sum:
      return scope.accumulate(op.getX(), spread(op, builder, c));
    case ReductionKind::prod:
      return scope.accumulate(op.getX(), ProductTree(op, builder).adjoint(c));
    case ReductionKind::max:
    case ReductionKind::min: {
      Attaining at = attaining(op, builder);
      Value share = spread(op, builder, DivOp::create(builder, loc, c, at.count));
      return scope.accumulate(op.getX(),
                              SelectOp::create(builder, loc, at.mask, share, zeros(builder, loc, type)));
    }
    case ReductionKind::any:
    case ReductionKind::all:
      return;
    }
  }
  static void tangent(ReduceOp op, OpBuilder &builder, TangentScope &scope) {
    Value t = scope.tangent(op.getX());
    Location loc = op.getLoc();
    auto type = tensorType(op.getX());
    if (!t || type.getNumElements() == 0)
      return;
    switch (op.getKind()) {
    case ReductionKind::sum:
      return scope.setTangent(op.getResult(), reduceSum(builder, loc, t, op.getAxes()));
    case ReductionKind::prod:
      return scope.setTangent(op.getResult(), ProductTree(op, builder).tangent(t));
    case ReductionKind::max:
    case ReductionKind::min: {
      Attaining at = attaining(op, builder);
      Value there = SelectOp::create(builder, loc, at.mask, t, zeros(builder, loc, type));
      Value sum = reduceSum(builder, loc, there, op.getAxes());
      return scope.setTangent(op.getResult(), DivOp::create(builder, loc, sum, at.count));
    }
    case ReductionKind::any:
    case ReductionKind::all:
      return;
    }
  }
};

} // namespace

void attachReductionRules(MLIRContext *context) { ReduceOp::attachInterface<ReduceRule>(*context); }

} // namespace heddle::autodiff
