//===- Math.h - Formulas over tensors, for builtins that are sugar ----------===//
#pragma once

#include "compiler/frontend/builtins/Call.h"

namespace heddle::frontend {

/// Writes formulas of well-typed tensors of one element type. Operands broadcast by NumPy's rule, and numbers
/// take the other operand's type, so that formulas read as in a paper.
class Math {
public:
  explicit Math(Call &call) : emit(call.emit), span(call.span()) {}
  Math(OpEmitter &emit, Span span) : emit(emit), span(span) {}

  Value number(const Value &like, double value) { return emit.constant(like.getType(), value, span); }

  Value add(const Value &a, const Value &b) { return binary(BinaryKind::Add, a, b); }
  Value sub(const Value &a, const Value &b) { return binary(BinaryKind::Sub, a, b); }
  Value mul(const Value &a, const Value &b) { return binary(BinaryKind::Mul, a, b); }
  Value div(const Value &a, const Value &b) { return binary(BinaryKind::Div, a, b); }
  Value max(const Value &a, const Value &b) { return binary(BinaryKind::Max, a, b); }
  Value min(const Value &a, const Value &b) { return binary(BinaryKind::Min, a, b); }
  Value add(const Value &a, double b) { return add(a, number(a, b)); }
  Value mul(const Value &a, double b) { return mul(a, number(a, b)); }
  Value div(const Value &a, double b) { return div(a, number(a, b)); }
  Value unary(UnaryKind kind, const Value &x) { return emit.unary(kind, x, span); }
  Value neg(const Value &x) { return unary(UnaryKind::Neg, x); }
  Value exp(const Value &x) { return unary(UnaryKind::Exp, x); }
  Value log(const Value &x) { return unary(UnaryKind::Log, x); }
  Value stopGradient(const Value &x) { return unary(UnaryKind::StopGradient, x); }
  Value compare(CompareKind kind, const Value &a, const Value &b) {
    auto [x, y] = together(a, b);
    return emit.compare(kind, x, y, span);
  }
  Value binary(BinaryKind kind, const Value &a, const Value &b) {
    auto [x, y] = together(a, b);
    return emit.binary(kind, x, y, span);
  }

  /// A reduction whose axes stay with extent 1.
  Value reduceKeeping(ReduceKind kind, const Value &x, llvm::ArrayRef<int64_t> axes) {
    llvm::SmallVector<Dim> dims(x.getType().dims());
    for (int64_t axis : axes)
      dims[axis] = Dim(1);
    return emit.reshape(emit.reduce(kind, x, axes, span), dims, span);
  }

  /// The mean over axes that stay with extent 1.
  Value meanKeeping(const Value &x, llvm::ArrayRef<int64_t> axes) {
    Value sum = reduceKeeping(ReduceKind::Sum, x, axes);
    return div(sum, emit.constant(sum.getType(), count(x, axes), span));
  }

  /// How many elements a reduction combines.
  static Dim count(const Value &x, llvm::ArrayRef<int64_t> axes) {
    Dim product(1);
    for (int64_t axis : axes)
      product *= x.getType().dims()[axis];
    return product;
  }

private:
  std::pair<Value, Value> together(const Value &a, const Value &b) {
    llvm::ArrayRef<Dim> left = a.getType().dims(), right = b.getType().dims();
    llvm::SmallVector<Dim> dims(left.size() >= right.size() ? left : right);
    llvm::ArrayRef<Dim> shorter = left.size() >= right.size() ? right : left;
    for (size_t i = 0, shift = dims.size() - shorter.size(); i < shorter.size(); ++i)
      if (dims[i + shift].isConstant(1))
        dims[i + shift] = shorter[i];
    return {emit.broadcastTo(a, dims, span), emit.broadcastTo(b, dims, span)};
  }

  OpEmitter &emit;
  Span span;
};

} // namespace heddle::frontend
